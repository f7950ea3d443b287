//! What readings go to: real servers, simulated ones for which there is nothing real to be had, and directories.
//!
//! Each can be taken away and brought back, and says what it holds.

mod files;
mod influxdb;
mod mosquitto;
mod postgres;
mod posts;
mod victoria;

use std::path::{Path, PathBuf};

use fixtures::{PostgresPrograms, find};
use rustix::process::Signal;

use self::posts::{Form, Rest, Volkszaehler};
use crate::process::Process;
use crate::rows::{Held, Registers};
use crate::{Head, Result};

pub use mosquitto::{Hearing, Message, Mosquitto};

/// How every output is told to deliver: everything, and without patience.
const IMPATIENT: &str =
    "interval = \"every\"\nretry_first = \"100ms\"\nretry_max = \"500ms\"\nrecheck = \"1s\"\n";

/// One of them, which lives until it is dropped.
pub trait Server {
    /// The configuration of the outputs that deliver to it.
    fn outputs(&self, heads: &[Head]) -> String;

    /// Goes away: asked to by SIGTERM, or killed by SIGKILL.
    fn away(&mut self, how: Signal);

    /// Comes back with what it had, and returns when it can be reached.
    fn back(&mut self) -> Result;

    /// What it holds, by the name of the output.
    fn held(&self) -> Result<Vec<(&'static str, Registers, Held)>>;

    /// Whether it has on its disk what it acknowledges, so that it may be killed.
    fn survives_a_kill(&self) -> bool {
        true
    }

    /// Whether a reading that comes twice cannot be told from one that came once.
    fn stores_by_key(&self) -> bool {
        false
    }
}

/// All servers that there are, and that are running.
pub fn start_all(folder: &Path, heads: &[Head]) -> Result<Vec<Box<dyn Server>>> {
    Ok(vec![
        Box::new(Rest::start(folder)?),
        Box::new(Mosquitto::start_recorded(folder)?),
        Box::new(influxdb::Influxd::start(folder)?),
        Box::new(victoria::Victoria::start(folder)?),
        Box::new(Volkszaehler::start(Form::Middleware, heads)?),
        Box::new(Volkszaehler::start(Form::Push, heads)?),
        Box::new(postgres::Postgres::start(folder)?),
        Box::new(files::Directory::make(folder)?),
    ])
}

/// The servers that are not installed, with the packages of Debian that have them. `None` if all are there.
#[must_use]
pub fn missing() -> Option<String> {
    let programs = [
        ("mosquitto", "mosquitto"),
        ("mosquitto_sub", "mosquitto-clients"),
        ("influxd", "influxdb"),
        ("victoria-metrics", "victoria-metrics"),
    ];
    let mut missing: Vec<_> = programs
        .iter()
        .filter(|(program, _)| find(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if PostgresPrograms::find().is_none() {
        missing.push("postgresql");
    }
    let packages = missing.join(" ");
    (!missing.is_empty()).then(|| format!("run `apt-get install {packages}`"))
}

/// A server that is a process on a port.
#[derive(Debug)]
struct Listening {
    process: Process,
    port: u16,
    log: PathBuf,
}

impl Listening {
    fn new(log: PathBuf) -> Result<Self> {
        Ok(Self {
            process: Process::default(),
            port: fixtures::free_port()?,
            log,
        })
    }

    fn start(&mut self, command: &mut std::process::Command) -> Result {
        self.process.start(command, &self.log)?;
        crate::process::until_open(self.port)
    }
}
