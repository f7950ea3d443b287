use std::time::Duration;

use super::connect::ConnectError;
use crate::tls;

/// Why there is no answer to a request.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is no answer in time.
    #[error("no answer within {} s", limit.as_secs_f32())]
    TimedOut {
        /// How long was waited.
        limit: Duration,
    },
    /// The connection ends before the answer.
    #[error("the connection broke before the answer came ({0})")]
    Broken(String),
    /// The answer is no HTTP.
    #[error("it does not speak HTTP on this port: check the port in url")]
    NotHttp,
    /// TLS ends after the handshake, as for a missing client certificate.
    #[error("{0}")]
    Tls(tls::Fault),
    /// The request cannot be written as HTTP.
    #[error("the request has a name or value that HTTP does not allow ({0})")]
    Request(#[from] http::Error),
}

impl From<hyper::Error> for Fault {
    fn from(error: hyper::Error) -> Self {
        if let Some(fault) = tls::Fault::behind(&error) {
            return Self::Tls(fault);
        }
        if error.is_parse() {
            return Self::NotHttp;
        }
        let first: &dyn std::error::Error = &error;
        let deepest = std::iter::successors(Some(first), |cause| cause.source()).last();
        Self::Broken(deepest.map_or_else(String::new, ToString::to_string))
    }
}
