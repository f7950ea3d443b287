//! What is around the device: servers, and the program on the host that sets it up.

use std::env;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use emulator::servers::{NameServer, TimeServer};
use emulator::{Board, Result, Setup};
use meter_sim::backend::{Backend, Certificate, Config};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Names under it lead to the host.
const DOMAIN: &str = "cellar.example";

/// The server's name.
pub(crate) const SERVER: &str = "backend.cellar.example";

/// Nothing takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The simulated Wi-Fi of the board.
pub(crate) const WIFI: &str = "[[wifi]]\nssid = \"qemu\"\npassword = \"let me in 1234\"\n";

/// The world of one device.
pub(crate) struct World {
    pub(crate) backend: Backend,
    pub(crate) time: TimeServer,
    names: NameServer,
    program: PathBuf,
    folder: TempDir,
    runtime: Runtime,
}

impl World {
    /// `None`, which is said, where something is not installed.
    pub(crate) fn new() -> Result<Option<Self>> {
        Self::showing(Certificate::Good)
    }

    /// The same with another certificate of its server.
    pub(crate) fn showing(certificate: Certificate) -> Result<Option<Self>> {
        let (Some(names), Some(program)) = (NameServer::start(DOMAIN)?, program()) else {
            return Ok(None);
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let config = Config {
            host: SERVER.to_owned(),
            certificate,
            ..Config::default()
        };
        let backend = runtime.block_on(async { Backend::start(config) })?;
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("ca.pem"), backend.ca_pem())?;
        Ok(Some(Self {
            backend,
            time: TimeServer::start(1)?,
            names,
            program,
            folder,
            runtime,
        }))
    }

    /// A file in the world's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Settings that send each reading by REST. `further` are keys that stand above all tables.
    pub(crate) fn rest(&self, further: &str) -> String {
        let time = self.time.address();
        let (url, ca) = (self.backend.url("/readings"), self.file("ca.pem"));
        let ca = ca.display();
        format!(
            "interval = \"0s\"\n{further}\n{WIFI}[time]\nservers = [\"{time}\"]\n\
             [output]\ntype = \"rest\"\nformat = \"json\"\nurl = \"{url}\"\nca_file = \"{ca}\"\n"
        )
    }

    /// Switches the device on, always with the same flash.
    pub(crate) fn switch_on(&self) -> Result<Option<Board>> {
        let flash = self.file("flash");
        let setup = Setup {
            flash: Some(&flash),
            names: Some(&self.names),
            ..Setup::default()
        };
        setup.start()
    }

    /// Lets `meterline device` ask the board, and gives what it prints.
    pub(crate) fn device(&self, board: &Board, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(["device", "--port", &board.place()]);
        let output = command.args(arguments).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("meterline device {arguments:?}: {said}").into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Gives it settings, in TOML, and waits until it has started with them.
    pub(crate) fn configure(&self, board: &mut Board, settings: &str) -> Result {
        let file = self.file("device.toml");
        fs::write(&file, settings)?;
        let file = file.to_str().ok_or("the folder's name is no text")?;
        self.device(board, &["configure", "--from", file])?;
        board.until(": asked")?;
        Ok(())
    }

    /// Switches it on with settings, and waits until it is in the network.
    pub(crate) fn bring_up(&self, settings: &str) -> Result<Option<Board>> {
        let Some(mut board) = self.switch_on()? else {
            return Ok(None);
        };
        self.configure(&mut board, settings)?;
        board.until("wifi: joined qemu as 10.0.2.15")?;
        Ok(Some(board))
    }

    /// How it is, as `meterline device info` says.
    pub(crate) fn info(&self, board: &Board) -> Result<Value> {
        Ok(serde_json::from_str(
            &self.device(board, &["info", "--json"])?,
        )?)
    }

    /// Waits until so many readings were accepted, and gives them.
    pub(crate) fn arrive(&self, count: usize) -> Vec<Value> {
        let enough = |backend: &Backend| backend.accepted_readings().len() >= count;
        self.wait(self.backend.wait_until(PATIENCE, enough));
        self.backend.accepted_readings()
    }

    /// Takes the server away, or brings it back.
    pub(crate) fn outage(&self, away: bool) {
        self.wait(self.backend.outage(away));
    }

    /// Waits until no reading waits, and says how the device is.
    pub(crate) fn drain(&self, board: &Board) -> Result<Value> {
        let begin = Instant::now();
        loop {
            let info = self.info(board)?;
            let outbox = &info["outbox"];
            if outbox["in_memory"] == 0 && outbox["in_flash"] == 0 {
                return Ok(info);
            }
            if begin.elapsed() > PATIENCE {
                return Err(format!("readings still wait: {info}").into());
            }
            // There is no other sign of it: what was acknowledged is known to the device alone.
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits for what is asynchronous.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

/// The host's program; `None`, which is said, where it is not built.
fn program() -> Option<PathBuf> {
    let built = || {
        let test = env::current_exe().ok()?;
        let folder = test.parent().and_then(Path::parent)?;
        Some(folder.join("meterline"))
    };
    let named = env::var_os("METERLINE_PROGRAM").map(PathBuf::from);
    let program = named.or_else(built).filter(|program| program.is_file());
    if program.is_none() {
        recordings::missing("the program is not built: run `cargo xtask firmware test`");
    }
    program
}
