//! Readings to an HTTP API, by POST.
//!
//! | answer | what happens |
//! |---|---|
//! | any 2xx | the readings are delivered |
//! | 301, 302, 307, 308 | followed with method and body, on the same host and never down to http |
//! | 303 | not followed: it asks for a GET |
//! | 408, 425, 429, 5xx, no answer | tried again with growing waits, not before `Retry-After` |
//! | 401, 403, 404, 405, 406, 407, 410, 411, 415, 421, 426, 431 | kept, reported, tried again every `recheck` |
//! | 413 | the batch is halved and stays smaller; a single reading is treated as below |
//! | any other 4xx | halved until the refused readings are found; they are set aside |

mod client;
mod config;
mod endpoint;
mod error;
mod payload;
mod sender;
mod template;

pub use config::{Config, ConfigError, Format, Method};
pub use endpoint::{BadRedirect, RedactedUrl};
pub use error::{Answer, Error, Obstacle, Refusal};
pub(super) use sender::Rest;

use client::Client;

/// Why a server was not found good.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The settings cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The server cannot be reached, is not trusted, or does not let us in.
    #[error(transparent)]
    Server(#[from] Error),
}

/// Shakes hands with the server (name, connection, TLS, HTTP) without sending a
/// reading, and returns a sentence for people.
pub async fn probe(config: &Config) -> Result<String, ProbeError> {
    let mut client = Client::new(config)?;
    let status = client.probe().await?;
    let to = client.endpoint().redacted();
    let trust = if client.endpoint().server.tls {
        "the certificate is good"
    } else {
        "nothing is encrypted (allow_insecure)"
    };
    // Servers that know no OPTIONS answer 404 as well, so it is no proof of a wrong path.
    let path = match status.as_u16() {
        404 | 410 => ", so make sure of the path in url",
        _ => "",
    };
    Ok(format!(
        "{to} answers, {trust} (OPTIONS: {status}{path}); it has not been sent a reading"
    ))
}
