//! The servers that outputs send to, each with its files in a directory of its own.

use std::error::Error;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::{Outcome, Running};

/// Longer than anything here takes.
pub const LIMIT: Duration = Duration::from_secs(40);

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Of the user `meterline`, where one is needed.
pub const PASSWORD: &str = "T0pS3cr3t";

/// A server that ends with the test.
pub struct Server {
    pub port: u16,
    pub folder: TempDir,
    _process: Running,
}

/// Where a program lies that an administrator's shell would find.
fn find(program: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|file| file.exists());
    if found.is_none() {
        recordings::missing(&format!(
            "{program} is not installed (Debian package {package})"
        ));
    }
    found
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
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
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    let request =
        format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    if head.contains(" 20") {
        Ok(body.to_owned())
    } else {
        Err(answer.into())
    }
}

impl Server {
    /// Starts a program and waits until it listens.
    fn start(command: &mut Command, port: u16, folder: TempDir) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = Running(command.stderr(Stdio::null()).spawn()?);
        until("listening", || {
            Ok(TcpStream::connect(("127.0.0.1", port)).ok())
        })?;
        Ok(Self {
            port,
            folder,
            _process: process,
        })
    }

    /// A broker that lets `meterline` in.
    pub fn mosquitto() -> Result<Option<Self>> {
        let Some(program) = find("mosquitto", "mosquitto") else {
            return Ok(None);
        };
        let (folder, port) = (TempDir::new()?, free_port()?);
        let (settings, users) = (folder.path().join("conf"), folder.path().join("users"));
        fs::write(&users, "")?;
        let mut command = Command::new("mosquitto_passwd");
        command.arg("-b").arg(&users).args(["meterline", PASSWORD]);
        assert!(command.status()?.success());
        let text = format!(
            "listener {port} 127.0.0.1\nuser root\npassword_file {}\n",
            users.display()
        );
        fs::write(&settings, text)?;
        let mut command = Command::new(program);
        command.arg("-c").arg(&settings);
        Self::start(&mut command, port, folder).map(Some)
    }

    /// An `InfluxDB` 1 without users.
    pub fn influxd() -> Result<Option<Self>> {
        let Some(program) = find("influxd", "influxdb") else {
            return Ok(None);
        };
        let (folder, port) = (TempDir::new()?, free_port()?);
        let (settings, here) = (folder.path().join("conf"), folder.path().display());
        fs::write(
            &settings,
            format!(
                "reporting-disabled = true\nbind-address = \"127.0.0.1:0\"\n\
                 [monitor]\nstore-enabled = false\n\
                 [http]\nlog-enabled = false\nbind-address = \"127.0.0.1:{port}\"\n\
                 [meta]\ndir = \"{here}/meta\"\n\
                 [data]\ndir = \"{here}/data\"\nwal-dir = \"{here}/wal\"\n"
            ),
        )?;
        let mut command = Command::new(program);
        command.arg("-config").arg(&settings);
        Self::start(&mut command, port, folder).map(Some)
    }

    pub fn victoria_metrics() -> Result<Option<Self>> {
        let Some(program) = find("victoria-metrics", "victoria-metrics") else {
            return Ok(None);
        };
        let (folder, port) = (TempDir::new()?, free_port()?);
        let mut command = Command::new(program);
        command
            .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
            .arg(format!("-storageDataPath={}", folder.path().display()));
        Self::start(&mut command, port, folder).map(Some)
    }

    /// A `PostgreSQL` that trusts who comes by its socket.
    pub fn postgres() -> Result<Option<Self>> {
        let Some(programs) = postgres_programs() else {
            recordings::missing("PostgreSQL is not installed (Debian package postgresql)");
            return Ok(None);
        };
        let (folder, port, user) = (TempDir::new()?, free_port()?, postgres_user()?);
        chown(folder.path(), Some(user.0), Some(user.1))?;
        let command = |program: &str| {
            let mut command = Command::new(programs.join(program));
            command.uid(user.0).gid(user.1);
            command.current_dir("/").env("LC_ALL", "C");
            command
        };
        let data = folder.path().join("data");
        let made = command("initdb")
            .args(["--username=postgres", "--auth=trust", "--no-sync", "-D"])
            .arg(&data)
            .output()?;
        assert!(made.status.success(), "{made:?}");
        let mut server = command("postgres");
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

fn postgres_programs() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = debian
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .chain(["/usr/bin".into()])
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}

/// Whom the server runs as: it refuses to be run by root.
fn postgres_user() -> Result<(u32, u32)> {
    let id = |arguments: &[&str]| -> Result<u32> {
        let output = Command::new("id").args(arguments).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    };
    match id(&["-u"])? {
        0 => Ok((id(&["-u", "postgres"])?, id(&["-g", "postgres"])?)),
        me => Ok((me, id(&["-g"])?)),
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
