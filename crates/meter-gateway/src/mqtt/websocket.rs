//! MQTT in the binary messages of a WebSocket (MQTT 5, section 6).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_util::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest as _};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::Fault;
use crate::http::{Server, Stream};
use crate::tls;

/// An open WebSocket. Where its messages end means nothing in MQTT, so it reads and writes like a socket.
pub(super) struct WebSocket {
    inner: WebSocketStream<Stream>,
    /// What is left of the last message.
    rest: Bytes,
}

impl WebSocket {
    /// Asks for the upgrade. No message may be longer than `longest` bytes.
    pub(super) async fn open(
        stream: Stream,
        server: &Server,
        path: &str,
        longest: usize,
    ) -> Result<Self, Fault> {
        let request = request(server, path).map_err(|error| refused(&error))?;
        let config = WebSocketConfig::default()
            .read_buffer_size(8 * 1024)
            .max_message_size(Some(longest))
            .max_frame_size(Some(longest));
        match client_async_with_config(request, stream, Some(config)).await {
            Ok((inner, _)) => Ok(Self {
                inner,
                rest: Bytes::new(),
            }),
            Err(error) => Err(refused(&error)),
        }
    }
}

fn request(server: &Server, path: &str) -> Result<Request, Error> {
    let scheme = if server.tls { "wss" } else { "ws" };
    let url = format!("{scheme}://{}{path}", server.authority());
    let mut request = url.into_client_request()?;
    // Without it brokers refuse the upgrade, or take it for something else.
    let protocol = HeaderValue::from_static("mqtt");
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", protocol);
    Ok(request)
}

fn refused(error: &Error) -> Fault {
    if let Some(fault) = tls::Fault::behind(error) {
        return Fault::Tls(fault);
    }
    Fault::WebSocket(match error {
        Error::Http(answer) => format!("HTTP {}", answer.status().as_u16()),
        other => other.to_string(),
    })
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::UnexpectedEof.into(),
        other => io::Error::other(other),
    }
}

impl AsyncRead for WebSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                // Pings are answered by the library; text is nothing in MQTT.
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(self.rest.get(..count).unwrap_or_default());
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WebSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut inner = Pin::new(&mut self.inner);
        ready!(inner.as_mut().poll_ready(cx)).map_err(broken)?;
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        inner.start_send(message).map_err(broken)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx).map_err(broken)
    }
}
