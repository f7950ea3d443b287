//! A real mosquitto, and a second client of another make that says what has arrived.

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

use super::setup::Result;

/// Longer than anything here takes.
pub const LIMIT: Duration = Duration::from_secs(30);
/// Of every user.
pub const PASSWORD: &str = "hunter2";
/// The user that may hear and say everything.
const OBSERVER: &str = "observer";

/// Users and what they may do.
const RIGHTS: &str = "user meterline\ntopic write meterline/#\ntopic read meterline/#\n\
    topic readwrite homeassistant/#\ntopic write v1/#\n\
    user stranger\ntopic write elsewhere/#\n\
    user observer\ntopic readwrite #\ntopic readwrite $ready\n";

/// A broker with a listener of each kind; it ends with the test.
pub struct Broker {
    pub plain: u16,
    pub tls: u16,
    pub websocket: u16,
    pub secure_websocket: u16,
    pub folder: TempDir,
    program: PathBuf,
    process: Option<Child>,
}

/// A message that has reached the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub retained: bool,
    pub payload: String,
}

impl Message {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.payload).unwrap_or_default()
    }
}

impl Broker {
    /// `None` where mosquitto is not installed, which is a failure in CI.
    pub async fn start(further: &str) -> Result<Option<Self>> {
        let (Some(program), Some(passwords), Some(_)) = (
            find("mosquitto"),
            find("mosquitto_passwd"),
            find("mosquitto_sub"),
        ) else {
            recordings::missing(
                "mosquitto is not installed (Debian packages mosquitto and mosquitto-clients)",
            );
            return Ok(None);
        };
        let folder = TempDir::new()?;
        // Only for its authority.
        let backend = Backend::start(Config::default())?;
        let identity = backend.server_identity(&["localhost"])?;
        let file = |name: &str| folder.path().join(name);
        fs::write(file("certificate"), identity.certificate_pem)?;
        fs::write(file("key"), identity.key_pem)?;
        fs::write(file("ca"), backend.ca_pem())?;
        fs::write(file("passwords"), "")?;
        fs::write(file("rights"), RIGHTS)?;
        for user in ["meterline", "stranger", OBSERVER] {
            let mut command = Command::new(&passwords);
            command
                .arg("-b")
                .arg(file("passwords"))
                .args([user, PASSWORD]);
            assert!(command.status().await?.success());
        }
        let mut ports = [0; 4];
        for port in &mut ports {
            *port = free_port().await?;
        }
        let [plain, tls, websocket, secure_websocket] = ports;
        let here = folder.path().display();
        let identity = format!("certfile {here}/certificate\nkeyfile {here}/key\n");
        let configuration = format!(
            "per_listener_settings false\nallow_anonymous false\nuser root\nlog_type error\n\
             password_file {here}/passwords\nacl_file {here}/rights\n{further}\n\
             listener {plain} 127.0.0.1\n\
             listener {tls} 127.0.0.1\n{identity}\
             listener {websocket} 127.0.0.1\nprotocol websockets\n\
             listener {secure_websocket} 127.0.0.1\nprotocol websockets\n{identity}"
        );
        fs::write(file("configuration"), configuration)?;
        let mut broker = Self {
            plain,
            tls,
            websocket,
            secure_websocket,
            folder,
            program,
            process: None,
        };
        broker.again().await?;
        Ok(Some(broker))
    }

    /// Starts it, with nothing retained.
    pub async fn again(&mut self) -> Result {
        let process = Command::new(&self.program)
            .arg("-c")
            .arg(self.folder.path().join("configuration"))
            .kill_on_drop(true)
            .spawn()?;
        self.process = Some(process);
        for port in [self.plain, self.tls, self.websocket, self.secure_websocket] {
            listens(port).await?;
        }
        Ok(())
    }

    pub async fn kill(&mut self) -> Result {
        if let Some(mut process) = self.process.take() {
            process.kill().await?;
        }
        Ok(())
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(["-V", "5", "-h", "127.0.0.1", "-p", &self.plain.to_string()])
            .args(["-u", OBSERVER, "-P", PASSWORD, "-q", "1"])
            .kill_on_drop(true);
        command
    }

    /// Publishes as somebody else.
    pub async fn publish(&self, topic: &str, payload: &str, retain: bool) -> Result {
        let mut command = self.client("mosquitto_pub");
        command.args(["-t", topic, "-m", payload]);
        if retain {
            command.arg("-r");
        }
        assert!(command.status().await?.success());
        Ok(())
    }

    /// Publishes bytes that are no text.
    pub async fn publish_bytes(&self, topic: &str, payload: &[u8]) -> Result {
        let file = self.folder.path().join("payload");
        fs::write(&file, payload)?;
        let mut command = self.client("mosquitto_pub");
        command.args(["-t", topic, "-f"]).arg(file);
        assert!(command.status().await?.success());
        Ok(())
    }

    /// Hears everything from now on.
    pub async fn observe(&self) -> Result<Observer> {
        Ok(self.subscribe().await?.0)
    }

    /// What is retained now.
    pub async fn retained(&self) -> Result<Vec<Message>> {
        Ok(self.subscribe().await?.1)
    }

    async fn subscribe(&self) -> Result<(Observer, Vec<Message>)> {
        // What is retained comes when the subscription holds, and this after everything else: it is
        // alone in a subscription that is made after the first.
        self.publish("$ready", "yes", true).await?;
        let mut process = self
            .client("mosquitto_sub")
            .args(["-t", "#", "-t", "$ready", "-F", "%r %t %p"])
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(process.stdout.take().ok_or("no output")?).lines();
        let mut observer = Observer {
            lines,
            _process: process,
        };
        let mut retained = Vec::new();
        loop {
            let message = observer.next().await?;
            if message.topic == "$ready" {
                return Ok((observer, retained));
            }
            retained.push(message);
        }
    }
}

/// Hears what others publish.
pub struct Observer {
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Observer {
    /// The next message.
    pub async fn next(&mut self) -> Result<Message> {
        let line = tokio::time::timeout(LIMIT, self.lines.next_line()).await??;
        let line = line.ok_or("the observer has ended")?;
        let mut parts = line.splitn(3, ' ');
        let mut part = || parts.next().unwrap_or_default().to_owned();
        Ok(Message {
            retained: part() == "1",
            topic: part(),
            payload: part(),
        })
    }

    /// The next message of a topic; those before it are passed over.
    pub async fn next_of(&mut self, topic: &str) -> Result<Message> {
        loop {
            let message = self.next().await?;
            if message.topic == topic {
                return Ok(message);
            }
        }
    }

    /// The messages of a topic until the one that `is_last`.
    pub async fn until(
        &mut self,
        topic: &str,
        mut is_last: impl FnMut(&Message) -> bool,
    ) -> Result<Vec<Message>> {
        let mut all = Vec::new();
        loop {
            let message = self.next_of(topic).await?;
            let last = is_last(&message);
            all.push(message);
            if last {
                return Ok(all);
            }
        }
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .chain([Path::new("/usr/sbin").to_owned()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// A port that was free a moment ago.
async fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(listener.local_addr()?.port())
}

async fn listens(port: u16) -> Result {
    let listening = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            // There is no other sign of a server that has started.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    Ok(tokio::time::timeout(LIMIT, listening).await?)
}
