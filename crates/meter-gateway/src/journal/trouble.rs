//! When the disk does not take what we give it: what kind of trouble it is, and saying so once.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{ErrorCode, ffi};

/// What to do about an error of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Make room.
    Full,
    /// Set the file aside.
    Damaged,
    /// Open the file again: it is not what we took it for.
    Confused,
    /// Wait: another program has the file locked.
    Busy,
    /// Wait: the file system became read-only.
    ReadOnly,
    /// Wait: the disk fails.
    Disk,
}

impl Cause {
    pub(super) fn of(error: &rusqlite::Error) -> Self {
        let Some(sqlite) = error.sqlite_error() else {
            return match error {
                // A column of another type than the one that was written.
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..) => Self::Damaged,
                _ => Self::Disk,
            };
        };
        match (sqlite.code, sqlite.extended_code) {
            (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => Self::Full,
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)
            | (
                _,
                ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS,
            ) => Self::Damaged,
            (_, ffi::SQLITE_ERROR) => Self::Confused,
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Self::Busy,
            (ErrorCode::ReadOnly | ErrorCode::PermissionDenied, _) => Self::ReadOnly,
            _ => Self::Disk,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Full => "the disk is full: make room on it, or lower the journal's max_size",
            Self::Damaged => {
                "the file is damaged and cannot be set aside: look at the disk and its permissions"
            }
            Self::Busy => "another program has it locked: close the program that has the file open",
            Self::ReadOnly => {
                "its file system has become read-only: check the disk (`dmesg`) and remount it"
            }
            Self::Disk | Self::Confused => {
                "the disk fails: check it (`dmesg`) before it fails for good"
            }
        }
    }
}

/// The first pause before the next try to write, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// An episode in which the disk takes nothing.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) text: String,
    pub(super) retry_at: Instant,
    /// Whether it was said that readings are lost.
    pub(super) loss_told: bool,
    pause: Duration,
}

impl Trouble {
    /// Begins an episode, or makes the next pause longer. Says so at the beginning.
    pub(super) fn go_on(
        before: Option<Self>,
        path: &Path,
        cause: Cause,
        error: &dyn std::fmt::Display,
    ) -> Self {
        if let Some(mut trouble) = before {
            trouble.pause = (trouble.pause * 2).min(PAUSE.1);
            trouble.retry_at = Instant::now() + trouble.pause;
            return trouble;
        }
        tracing::error!(
            path = %path.display(),
            %error,
            "the journal cannot be written, the newest readings are kept in memory: {}",
            cause.advice()
        );
        Self {
            text: cause.advice().to_owned(),
            retry_at: Instant::now() + PAUSE.0,
            loss_told: false,
            pause: PAUSE.0,
        }
    }
}
