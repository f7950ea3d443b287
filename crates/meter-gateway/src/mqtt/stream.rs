use tokio_util::either::Either;

use super::websocket::WebSocket;
use super::{Fault, Options};
use crate::http;

/// What carries MQTT: a connection, or a WebSocket on it.
pub(super) type Stream = Either<http::Stream, Box<WebSocket>>;

/// Opens the way to the broker.
pub(super) async fn open(options: &Options) -> Result<Stream, Fault> {
    let server = &options.url.server;
    let stream = http::connect(server, options.tls.as_ref()).await?;
    let Some(path) = &options.url.websocket else {
        return Ok(Either::Left(stream));
    };
    let longest = usize::try_from(options.longest).unwrap_or(usize::MAX);
    let socket = WebSocket::open(stream, server, path, longest).await?;
    Ok(Either::Right(Box::new(socket)))
}
