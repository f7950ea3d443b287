//! Readings to an HTTP API, by POST.
//!
//! What its answers lead to is said in [`post`]. A 413 makes batches smaller for good;
//! what else is not wanted is halved until the refused readings are found, which are set aside.

mod config;
mod payload;
mod sender;
mod template;

pub use config::{Config, ConfigError, Format, Method};
pub(super) use sender::Rest;

use super::post;

/// Why a server was not found good.
pub type ProbeError = post::ProbeError<ConfigError>;

/// Shakes hands with the server (name, connection, TLS, HTTP) without sending a
/// reading, and returns a sentence for people.
pub async fn probe(config: &Config) -> Result<String, ProbeError> {
    let mut rest = Rest::new(config).map_err(ProbeError::Config)?;
    let status = rest.options().await?;
    let to = rest.endpoint().redacted();
    let trust = rest.endpoint().trust();
    // Servers that know no OPTIONS answer 404 as well, so it is no proof of a wrong path.
    let path = match status.as_u16() {
        404 | 410 => ", so make sure of the path in url",
        _ => "",
    };
    Ok(format!(
        "{to} answers, {trust} (OPTIONS: {status}{path}); it has not been sent a reading"
    ))
}
