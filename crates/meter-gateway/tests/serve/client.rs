//! A program that reads.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bench::{Program, Result};

/// Nothing here takes this long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The table of a server on a free port.
pub const HTTP: &str = "[http]\nlisten = \"127.0.0.1:0\"\n";

/// An answer with its whole body.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub kind: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.body).map_err(|error| format!("{error}: {self:?}").into())
    }
}

/// Where the program listens.
pub async fn address(program: &mut Program) -> Result<SocketAddr> {
    let listens = |view: &meter_gateway::run::Snapshot| {
        view.http.as_ref().and_then(|http| http.address).is_some()
    };
    let view = program.until("listening", listens).await?;
    Ok(view.http.and_then(|http| http.address).unwrap())
}

/// `GET` of a path.
pub async fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    get_with(address, path, &[]).await
}

/// The same with headers.
pub async fn get_with(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(address, request.body(Full::default())?).await
}

/// Any request. One without a `Host` gets the usual one.
pub async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Result<Answer> {
    let response = timeout(PATIENCE, begin(address, request)).await??;
    let status = response.status();
    let kind = response.headers().get("content-type");
    let kind = kind.map_or(Ok(""), |kind| kind.to_str())?.to_owned();
    let body = timeout(PATIENCE, response.into_body().collect()).await??;
    let body = String::from_utf8(body.to_bytes().to_vec())?;
    Ok(Answer { status, kind, body })
}

/// The head of an answer; its body is still to come.
pub async fn begin(
    address: SocketAddr,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<hyper::body::Incoming>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    if !request.headers().contains_key("host") {
        let host = address.to_string().parse()?;
        request.headers_mut().insert("host", host);
    }
    Ok(sender.send_request(request).await?)
}
