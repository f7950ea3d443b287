//! The sockets of the backend: accepting, shaking hands, answering.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Answer, Connection, Encoding, Received, Shared, StartError, Step};

/// A listener on a port that may have been in use a moment ago.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listen = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(64)
    };
    listen().map_err(|source| StartError::Listen { address, source })
}

/// Serves until it is dropped; without a listener while there is an outage.
pub(super) async fn run(shared: Arc<Shared>, listener: TcpListener, address: SocketAddr) {
    let mut wanted = shared.wanted_open.subscribe();
    let mut listener = listener;
    loop {
        tokio::select! {
            () = accept(&shared, &listener) => {}
            closed = wanted.wait_for(|open| !open) => if closed.is_err() { return },
        }
        drop(listener);
        shared.is_open.send_replace(false);
        if wanted.wait_for(|open| *open).await.is_err() {
            return;
        }
        listener = loop {
            match listen(address) {
                Ok(reopened) => break reopened,
                Err(error) => tracing::warn!("simulated backend: {error}; trying again"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        shared.is_open.send_replace(true);
    }
}

/// Accepts for ever. Dropping it closes every connection.
async fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(connection(Arc::clone(shared), stream));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(shared: Arc<Shared>, mut stream: TcpStream) {
    let number = {
        let mut log = shared.log();
        log.connections += 1;
        log.connections
    };
    let fate = shared.behaviour().connection;
    // A fault of the simulated network is no error of the simulation.
    let _ = match fate {
        Connection::Close => return,
        Connection::Reset => stream.set_zero_linger(),
        Connection::Stall => stall(stream).await,
        Connection::GarbageForTls => speak(&mut stream, b"SSH-2.0-OpenSSH_9.2\r\n").await,
        Connection::Serve | Connection::GarbageForHttp => {
            let tls = shared.tls().clone().map(TlsAcceptor::from);
            shake_hands(shared, tls, stream, fate, number).await
        }
    };
}

/// Says `words` once the other side has begun, and closes.
async fn speak<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, words: &[u8]) -> io::Result<()> {
    let mut ignored = [0; 4096];
    let _ = stream.read(&mut ignored).await?;
    stream.write_all(words).await?;
    stream.shutdown().await
}

/// Reads for ever and says nothing.
async fn stall(mut stream: TcpStream) -> io::Result<()> {
    let mut ignored = [0; 4096];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

async fn shake_hands(
    shared: Arc<Shared>,
    acceptor: Option<TlsAcceptor>,
    stream: TcpStream,
    fate: Connection,
    number: u64,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let reset = Arc::new(AtomicBool::new(false));
    let stream = Resettable {
        stream,
        reset: Arc::clone(&reset),
    };
    match acceptor {
        Some(acceptor) => serve(shared, acceptor.accept(stream).await?, fate, number, reset).await,
        None => serve(shared, stream, fate, number, reset).await,
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    shared: Arc<Shared>,
    mut stream: S,
    fate: Connection,
    number: u64,
    reset: Arc<AtomicBool>,
) -> io::Result<()> {
    if fate == Connection::GarbageForHttp {
        return speak(&mut stream, b"220 mail.example ESMTP\r\n").await;
    }
    let service = service_fn(|request| answer(Arc::clone(&shared), request, number, &reset));
    let served = hyper::server::conn::http1::Builder::new()
        .keep_alive(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    served.map_err(io::Error::other)
}

/// The connection ends here without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
struct Closed;

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    connection: u64,
    reset: &AtomicBool,
) -> Result<Response<Either<Full<Bytes>, Pieces>>, Closed> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|_| Closed)?
        .to_bytes()
        .to_vec();
    let mut received = Received {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect(),
        json: serde_json::from_slice(&body).ok(),
        body,
        arrival: Instant::now(),
        answered: None,
        connection,
    };
    let (step, refuse, limit) = {
        let mut behaviour = shared.behaviour();
        let step = behaviour.next_step();
        (step, behaviour.refuse.clone(), behaviour.limit)
    };
    let too_long = limit.is_some_and(|limit| received.body.len() > limit);
    let refused = refuse
        .and_then(|refuse| received.readings().iter().find_map(|one| refuse(one)))
        .or_else(|| too_long.then(|| Answer::status(413)));
    let reply = match (step, refused) {
        (Step::Accept, None) => Some(Answer::status(200)),
        (Step::Accept, Some(refused)) => Some(refused),
        (Step::Answer(answer), _) => Some(answer),
        (Step::Late(delay, answer), _) => {
            tokio::time::sleep(delay).await;
            Some(answer)
        }
        (Step::Reset, _) => {
            reset.store(true, Ordering::Relaxed);
            None
        }
        (Step::Close, _) => None,
        (Step::Stall, _) => {
            shared.record(received);
            return std::future::pending().await;
        }
        (Step::CutAnswer, _) => {
            received.answered = Some(200);
            shared.record(received);
            let pieces = Pieces::cut();
            return Ok(Response::new(Either::Right(pieces)));
        }
    };
    received.answered = reply.as_ref().map(|answer| answer.status);
    shared.record(received);
    reply.map(respond).ok_or(Closed)
}

fn respond(answer: Answer) -> Response<Either<Full<Bytes>, Pieces>> {
    let body = match answer.encoding {
        Encoding::Plain => Either::Left(Full::from(answer.body)),
        Encoding::Gzip => Either::Left(Full::from(gzip(answer.body.as_bytes()))),
        Encoding::Chunked => Either::Right(Pieces::of(&answer.body)),
        Encoding::Endless => Either::Right(Pieces::endless(&answer.body)),
    };
    let mut response = Response::new(body);
    if let Ok(status) = hyper::StatusCode::from_u16(answer.status) {
        *response.status_mut() = status;
    }
    if answer.encoding == Encoding::Gzip {
        let gzip = hyper::header::HeaderValue::from_static("gzip");
        response
            .headers_mut()
            .insert(hyper::header::CONTENT_ENCODING, gzip);
    }
    for (name, value) in &answer.headers {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes());
        let value = hyper::header::HeaderValue::from_str(value);
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing into a vector cannot fail.
    let _ = encoder.write_all(text);
    encoder.finish().unwrap_or_default()
}

/// A body without a known length, so that it travels in chunks.
struct Pieces {
    pieces: std::vec::IntoIter<Bytes>,
    end: End,
}

enum End {
    Complete,
    /// The connection breaks, once what came before has left.
    Cut(Pin<Box<tokio::time::Sleep>>),
    Again(Bytes),
}

impl Pieces {
    fn of(text: &str) -> Self {
        let pieces: Vec<Bytes> = text
            .as_bytes()
            .chunks(5)
            .map(Bytes::copy_from_slice)
            .collect();
        Self {
            pieces: pieces.into_iter(),
            end: End::Complete,
        }
    }

    fn endless(text: &str) -> Self {
        Self {
            pieces: Vec::new().into_iter(),
            end: End::Again(Bytes::from(text.repeat(1024))),
        }
    }

    fn cut() -> Self {
        Self {
            pieces: vec![Bytes::from_static(b"half an ")].into_iter(),
            end: End::Cut(Box::pin(tokio::time::sleep(
                std::time::Duration::from_millis(50),
            ))),
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        if let Some(piece) = self.pieces.next() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match &mut self.end {
            End::Complete => Poll::Ready(None),
            End::Cut(pause) => pause.as_mut().poll(cx).map(|()| Some(Err(Closed))),
            End::Again(text) => Poll::Ready(Some(Ok(Frame::data(text.clone())))),
        }
    }
}

/// A TCP stream that is reset instead of closed if somebody asked for it.
struct Resettable {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Resettable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A reset must be the first thing the other side hears.
        if self.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
