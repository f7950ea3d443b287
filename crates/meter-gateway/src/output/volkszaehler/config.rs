//! The settings of one output to volkszaehler.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use meter_core::Obis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sender::Volkszaehler;
use crate::config::Secret;
use crate::output::delivery::{Remote, RemoteError};
use crate::output::post::UrlError;

/// Which registers of one meter go into which channels.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The middleware, as in `https://HOST/middleware.php`; for `format = "push"` the whole address.
    pub url: String,
    /// For each register the UUID of its channel, as in `{ "1.8.0" = "6836dd20-…" }`. Registers that
    /// are not here are not sent.
    pub channels: BTreeMap<String, String>,
    /// Who listens.
    #[serde(default)]
    pub format: Format,
    /// User name for basic authorization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Password for basic authorization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Most readings in one request. The middleware gets a request for each channel.
    #[serde(default = "default_batch_size")]
    pub batch_size: NonZeroU32,
    /// What all outputs over a network have in common.
    #[serde(rename = "*")]
    #[schemars(flatten)]
    pub remote: Remote,
}

/// Who listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The middleware of volkszaehler.
    #[default]
    Middleware,
    /// A server for the push data of vzlogger.
    Push,
}

fn default_batch_size() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(499)
}

/// What is wrong with the settings, known before anything is sent.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The key `url`.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// Nothing would be sent.
    #[error(
        "channels is empty, so nothing would be sent: write `channels = {{ \"1.8.0\" = \"UUID\" }}`"
    )]
    NoChannels,
    /// A register that is none.
    #[error("`{0}` is no register: write its code, such as \"1.8.0\" or \"1-0:1.8.0*255\"")]
    Register(String),
    /// A channel that is none.
    #[error(
        "`{uuid}` is no UUID: the channel for {register} has one in the frontend, behind its name"
    )]
    Uuid {
        /// The register.
        register: String,
        /// What stands for its channel.
        uuid: String,
    },
    /// A register, or a channel, that is there twice.
    #[error(
        "{0} is there twice: a channel holds one register, and a register goes into one channel"
    )]
    Twice(String),
    /// Values of several meters cannot be told apart in a channel.
    #[error(
        "meters names several, whose values would mix in the channels: make an output for each"
    )]
    Meters,
    /// A user or a password that no header can carry.
    #[error("username or password has characters that HTTP does not allow")]
    Authorization,
    /// What outputs over a network have in common.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl ConfigError {
    /// The key that is wrong.
    pub(in crate::output) fn key(&self) -> Option<&'static str> {
        match self {
            Self::Url(_) => Some("url"),
            Self::NoChannels | Self::Register(_) | Self::Uuid { .. } | Self::Twice(_) => {
                Some("channels")
            }
            Self::Meters => Some("meters"),
            Self::Authorization => Some("password"),
            Self::Remote(error) => error.key(),
        }
    }
}

/// One register and the channel that it goes into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) register: Obis,
    /// The register as the settings call it.
    pub(super) name: String,
    pub(super) uuid: String,
}

impl Config {
    /// Everything else at its default.
    #[must_use]
    pub fn new(url: impl Into<String>, channels: BTreeMap<String, String>) -> Self {
        Self {
            url: url.into(),
            channels,
            format: Format::default(),
            username: None,
            password: None,
            batch_size: default_batch_size(),
            remote: Remote::default(),
        }
    }

    /// Finds what is wrong without connecting anywhere. Reads the files that the settings name.
    pub fn validate(&self) -> Result<(), ConfigError> {
        Volkszaehler::new(self)?;
        Ok(())
    }

    /// The channels, each of them once.
    pub(super) fn parse_channels(&self) -> Result<Vec<Channel>, ConfigError> {
        if self.channels.is_empty() {
            return Err(ConfigError::NoChannels);
        }
        let mut seen = BTreeSet::new();
        let mut channels = Vec::with_capacity(self.channels.len());
        for (name, uuid) in &self.channels {
            let register: Obis = name
                .parse()
                .map_err(|_| ConfigError::Register(name.clone()))?;
            if !is_uuid(uuid) {
                return Err(ConfigError::Uuid {
                    register: name.clone(),
                    uuid: uuid.clone(),
                });
            }
            let uuid = uuid.to_ascii_lowercase();
            for once in [register.to_string(), uuid.clone()] {
                if !seen.insert(once.clone()) {
                    return Err(ConfigError::Twice(once));
                }
            }
            let name = name.clone();
            channels.push(Channel {
                register,
                name,
                uuid,
            });
        }
        Ok(channels)
    }
}

/// Whether it looks like `6836dd20-00d5-11e0-bab1-856ed5f959ae`.
fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
        && text
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
