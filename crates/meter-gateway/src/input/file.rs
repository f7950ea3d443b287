//! A recording of a meter's raw bytes, or standard input.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::Fault;
use crate::config::{Duration, Interval};

/// A recording of a meter's raw bytes; it is read to its end once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file, or `"-"` for standard input.
    pub path: PathBuf,
    /// How fast.
    #[serde(default)]
    pub pace: Pace,
    /// Which readings are kept: unlike with other inputs all of them unless an interval is set.
    #[serde(default = "every")]
    pub interval: Interval,
    /// How long no reading may come, from standard input say, before something is said.
    #[serde(
        default = "super::silence",
        deserialize_with = "crate::config::a_second_or_more"
    )]
    pub silence: Duration,
}

fn every() -> Interval {
    Interval::Every
}

impl Config {
    /// The given file, everything else as it is by default.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            pace: Pace::default(),
            interval: every(),
            silence: super::SILENCE,
        }
    }
}

/// How fast a recording is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// As fast as the readings are taken.
    #[default]
    Fast,
    /// As the meter's seconds index went on; one reading a second if the meter has none.
    Recorded,
}

/// An open recording.
pub(super) struct Recording {
    bytes: File,
    path: PathBuf,
    /// In bytes; none for standard input and other streams.
    length: Option<u64>,
    /// Bytes that were read.
    position: u64,
}

impl Recording {
    pub(super) async fn open(config: &Config) -> Result<Self, Fault> {
        let path = config.path.clone();
        let opened = if path == Path::new("-") {
            standard_input()
        } else {
            File::open(&path).await
        };
        match opened {
            Ok(bytes) => Ok(Self {
                length: length(&bytes).await,
                bytes,
                path,
                position: 0,
            }),
            Err(source) => Err(Fault::File { path, source }),
        }
    }

    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let count = self
            .bytes
            .read(buffer)
            .await
            .map_err(|source| Fault::File {
                path: self.path.clone(),
                source,
            })?;
        self.position += count as u64;
        Ok(count)
    }

    /// How much was read, in hundredths; none where nobody knows how much there is.
    pub(super) fn percent(&self) -> Option<u64> {
        let length = self.length.filter(|length| *length > 0)?;
        Some(self.position.saturating_mul(100) / length)
    }

    /// The file, for people.
    pub(super) fn label(&self) -> String {
        if self.path == Path::new("-") {
            return "standard input".to_owned();
        }
        self.path.display().to_string()
    }
}

async fn length(file: &File) -> Option<u64> {
    let metadata = file.metadata().await.ok()?;
    metadata.is_file().then_some(metadata.len())
}

fn standard_input() -> io::Result<File> {
    let descriptor = io::stdin().as_fd().try_clone_to_owned()?;
    Ok(File::from_std(descriptor.into()))
}
