//! Where readings go.
//!
//! Each output has a name, a cursor in the journal, and a [`Status`] that the
//! terminal and the service manager show. A new one is a module here with a
//! `delivery::Sender`, a variant of [`Config`], an arm in its matches, and a
//! test against a real server.

pub mod files;
pub mod influx;
pub mod mqtt;
pub mod post;
pub mod postgres;
pub mod rest;
pub mod volkszaehler;

mod delivery;
mod shape;

use std::future::Future;
use std::path::Path;
use std::time::SystemTime;

use meter_core::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::journal::Cursor;
use crate::run::Snapshot;

pub use delivery::{Delivery, OnChange, Remote, RemoteError};
use shape::Fixed;
pub use shape::{Codes, EnergyUnit, OfInterval, Shape, ShapeError};

/// One output's settings, chosen by the key `type`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(tag = "type")]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for each output, and it is read once"
)]
pub enum Config {
    /// To an HTTP API.
    Rest(rest::Config),
    /// To a broker, by MQTT.
    Mqtt(mqtt::Config),
    /// To `InfluxDB` or `VictoriaMetrics`.
    Influx(influx::Config),
    /// To volkszaehler, or as vzlogger pushes.
    Volkszaehler(volkszaehler::Config),
    /// Into files, a line for each register: a file for each day, compressed when the day is over.
    Csv(files::Config),
    /// Into files, a line of JSON for each reading: a file for each day, compressed when the day is over.
    Jsonl(files::Config),
    /// To `PostgreSQL` or `TimescaleDB`, a row for each register.
    Postgres(postgres::Config),
}

/// What an output is doing, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Readings that the server has acknowledged since the start.
    pub delivered: u64,
    /// Readings that were set aside since the start, because the server refused them for good.
    pub rejected: u64,
    /// Readings that were left out since the start, because of `interval` or `meters`.
    pub left_out: u64,
    /// Readings in the journal that still have to be sent.
    pub backlog: u64,
    /// The time of the oldest of them.
    pub oldest: Option<UnixMillis>,
    /// When the server last acknowledged something.
    pub last_success: Option<SystemTime>,
    /// What went wrong last, and what to do about it; stays after it is over.
    pub last_error: Option<String>,
    /// What it is doing now.
    pub state: State,
}

/// What an output is doing now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing was sent yet.
    #[default]
    Starting,
    /// Everything is delivered.
    Idle,
    /// Readings are on their way.
    Delivering,
    /// The server is away; it is tried again by itself.
    Retrying,
    /// Somebody has to mend something, see [`Status::last_error`]; readings are kept.
    Misconfigured,
}

