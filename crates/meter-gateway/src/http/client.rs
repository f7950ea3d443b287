use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::connect::connect;
use super::{End, Fault, Reply, Server};

/// Says who asks.
const AGENT: &str = concat!("meterline/", env!("CARGO_PKG_VERSION"));

/// Asks servers over one connection, which is kept open for as long as the same one is asked.
pub(crate) struct Client {
    tls: Option<Arc<ClientConfig>>,
    limits: Limits,
    open: Option<Open>,
}

/// How much is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How long it may take from the question to the status of the answer, the connection included.
    pub(crate) answer: Duration,
    /// How many bytes of an answer are read. A connection whose answer is longer is closed.
    pub(crate) body: usize,
}

/// A connection that waits for the next request.
struct Open {
    server: Server,
    sender: SendRequest<Full<Bytes>>,
    _driver: Driver,
}

/// The task that moves a connection's bytes; it ends with its owner.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    /// A client without `tls` can ask plain servers only.
    pub(crate) fn new(tls: Option<Arc<ClientConfig>>, limits: Limits) -> Self {
        Self {
            tls,
            limits,
            open: None,
        }
    }

    /// When an answer to a request that is made now is due.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.limits.answer
    }

    /// One request and its answer. The deadline is for the answer's status: what
    /// comes behind it cannot turn a success into a failure. When this future is
    /// dropped, the connection is closed and the fate of the request is unknown.
    pub(crate) async fn exchange(
        &mut self,
        server: &Server,
        request: Request<Bytes>,
        deadline: Instant,
    ) -> Result<Reply, Fault> {
        let limit = self.limits.answer;
        let request = addressed(request, server)?;
        let reused = self.open.is_some();
        let asked = timeout_at(deadline, async {
            match self.ask(server, request.clone()).await {
                // The server closed an idle connection while the request was on its
                // way: that says nothing about the server, so it is asked again.
                Err(Fault::Broken(_)) if reused => self.ask(server, request).await,
                other => other,
            }
        });
        let (open, response) = asked.await.unwrap_or(Err(Fault::TimedOut { limit }))?;
        let reply = Reply::read(response, self.limits.body).await;
        self.open = matches!(reply.end, End::Whole).then_some(open);
        Ok(reply)
    }

    async fn ask(
        &mut self,
        server: &Server,
        request: Request<Full<Bytes>>,
    ) -> Result<(Open, Response<Incoming>), Fault> {
        let mut open = self.sender(server).await?;
        let response = open.sender.send_request(request).await?;
        Ok((open, response))
    }

    /// The open connection if it leads to this server and still lives, or a new one.
    async fn sender(&mut self, server: &Server) -> Result<Open, Fault> {
        if let Some(mut open) = self.open.take()
            && open.server == *server
            && open.sender.ready().await.is_ok()
        {
            return Ok(open);
        }
        let stream = connect(server, self.tls.as_ref()).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driver = Driver(tokio::spawn(async {
            // Its error comes back through the request that it broke.
            let _ = connection.await;
        }));
        Ok(Open {
            server: server.clone(),
            sender,
            _driver: driver,
        })
    }
}

/// Without the settings of TLS, which may hold a key.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("limits", &self.limits)
            .field("open", &self.open.as_ref().map(|open| &open.server))
            .finish_non_exhaustive()
    }
}

/// Adds what every request has.
fn addressed(request: Request<Bytes>, server: &Server) -> Result<Request<Full<Bytes>>, Fault> {
    let mut request = request.map(Full::new);
    let host = HeaderValue::try_from(server.authority()).map_err(http::Error::from)?;
    request.headers_mut().insert(header::HOST, host);
    let agent = HeaderValue::from_static(AGENT);
    request
        .headers_mut()
        .entry(header::USER_AGENT)
        .or_insert(agent);
    Ok(request)
}
