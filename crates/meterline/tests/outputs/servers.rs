//! The servers that outputs send to, each with its files in a directory of its own.

use std::error::Error;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fixtures::{Mosquitto, PostgresPrograms, Process, find_all, free_port};
use tempfile::TempDir;

use crate::program::Outcome;

/// Longer than anything here takes.
pub const LIMIT: Duration = Duration::from_secs(40);

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A server that ends with the test.
pub struct Server {
    pub port: u16,
    pub folder: TempDir,
    _process: Process,
}

/// Asks until the answer is there.
pub fn until<T>(what: &str, mut answer: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match answer() {
            Ok(Some(answer)) => return Ok(answer),
            outcome if Instant::now() > deadline => {
                return Err(format!("never {what}: {:?}", outcome.err()).into());
            }
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// The body of the answer to a request.
pub fn ask(port: u16, method: &str, path: &str) -> Result<String> {
    let answer = rig::ask(port, method, path);
    answer.map_err(|failure| -> Box<dyn Error> { failure })
}

/// A broker that lets `meterline` in.
pub fn mosquitto() -> Result<Option<Mosquitto>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let rights = "user meterline\ntopic readwrite #\n";
    Ok(runtime.block_on(Mosquitto::start(rights, ""))?)
}

impl Server {
    /// Starts a program and waits until it listens.
    fn start(command: &mut Command, port: u16, folder: TempDir) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = Process::start(command.stderr(Stdio::null()))?;
        until("listening", || {
            Ok(TcpStream::connect(("127.0.0.1", port)).ok())
        })?;
        Ok(Self {
            port,
            folder,
            _process: process,
        })
    }

    /// An `InfluxDB` 1 without users.
    pub fn influxd() -> Result<Option<Self>> {
        if find_all(["influxd"], "influxdb").is_none() {
            return Ok(None);
        }
        let (folder, port) = (TempDir::new()?, free_port()?);
        let mut command = fixtures::influxdb(folder.path(), port, "")?;
        Self::start(&mut command, port, folder).map(Some)
    }

    pub fn victoria_metrics() -> Result<Option<Self>> {
        if find_all(["victoria-metrics"], "victoria-metrics").is_none() {
            return Ok(None);
        }
        let (folder, port) = (TempDir::new()?, free_port()?);
        let mut command = fixtures::victoria_metrics(folder.path(), port);
        Self::start(&mut command, port, folder).map(Some)
    }

    /// A `PostgreSQL` that trusts who comes by its socket.
    pub fn postgres() -> Result<Option<Self>> {
        let Some(programs) = PostgresPrograms::find() else {
            recordings::missing("PostgreSQL is not installed (Debian package postgresql)");
            return Ok(None);
        };
        let (folder, port, user) = (TempDir::new()?, free_port()?, programs.user);
        chown(folder.path(), Some(user.0), Some(user.1))?;
        let data = folder.path().join("data");
        let made = programs
            .command("initdb")
            .args(["--username=postgres", "--auth=trust", "--no-sync", "-D"])
            .arg(&data)
            .output()?;
        assert!(made.status.success(), "{made:?}");
        let mut server = programs.command("postgres");
        server
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-F", "-k"])
            .arg(folder.path());
        Self::start(&mut server, port, folder).map(Some)
    }

    /// Runs SQL as the administrator and returns the rows as COPY or psql writes them.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let output = Command::new("psql")
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"])
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string(), "-d", database, "-c", sql])
            .output()?;
        if output.status.success() {
            Ok(String::from_utf8(output.stdout)?)
        } else {
            Err(String::from_utf8(output.stderr)?.into())
        }
    }

    /// The address of a database by the server's socket.
    pub fn database(&self, name: &str) -> String {
        let folder = self.folder.path().display().to_string();
        format!(
            "postgres://{}:{}/{name}",
            folder.replace('/', "%2F"),
            self.port
        )
    }

    /// Asks `InfluxDB`.
    pub fn query(&self, database: &str, statement: &str) -> Result<serde_json::Value> {
        let statement = statement.replace(' ', "%20").replace('"', "%22");
        let path = format!("/query?epoch=ms&db={database}&q={statement}");
        Ok(serde_json::from_str(&ask(self.port, "POST", &path)?)?)
    }

    /// Waits until a database can be asked.
    pub fn until_sql(&self) -> Outcome {
        until("a database", || Ok(self.sql("postgres", "SELECT 1").ok())).map(drop)
    }
}

/// The files in a directory whose names end so, one behind the other.
pub fn text_of(folder: &Path, end: &str) -> Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(end) {
            text.push_str(&fs::read_to_string(path)?);
        }
    }
    Ok(text)
}
