//! A real mosquitto with its own TLS, and a second client of another make that says what has arrived.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use meter_sim::backend::{Backend, Config};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(20);

/// A broker that knows the user `device` with the password `hunter2`, and ends with the test.
pub(crate) struct Broker {
    /// With TLS.
    pub(crate) port: u16,
    /// Without.
    plain: u16,
    pub(crate) ca_pem: String,
    _process: Child,
    _folder: TempDir,
}

/// A message that has reached the broker.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) retained: bool,
    pub(crate) payload: String,
}

impl Broker {
    /// `None` where mosquitto is not installed, which is a failure in CI.
    pub(crate) async fn start(further: &str) -> Option<Self> {
        let (Some(server), Some(password), Some(_)) = (
            program("mosquitto"),
            program("mosquitto_passwd"),
            program("mosquitto_sub"),
        ) else {
            recordings::missing(
                "mosquitto is not installed (Debian packages mosquitto and mosquitto-clients)",
            );
            return None;
        };
        let folder = TempDir::new().unwrap();
        // Only for its authority.
        let backend = Backend::start(Config::default()).unwrap();
        let identity = backend.server_identity(&["localhost"]).unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("certificate"), identity.certificate_pem).unwrap();
        fs::write(file("key"), identity.key_pem).unwrap();
        fs::write(file("passwords"), "").unwrap();
        for user in ["device", "observer"] {
            let mut command = Command::new(&password);
            command
                .arg("-b")
                .arg(file("passwords"))
                .args([user, "hunter2"]);
            assert!(command.status().await.unwrap().success());
        }
        let rights = "user device\ntopic write meterline/#\ntopic write homeassistant/device/#\n\
                      topic read homeassistant/status\nuser observer\ntopic readwrite #\ntopic readwrite $meterline/#\n";
        fs::write(file("rights"), rights).unwrap();
        let (port, plain) = (free_port().await, free_port().await);
        let here = folder.path().display();
        let configuration = format!(
            "per_listener_settings false\nallow_anonymous false\nuser root\nlog_type error\n\
             password_file {here}/passwords\nacl_file {here}/rights\n{further}\n\
             listener {plain} 127.0.0.1\nlistener {port} 127.0.0.1\n\
             certfile {here}/certificate\nkeyfile {here}/key\n"
        );
        fs::write(file("configuration"), configuration).unwrap();
        let process = Command::new(server)
            .arg("-c")
            .arg(file("configuration"))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        for port in [port, plain] {
            listens(port).await;
        }
        Some(Self {
            port,
            plain,
            ca_pem: backend.ca_pem(),
            _process: process,
            _folder: folder,
        })
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(["-V", "5", "-h", "127.0.0.1", "-p", &self.plain.to_string()])
            .args(["-u", "observer", "-P", "hunter2"])
            .kill_on_drop(true);
        command
    }

    /// Publishes as somebody else.
    pub(crate) async fn publish(&self, topic: &str, payload: &str, retain: bool) {
        let mut command = self.client("mosquitto_pub");
        command.args(["-q", "1", "-t", topic, "-m", payload]);
        if retain {
            command.arg("-r");
        }
        assert!(command.status().await.unwrap().success());
    }

    /// Hears everything from now on.
    pub(crate) async fn observe(&self) -> Observer {
        self.subscribe().await.0
    }

    /// What is retained now.
    pub(crate) async fn observe_retained(&self) -> Vec<Message> {
        self.subscribe().await.1
    }

    async fn subscribe(&self) -> (Observer, Vec<Message>) {
        // What is retained comes when the subscription holds, and this after everything else: it is
        // alone in a subscription that is made after the first.
        self.publish("$meterline/ready", "yes", true).await;
        let mut process = self
            .client("mosquitto_sub")
            .args([
                "-q",
                "1",
                "-t",
                "#",
                "-t",
                "$meterline/ready",
                "-F",
                "%r %t %p",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut observer = Observer {
            lines,
            _process: process,
        };
        let mut retained = Vec::new();
        loop {
            let message = observer.next().await;
            if message.topic == "$meterline/ready" {
                break;
            }
            retained.push(message);
        }
        (observer, retained)
    }
}

/// Hears what others publish.
pub(crate) struct Observer {
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Observer {
    /// The next message.
    pub(crate) async fn next(&mut self) -> Message {
        let line = tokio::time::timeout(LIMIT, self.lines.next_line()).await;
        let line = line.unwrap().unwrap().unwrap();
        let mut parts = line.splitn(3, ' ');
        let mut part = || parts.next().unwrap().to_owned();
        Message {
            retained: part() == "1",
            topic: part(),
            payload: part(),
        }
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .chain([Path::new("/usr/sbin").to_owned()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// A port that was free a moment ago.
async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

async fn listens(port: u16) {
    let listening = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            // There is no other sign of a server that has started.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, listening).await.unwrap();
}
