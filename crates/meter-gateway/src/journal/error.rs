//! What can go wrong, by what the caller does next.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The journal cannot be opened. Every message ends with what to do about it.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Make the directory, or name another one.
    #[error(
        "the journal's directory {0} does not exist. Make it (`mkdir -p {0}`) and give it to the \
         user who runs meterline, or name another one"
    )]
    NoDirectory(PathBuf),
    /// Give the user write permission, or remount the file system.
    #[error(
        "the journal cannot be written in {directory}: {source}. The user who runs meterline needs \
         write permission there (`chown USER {directory}`), and its file system must not be \
         mounted read-only"
    )]
    NotWritable {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Run it as somebody who may.
    #[error(
        "the journal {path} cannot be read: {source}. Do this as root, or as the user who runs meterline"
    )]
    NotReadable {
        /// The journal.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Stop the other process, or give this one a directory of its own.
    #[error(
        "the journal {path} is in use by {}. Stop that one first, or give this one another \
         directory",
        .pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The journal.
        path: PathBuf,
        /// Who holds it, if the lock file says so.
        pid: Option<u32>,
    },
    /// Make room on the disk.
    #[error(
        "the disk that holds {0} is full, so that the journal cannot even be opened. Make room on it"
    )]
    DiskFull(PathBuf),
    /// Use the newer program.
    #[error(
        "the journal {path} was written by a newer meterline (its layout is {found}, this program \
         knows {known}). Use the newer program, or move the file away to begin a new one"
    )]
    Newer {
        /// The journal.
        path: PathBuf,
        /// The layout found in the file.
        found: i64,
        /// The newest layout that this program knows.
        known: i64,
    },
    /// Name another file.
    #[error(
        "{0} is a database, but not a journal of meterline. Move it away, or name another directory"
    )]
    Foreign(PathBuf),
    /// Look at the disk: this is none of the above.
    #[error(
        "the journal {path} cannot be opened: {source}. Look at the disk and at the system's log (`dmesg`)"
    )]
    Disk {
        /// The journal.
        path: PathBuf,
        /// What the database said.
        source: rusqlite::Error,
    },
    /// Look at the system's limits.
    #[error(
        "the journal's thread cannot be started: {0}. Look at the limit on processes (`ulimit -u`)"
    )]
    Thread(io::Error),
}

/// A reading was not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AppendError {
    /// Go on, and do not append it again: the disk takes nothing at the moment, the journal has the
    /// row in memory and writes it as soon as it can. Outputs get it already. It is lost if the
    /// program ends before that.
    #[error("kept in memory for now, because the disk does not take it")]
    Held {
        /// The place that the reading will have in the log.
        seq: u64,
    },
    /// Drop it: no meter sends that much.
    #[error("a reading of {0} bytes is more than the journal takes")]
    TooLong(usize),
    /// Go on: the journal's thread met an error of its own while it had the row, which may be stored
    /// or lost.
    #[error("the journal met an error of its own and may have lost it")]
    Fault,
    /// Stop: the journal was closed.
    #[error("the journal is closed")]
    Closed,
}

/// A question to the journal was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AskError {
    /// Ask again in a while: the disk does not answer at the moment, and the log says why.
    #[error("the journal cannot do this at the moment: {0}")]
    Retry(String),
    /// Stop: the journal was closed.
    #[error("the journal is closed")]
    Closed,
}
