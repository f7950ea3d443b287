//! Why a file cannot be written, and what to do about it.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use crate::output::delivery::Failure;

/// Why a file cannot be written, named by what happens next.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no room.
    #[error("{}: the disk is full: make room on it", path.display())]
    Full {
        /// The file, or the directory of a new one.
        path: PathBuf,
    },
    /// The system has another reason, which may pass.
    #[error("{}: {source}: check the disk (`dmesg`)", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Error,
    },
    /// Another process, or the end of this output's last run, has the files.
    #[error(
        "{}: another process writes these files: end it, or give this output another directory",
        path.display()
    )]
    InUse {
        /// The file that is locked.
        path: PathBuf,
    },
    /// The directory is not there.
    #[error(
        "{0} is not there: make it with `sudo install -d -o meterline {0}`, or mount the disk that \
         it is on", directory.display()
    )]
    Missing {
        /// The key `directory`.
        directory: PathBuf,
    },
    /// The path leads to something else.
    #[error("{} is no directory: name another one in directory", directory.display())]
    NoDirectory {
        /// The key `directory`.
        directory: PathBuf,
    },
    /// Whoever runs this may not write there.
    #[error(
        "{} may not be written by the user that runs meterline: `sudo chown -R meterline {}`",
        path.display(),
        directory.display()
    )]
    NoRight {
        /// The file, or the directory of a new one.
        path: PathBuf,
        /// The key `directory`.
        directory: PathBuf,
    },
    /// Nobody may write there.
    #[error(
        "{0} is read-only: a service of systemd needs `ReadWritePaths={0}` (`systemctl edit \
         meterline`), any other program a disk that is mounted for writing", directory.display()
    )]
    ReadOnly {
        /// The key `directory`.
        directory: PathBuf,
    },
    /// There is a file of this name that this output has not written.
    #[error("{} was not written by this output: move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

impl Trouble {
    /// Sorts what the system said about `path`, which is in `directory` or is it.
    pub(super) fn of(path: &Path, directory: &Path, source: Error) -> Self {
        let (path, directory) = (path.to_owned(), directory.to_owned());
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path },
            ErrorKind::NotFound => Self::Missing { directory },
            ErrorKind::NotADirectory => Self::NoDirectory { directory },
            ErrorKind::PermissionDenied => Self::NoRight { path, directory },
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { directory },
            _ => Self::Disk { path, source },
        }
    }

    /// The thread that was to write has ended without an answer.
    pub(super) fn stopped(directory: &Path, error: &tokio::task::JoinError) -> Self {
        Self::Disk {
            path: directory.to_owned(),
            source: Error::other(error.to_string()),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let why = trouble.to_string();
        match trouble {
            Trouble::Full { .. } | Trouble::Disk { .. } | Trouble::InUse { .. } => {
                Self::Retry { why, after: None }
            }
            Trouble::Missing { .. }
            | Trouble::NoDirectory { .. }
            | Trouble::NoRight { .. }
            | Trouble::ReadOnly { .. }
            | Trouble::Foreign { .. } => Self::Misconfigured { why },
        }
    }
}
