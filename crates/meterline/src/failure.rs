//! How a command ends: exit statuses for scripts, one or two lines for people.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::{device, import};

/// The exit statuses of every command. They are part of the interface: scripts use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for was done, and the answer is good.
    Success = 0,
    /// It could not be done, or the answer is no.
    Failed = 1,
    /// The command line is wrong, which mostly clap finds, with the same status.
    Usage = 2,
    /// The configuration is missing or wrong.
    Configuration = 3,
    /// No meter was found to read from, or no device to talk to.
    NoMeter = 4,
}

/// What `--help` says about exit statuses.
pub const EXIT_HELP: &str = "\
Exit status:
  0  done
  1  it could not be done, or the answer is no (a reading is missing, a check failed)
  2  the command line is wrong
  3  the configuration is missing or wrong
  4  no meter was found to read from, or no device";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended early, told by what its reader does next.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Whoever read our output has gone (`meterline decode … | head`): nobody is left to tell.
    #[error("the reader of the output has gone")]
    Closed,
    /// `man NAME` with a name that is no command: choose one that is.
    #[error("there is no command `{0}`")]
    NoSuchCommand(String),
    /// `--log` with a filter that is none: write another.
    #[error("the log filter is wrong: {0}")]
    LogFilter(String),
    /// The configuration is missing or wrong: its text says where and how.
    #[error("{0}")]
    Configuration(meter_gateway::config::Error),
    /// There is no configuration where it is looked for: name one, or write one.
    #[error("there is no configuration")]
    NoConfiguration,
    /// The system gives no event loop or thread: look at its limits.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// There is no room for what is kept only as long as the command runs.
    #[error("cannot make a directory for a short time: {0}")]
    Scratch(io::Error),
    /// A model of the simulator is broken.
    #[error("{0}")]
    Model(meter_sim::ModelError),
    /// A simulated meter cannot be served: choose another place.
    #[error("{0}")]
    Serve(meter_sim::serve::ServeError),
    /// The simulated server cannot start.
    #[error("{0}")]
    Backend(meter_sim::backend::StartError),
    /// Options of `demo` that mean nothing together: leave one out.
    #[error("{0}")]
    Demo(&'static str),
    /// Nobody is where the demo would send, or does not let us in.
    #[error("{why}")]
    NoGoal {
        /// What is wrong.
        why: String,
        /// How to come to a server that is there.
        fix: &'static str,
    },
    /// No reading of this meter is kept apart: name one that has some.
    #[error("no reading of a meter {0} is kept apart")]
    NoSuspect(String),
    /// The journal cannot be opened; its text says what to do.
    #[error("{0}")]
    Journal(meter_gateway::journal::OpenError),
    /// The gateway cannot run: its journal, most of all.
    #[error("{0}")]
    Run(meter_gateway::run::Error),
    /// A device cannot be asked, or says no.
    #[error("{0}")]
    Device(#[from] device::Error),
    /// The gateway has failed inside.
    #[error("the gateway has failed: {0}; this is a fault of meterline, please report it")]
    Task(tokio::task::JoinError),
    /// Another program's configuration cannot be taken over: its text says why.
    #[error("{0}")]
    Import(#[from] import::Error),
    /// A file cannot be read: name another, or give the permission.
    #[error("cannot read {}: {source}", name(path, "standard input"))]
    Unreadable {
        /// The file; `-` for standard input.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or the terminal cannot be written.
    #[error("cannot write {}: {source}", name(path, "standard output"))]
    Unwritable {
        /// The file; `-` for standard output.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn name(path: &Path, standard: &str) -> String {
    if path == Path::new("-") {
        standard.to_owned()
    } else {
        path.display().to_string()
    }
}

impl Failure {
    /// Sorts an error of writing to standard output.
    pub fn output(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Unwritable {
                path: PathBuf::from("-"),
                source,
            },
        }
    }

    /// What to do about it, in a line or a few for a person.
    fn fix(&self) -> Option<&'static str> {
        match self {
            Self::Unreadable { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => {
                    Some("check the name of the file; `-` reads standard input")
                }
                io::ErrorKind::PermissionDenied => Some("give yourself the permission to read it"),
                io::ErrorKind::IsADirectory => Some("name a file in that directory"),
                _ => None,
            },
            Self::Unwritable { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => Some("make the directory first, or name another place"),
                io::ErrorKind::PermissionDenied => Some("name a place where you may write"),
                io::ErrorKind::IsADirectory => Some("name a file in that directory"),
                io::ErrorKind::StorageFull => Some("make room on that disk, or name another place"),
                _ => None,
            },
            Self::NoGoal { fix, .. } => Some(fix),
            Self::LogFilter(_) => {
                Some("write for example `--log debug` or `--log info,meter_gateway=debug`")
            }
            Self::NoConfiguration => Some(
                "`meterline config example` prints one to begin with, `meterline config where` says where it is looked for",
            ),
            Self::Runtime(_) => Some("look at the limits on open files and threads (`ulimit -a`)"),
            Self::NoSuspect(_) => Some("`meterline suspects` lists the meters that have some"),
            Self::Scratch(_) => Some("set TMPDIR to a directory that may be written"),
            Self::Device(device::Error::NoDevice(_) | device::Error::Silent { .. }) => Some(
                "check that it is plugged in with a cable that carries data, and that meterline's firmware is on it",
            ),
            Self::NoSuchCommand(_) => Some("`meterline --help` lists the commands"),
            _ => None,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Closed => Exit::Success,
            Self::Configuration(_)
            | Self::NoConfiguration
            | Self::Device(device::Error::Settings(_)) => Exit::Configuration,
            Self::Device(device::Error::NoDevice(_) | device::Error::Several(_)) => Exit::NoMeter,
            Self::NoSuchCommand(_) | Self::LogFilter(_) | Self::Demo(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }

    /// Tells the person at the terminal, and gives the exit status.
    pub fn report(&self) -> ExitCode {
        if !matches!(self, Self::Closed) {
            let mut stderr = io::stderr().lock();
            // Nothing is left to do when standard error is gone too.
            let _ = writeln!(stderr, "meterline: {self}");
            if let Some(fix) = self.fix() {
                let _ = writeln!(stderr, "           {}", fix.replace('\n', "\n           "));
            }
        }
        self.exit().into()
    }
}
