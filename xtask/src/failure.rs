//! Why a task did not get through, named by what its reader does next.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// A task, or one step of it, that did not get through.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A program ran and said no; its own words are above.
    #[error("`{command}` failed ({status})")]
    Said {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// A program could not be started.
    #[error("`{command}` could not be started: {source}")]
    NotStarted {
        /// The command line.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// Something is not on this machine that the reader can put there.
    #[error("{what} is missing: {fix}")]
    Missing {
        /// What is not there.
        what: String,
        /// The exact thing to do.
        fix: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A measured number is over its limit.
    #[error("{what} is {measured}, and may be {limit} at most")]
    OverLimit {
        /// What was measured, with its unit.
        what: &'static str,
        /// The measured number.
        measured: u64,
        /// Its limit.
        limit: u64,
    },
    /// A measured number is under its limit.
    #[error("{what} is {measured}, and has to be {limit} at least")]
    UnderLimit {
        /// What was measured, with its unit.
        what: &'static str,
        /// The measured number.
        measured: u64,
        /// Its limit.
        limit: u64,
    },
    /// A description of a board, or a file for one, is wrong.
    #[error("{}: {what}", file.display())]
    Board {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A built program is no ELF file that can be measured.
    #[error("the built program cannot be measured: {0}")]
    Elf(#[from] object::Error),
    /// A document says what is not so.
    #[error("{document}:{line}: {what}")]
    Document {
        /// The file, from the root of the project.
        document: String,
        /// The line, from 1.
        line: usize,
        /// What is not so.
        what: String,
    },
    /// Steps failed; each has said why.
    #[error("failed: {}", .0.join(", "))]
    Steps(Vec<&'static str>),
}

impl Failure {
    /// Gives an input or output error the path that it is about.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
