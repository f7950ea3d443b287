//! Readings into files on this machine: a file for each day, by UTC.
//!
//! | what happens | what comes of it |
//! |---|---|
//! | a kill, a power cut or a full disk in the middle of a line | the unfinished line is cut off when the file is opened next |
//! | a kill before the journal knows that lines are written | the same readings come again, and lines that are there are not written again |
//! | the disk is full | what was begun is taken back; tried again with growing waits |
//! | no right to write, read-only, no directory | kept, reported, tried again every `recheck` |
//! | a day is over | its file is compressed beside it, compared, and only then removed |
//! | a reading for a day that is compressed | goes into a further file of that day |

mod archive;
mod config;
mod day;
mod sender;
mod trouble;
mod writer;

pub use config::{Config, ConfigError};
pub use trouble::Trouble;

use std::fs::OpenOptions;
use std::future::Future;
use std::path::Path;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::sender::Files;
use super::{Status, delivery};
use crate::journal::Cursor;

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One register.
    Csv,
    /// One reading.
    Jsonl,
}

impl Format {
    /// The end of the files' names.
    fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    /// What a file begins with.
    fn header(self) -> &'static str {
        match self {
            Self::Csv => meter_core::payload::csv::HEADER,
            Self::Jsonl => "",
        }
    }
}

/// Delivers until `shutdown`, which also ends the collecting: what is at hand is written at once.
pub(super) async fn run(
    config: &Config,
    format: Format,
    cursor: Cursor,
    status: watch::Sender<Status>,
    shutdown: impl Future<Output = ()>,
) {
    let ending = CancellationToken::new();
    let sender = Files::new(config, format, cursor.output(), ending.clone());
    let shutdown = async move {
        shutdown.await;
        ending.cancel();
    };
    delivery::run(sender, &config.delivery, cursor, status, shutdown).await;
}

/// Writes and removes an empty file in the directory, and returns a sentence for people.
pub async fn probe(config: &Config) -> Result<String, Trouble> {
    let directory = config.directory.clone();
    let tried = tokio::task::spawn_blocking(move || try_directory(&directory)).await;
    tried.unwrap_or_else(|error| Err(Trouble::stopped(&config.directory, &error)))
}

fn try_directory(directory: &Path) -> Result<String, Trouble> {
    let path = directory.join(format!(".meterline-check-{}", std::process::id()));
    let failed = |error| Trouble::of(directory, directory, error);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(failed)?;
    std::fs::remove_file(&path).map_err(failed)?;
    let room = rustix::fs::statvfs(directory).map_err(|error| failed(error.into()))?;
    let mebibytes = room.f_bavail.saturating_mul(room.f_frsize) >> 20;
    Ok(format!(
        "{} can be written, {mebibytes} MiB are free",
        directory.display()
    ))
}