/// Why an output cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A REST output's settings.
    #[error(transparent)]
    Rest(#[from] rest::ConfigError),
    /// An MQTT output's settings.
    #[error(transparent)]
    Mqtt(#[from] mqtt::ConfigError),
    /// Those of an output to `InfluxDB`.
    #[error(transparent)]
    Influx(#[from] influx::ConfigError),
    /// Those of an output to volkszaehler.
    #[error(transparent)]
    Volkszaehler(#[from] volkszaehler::ConfigError),
    /// The settings of an output into files.
    #[error(transparent)]
    Files(#[from] files::ConfigError),
    /// Those of an output to `PostgreSQL`.
    #[error(transparent)]
    Postgres(#[from] postgres::ConfigError),
    /// What of each reading is sent.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// Why a server was not found good.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A REST output's server.
    #[error(transparent)]
    Rest(#[from] rest::ProbeError),
    /// An MQTT output's broker.
    #[error(transparent)]
    Mqtt(#[from] mqtt::ProbeError),
    /// An `InfluxDB`.
    #[error(transparent)]
    Influx(#[from] influx::ProbeError),
    /// A middleware of volkszaehler.
    #[error(transparent)]
    Volkszaehler(#[from] volkszaehler::ProbeError),
    /// The directory of an output into files.
    #[error(transparent)]
    Files(#[from] files::Trouble),
    /// A `PostgreSQL`.
    #[error(transparent)]
    Postgres(#[from] postgres::ProbeError),
}

impl ConfigError {
    /// The key of the output's table that is wrong, if it is one.
    #[must_use]
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::Rest(error) => error.key(),
            Self::Mqtt(error) => error.key(),
            Self::Influx(error) => error.key(),
            Self::Volkszaehler(error) => error.key(),
            Self::Files(error) => Some(error.key()),
            Self::Postgres(error) => error.key(),
            Self::Shape(error) => Some(error.key()),
        }
    }
}

impl Config {
    /// Finds what is wrong with the settings without connecting anywhere.
    /// Reads the files that they name.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.delivery().validate(self.fixed())?;
        match self {
            Self::Rest(config) => Ok(config.validate()?),
            Self::Mqtt(config) => Ok(config.validate()?),
            Self::Influx(config) => Ok(config.validate()?),
            Self::Volkszaehler(config) => Ok(config.validate()?),
            Self::Csv(config) | Self::Jsonl(config) => Ok(config.validate()?),
            Self::Postgres(config) => Ok(config.validate()?),
        }
    }

    /// What all outputs have.
    fn delivery(&self) -> &Delivery {
        match self {
            Self::Rest(config) => &config.remote.delivery,
            Self::Mqtt(config) => &config.remote.delivery,
            Self::Influx(config) => &config.remote.delivery,
            Self::Volkszaehler(config) => &config.remote.delivery,
            Self::Csv(config) | Self::Jsonl(config) => &config.delivery,
            Self::Postgres(config) => &config.remote.delivery,
        }
    }

    /// What of a reading's shape cannot be chosen.
    fn fixed(&self) -> Fixed {
        match self {
            Self::Rest(config) if config.format == rest::Format::Classic => Fixed::CLASSIC,
            Self::Mqtt(config) if config.format == mqtt::Format::Classic => Fixed::CLASSIC,
            Self::Volkszaehler(_) => volkszaehler::FIXED,
            Self::Postgres(_) => postgres::FIXED,
            Self::Rest(_) | Self::Mqtt(_) | Self::Influx(_) | Self::Csv(_) | Self::Jsonl(_) => {
                Fixed::NOTHING
            }
        }
    }

    /// The files that the output reads when it starts, such as certificates.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let remote = match self {
            Self::Rest(config) => Some(&config.remote),
            Self::Mqtt(config) => Some(&config.remote),
            Self::Influx(config) => Some(&config.remote),
            Self::Volkszaehler(config) => Some(&config.remote),
            Self::Postgres(config) => Some(&config.remote),
            Self::Csv(_) | Self::Jsonl(_) => None,
        };
        remote.into_iter().flat_map(Remote::files)
    }

    /// Shakes hands with the server and returns a sentence for people.
    pub async fn probe(&self) -> Result<String, ProbeError> {
        match self {
            Self::Rest(config) => Ok(rest::probe(config).await?),
            Self::Mqtt(config) => Ok(mqtt::probe(config).await?),
            Self::Influx(config) => Ok(influx::probe(config).await?),
            Self::Volkszaehler(config) => Ok(volkszaehler::probe(config).await?),
            Self::Csv(config) | Self::Jsonl(config) => Ok(files::probe(config).await?),
            Self::Postgres(config) => Ok(postgres::probe(config).await?),
        }
    }

    /// Delivers what the journal has behind `cursor` until `shutdown`; then a
    /// POST that is on its way has one second to be answered. Dropping the
    /// future at any point loses nothing: what was not acknowledged is sent
    /// again by the next run. An output that tells how the lines are doing
    /// takes it from `view`.
    pub async fn run(
        &self,
        cursor: Cursor,
        status: watch::Sender<Status>,
        view: watch::Receiver<Snapshot>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ConfigError> {
        let shared = self.delivery();
        match self {
            Self::Rest(config) => {
                let sender = rest::Rest::new(config)?;
                delivery::run(sender, shared, cursor, status, shutdown).await;
            }
            Self::Mqtt(config) => {
                let sender = mqtt::Mqtt::new(config, cursor.output(), status.subscribe(), view)?;
                Box::pin(delivery::run(sender, shared, cursor, status, shutdown)).await;
            }
            Self::Influx(config) => {
                let sender = influx::Influx::new(config)?;
                delivery::run(sender, shared, cursor, status, shutdown).await;
            }
            Self::Volkszaehler(config) => {
                let sender = volkszaehler::Volkszaehler::new(config)?;
                delivery::run(sender, shared, cursor, status, shutdown).await;
            }
            Self::Csv(config) => {
                files::run(config, files::Format::Csv, cursor, status, shutdown).await;
            }
            Self::Jsonl(config) => {
                files::run(config, files::Format::Jsonl, cursor, status, shutdown).await;
            }
            Self::Postgres(config) => {
                let sender = postgres::Postgres::new(config)?;
                delivery::run(sender, shared, cursor, status, shutdown).await;
            }
        }
        Ok(())
    }
}
