//! The settings of an output into files.

use std::num::NonZeroU32;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Duration;
use crate::output::delivery::Delivery;

/// Where files are written, and for how long they are kept.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The directory for the files, which must be there: `NAME-2026-11-23.csv` for the readings of
    /// that day in UTC, `NAME` being that of the output.
    #[schemars(extend("examples" = ["/var/lib/meterline/files"]))]
    pub directory: PathBuf,
    /// How long fresh readings are collected before they are written together. They wait in the
    /// journal, so this costs nothing but freshness; shorter means more writing to the disk.
    #[serde(
        default = "default_sync_interval",
        deserialize_with = "crate::config::a_tenth_or_more"
    )]
    pub sync_interval: Duration,
    /// A day's file is compressed when the day is over for this long and nothing was written to it
    /// for this long.
    #[serde(
        default = "default_compress_after",
        deserialize_with = "crate::config::a_tenth_or_more"
    )]
    pub compress_after: Duration,
    /// The newest so many days that have readings are kept, and the compressed files of older ones
    /// are deleted. Nothing is ever deleted unless this is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [3660]))]
    pub keep_days: Option<NonZeroU32>,
    /// Which readings, and how fast.
    #[serde(rename = "*")]
    #[schemars(flatten)]
    pub delivery: Delivery,
}

fn default_sync_interval() -> Duration {
    Duration::from_secs(5)
}

fn default_compress_after() -> Duration {
    Duration::from_secs(3600)
}

impl Config {
    /// Everything else at its default.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            sync_interval: default_sync_interval(),
            compress_after: default_compress_after(),
            keep_days: None,
            delivery: Delivery::default(),
        }
    }

    /// Finds what is wrong without touching the disk.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.directory.is_absolute() {
            Ok(())
        } else {
            Err(ConfigError::Relative)
        }
    }
}

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A path that depends on where the program is started.
    #[error(
        "directory must be an absolute path, so that it does not depend on where the program is \
         started"
    )]
    Relative,
}

impl ConfigError {
    /// The key that is wrong.
    pub(in crate::output) fn key(&self) -> &'static str {
        match self {
            Self::Relative => "directory",
        }
    }
}
