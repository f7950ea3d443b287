//! The settings of one output to `InfluxDB`.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use meter_core::payload::influx::{METER_TAG, is_writable};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sender::Influx;
use crate::config::Secret;
use crate::output::delivery::{Remote, RemoteError};
use crate::output::post::UrlError;

/// Where and how readings are written as lines.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server, as in `https://HOST:8086`. The path of the API is added to it.
    pub url: String,
    /// The API to write by, which is that of the server's version. `VictoriaMetrics` knows `v1` and
    /// `v2`.
    #[serde(default)]
    pub version: Version,
    /// The database, for `v1` and `v3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The retention policy, for `v1`; that of the database unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_policy: Option<String>,
    /// User name, for `v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Password, for `v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The organization, for `v2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The bucket, for `v2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// The token, for `v2` and `v3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// The measurement that readings are points of.
    #[serde(default = "default_measurement")]
    pub measurement: String,
    /// Further tags beside `meter`, the same for every reading.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Whether registers that hold text or octets are written too, as string fields.
    #[serde(default)]
    pub texts: bool,
    /// Whether lines are compressed on their way.
    #[serde(default = "default_gzip")]
    pub gzip: bool,
    /// Most readings in one request, each of which is a line.
    #[serde(default = "default_batch_size")]
    pub batch_size: NonZeroU32,
    /// What all outputs over a network have in common.
    #[serde(rename = "*")]
    #[schemars(flatten)]
    pub remote: Remote,
}

/// An API of `InfluxDB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// `/write`.
    V1,
    /// `/api/v2/write`.
    #[default]
    V2,
    /// `/api/v3/write_lp`.
    V3,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 => "v3",
        })
    }
}

impl Version {
    /// The keys that it needs.
    fn needs(self) -> &'static [&'static str] {
        match self {
            Self::V1 | Self::V3 => &["database"],
            Self::V2 => &["org", "bucket"],
        }
    }

    /// The keys that it takes beside those.
    fn takes(self) -> &'static [&'static str] {
        match self {
            Self::V1 => &["retention_policy", "username", "password"],
            Self::V2 | Self::V3 => &["token"],
        }
    }
}

fn default_measurement() -> String {
    "electricity".to_owned()
}

fn default_gzip() -> bool {
    true
}

fn default_batch_size() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(4999)
}

/// What is wrong with the settings, known before anything is sent.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The key `url`.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A key that the version needs.
    #[error("version = \"{version}\" needs the key {key}")]
    Missing {
        /// The version.
        version: Version,
        /// The key that is not there.
        key: &'static str,
    },
    /// A key of another version.
    #[error(
        "{key} does not go with version = \"{version}\", whose own keys are {}",
        own(*.version)
    )]
    Foreign {
        /// The version.
        version: Version,
        /// The key that is there.
        key: &'static str,
    },
    /// A token that no header can carry.
    #[error("the token has characters that HTTP does not allow")]
    Token,
    /// A name that the line protocol cannot write.
    #[error(
        "the measurement `{0}` cannot be written: it must not be empty, begin with `#`, or hold a \
         backslash or the end of a line"
    )]
    Measurement(String),
    /// A tag that the line protocol cannot write, or that has a meaning already.
    #[error("the tag `{name}` cannot be written: {why}")]
    Tag {
        /// Its key.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// What outputs over a network have in common.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

/// All keys of a version, for people.
fn own(version: Version) -> String {
    let keys: Vec<&str> = [version.needs(), version.takes()].concat();
    keys.join(", ")
}

impl ConfigError {
    /// The key that is wrong.
    pub(in crate::output) fn key(&self) -> Option<&'static str> {
        match self {
            Self::Url(_) => Some("url"),
            Self::Missing { .. } => Some("version"),
            Self::Foreign { key, .. } => Some(key),
            Self::Token => Some("token"),
            Self::Measurement(_) => Some("measurement"),
            Self::Tag { .. } => Some("tags"),
            Self::Remote(error) => error.key(),
        }
    }
}

impl Config {
    /// Everything else at its default; the keys that the version needs are still missing.
    #[must_use]
    pub fn new(url: impl Into<String>, version: Version) -> Self {
        Self {
            url: url.into(),
            version,
            database: None,
            retention_policy: None,
            username: None,
            password: None,
            org: None,
            bucket: None,
            token: None,
            measurement: default_measurement(),
            tags: BTreeMap::new(),
            texts: false,
            gzip: default_gzip(),
            batch_size: default_batch_size(),
            remote: Remote::default(),
        }
    }

    /// Finds what is wrong without connecting anywhere. Reads the files that the settings name.
    pub fn validate(&self) -> Result<(), ConfigError> {
        Influx::new(self)?;
        Ok(())
    }

    /// Whether the version has all keys that it needs and none of another one.
    pub(super) fn check_version(&self) -> Result<(), ConfigError> {
        let version = self.version;
        let keys = [
            ("database", self.database.is_some()),
            ("retention_policy", self.retention_policy.is_some()),
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("org", self.org.is_some()),
            ("bucket", self.bucket.is_some()),
            ("token", self.token.is_some()),
        ];
        for (key, given) in keys {
            let needed = version.needs().contains(&key);
            if needed && !given {
                return Err(ConfigError::Missing { version, key });
            }
            if given && !needed && !version.takes().contains(&key) {
                return Err(ConfigError::Foreign { version, key });
            }
        }
        Ok(())
    }

    /// Whether the names can be written in a line.
    pub(super) fn check_names(&self) -> Result<(), ConfigError> {
        let measurement = &self.measurement;
        if measurement.is_empty() || measurement.starts_with('#') || !is_writable(measurement) {
            return Err(ConfigError::Measurement(measurement.clone()));
        }
        for (key, value) in &self.tags {
            let why = if key == METER_TAG || key == "time" {
                "this name is taken"
            } else if key.is_empty() || value.is_empty() {
                "its name and its value must not be empty"
            } else if !is_writable(key) || !is_writable(value) {
                "neither its name nor its value may hold a backslash or the end of a line"
            } else {
                continue;
            };
            let name = key.clone();
            return Err(ConfigError::Tag { name, why });
        }
        Ok(())
    }
}
