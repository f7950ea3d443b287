//! HTTP/1.1 as a client: for the outputs that send readings, and for the inputs that fetch them.
//!
//! The steps of hyper's `conn` module are used one by one, rather than a client
//! with a pool, because each step's failure has its own remedy to tell ([`Fault`]).
//!
//! Servers are asked directly. No proxy is used, and the variables that name one
//! (`http_proxy`, `https_proxy`, `all_proxy`) are not read: which way readings and tokens go
//! is said by the configuration alone.

mod client;
mod connect;
mod fault;
mod reply;
mod server;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::InvalidHeaderValue;

pub(crate) use client::{Client, Limits};
pub use connect::ConnectError;
pub(crate) use connect::{Stream, connect, connect_any};
pub use fault::Fault;
pub(crate) use reply::{End, Reply};
pub(crate) use server::{BadUrl, Server};

/// The header `Authorization` for a user and a password (RFC 7617).
pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A header's value that no debug output shows.
pub(crate) fn sensitive(secret: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(secret)?;
    value.set_sensitive(true);
    Ok(value)
}
