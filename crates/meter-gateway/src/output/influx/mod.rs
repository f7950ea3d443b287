//! Readings to `InfluxDB`, and to `VictoriaMetrics`, as lines of its line protocol.
//!
//! A reading is a point of one measurement at the time when it was taken, with the meter's number as
//! a tag. A point that is written again changes nothing. What answers lead to is said in
//! [`post`]; beyond that:
//!
//! | answer | what happens |
//! |---|---|
//! | 400 of version 3 that names the refused lines | they are set aside, the others are delivered |
//! | 400 or 422 otherwise | halved until the refused readings are found; they are set aside |
//! | 500 for a retention policy that is not there | kept, reported, tried again every `recheck` |

mod answer;
mod batch;
mod config;
mod sender;

pub use config::{Config, ConfigError, Version};
pub(super) use sender::Influx;

use super::post;

/// Why a server was not found good.
pub type ProbeError = post::ProbeError<ConfigError>;

/// Asks the server to write nothing, which shows whether it would write readings, and returns a
/// sentence for people.
pub async fn probe(config: &Config) -> Result<String, ProbeError> {
    let mut influx = Influx::new(config).map_err(ProbeError::Config)?;
    influx.write_nothing().await?;
    let (to, trust) = (influx.endpoint().redacted(), influx.endpoint().trust());
    let place = match (&config.bucket, &config.database) {
        (Some(bucket), _) => format!("bucket {bucket}"),
        (None, database) => format!("database {}", database.as_deref().unwrap_or_default()),
    };
    Ok(format!(
        "{to} answers, {trust}, and the {place} may be written; it has not been sent a reading"
    ))
}
