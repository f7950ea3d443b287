//! A real mosquitto with TLS, and a client of another make that says what has arrived.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use emulator::Result;
use serde_json::Value;

use crate::world::{PATIENCE, SERVER, WIFI, World};

const PASSWORD: &str = "hunter2";

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A broker that knows the user `device`.
pub(crate) struct Broker {
    /// With TLS.
    port: u16,
    messages: Receiver<Message>,
    _running: [Running; 2],
}

/// A message that has reached the broker.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: String,
}

impl Message {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.payload).map_err(|error| format!("{error} in {self:?}").into())
    }
}

impl Broker {
    /// Starts one with a certificate of the world's authority. `None`, which is said, where it is not
    /// installed.
    pub(crate) fn start(world: &World) -> Result<Option<Self>> {
        let programs = [
            "mosquitto",
            "mosquitto_passwd",
            "mosquitto_pub",
            "mosquitto_sub",
        ];
        let [
            Some(broker),
            Some(passwords),
            Some(publisher),
            Some(subscriber),
        ] = programs.map(find)
        else {
            recordings::missing(
                "mosquitto is not installed (Debian packages mosquitto and mosquitto-clients)",
            );
            return Ok(None);
        };
        let identity = world.backend.server_identity(&[SERVER])?;
        fs::write(world.file("certificate"), identity.certificate_pem)?;
        fs::write(world.file("key"), identity.key_pem)?;
        fs::write(world.file("passwords"), "")?;
        for user in ["device", "observer"] {
            let file = world.file("passwords");
            let mut command = Command::new(&passwords);
            let status = command
                .arg("-b")
                .arg(file)
                .args([user, PASSWORD])
                .status()?;
            assert!(status.success());
        }
        let rights = "user device\ntopic write meterline/#\ntopic write homeassistant/device/#\n\
                      topic read homeassistant/status\nuser observer\ntopic read #\ntopic readwrite $ready\n";
        fs::write(world.file("rights"), rights)?;
        let (port, plain) = (free_port()?, free_port()?);
        let folder = world.file("");
        let here = folder.display();
        let configuration = format!(
            "per_listener_settings false\nallow_anonymous false\nuser root\nlog_type error\n\
             password_file {here}/passwords\nacl_file {here}/rights\n\
             listener {plain} 127.0.0.1\nlistener {port} 127.0.0.1\n\
             certfile {here}/certificate\nkeyfile {here}/key\n"
        );
        fs::write(world.file("configuration"), configuration)?;
        let broker = Command::new(broker)
            .arg("-c")
            .arg(world.file("configuration"))
            .spawn()?;
        let broker = Running(broker);
        for port in [plain, port] {
            listens(port)?;
        }
        let (observer, messages) = observe(&publisher, &subscriber, plain)?;
        Ok(Some(Self {
            port,
            messages,
            _running: [broker, observer],
        }))
    }

    /// Settings that send each reading to it.
    pub(crate) fn settings(&self, world: &World) -> String {
        let (port, time, ca) = (self.port, world.time.address(), world.file("ca.pem"));
        let ca = ca.display();
        format!(
            "interval = \"0s\"\n{WIFI}[time]\nservers = [\"{time}\"]\n\
             [output]\ntype = \"mqtt\"\nhost = \"{SERVER}\"\nport = {port}\nuser = \"device\"\n\
             password = \"{PASSWORD}\"\ndiscovery = true\nca_file = \"{ca}\"\n"
        )
    }

    /// The next message.
    pub(crate) fn next(&self) -> Result<Message> {
        Ok(self.messages.recv_timeout(PATIENCE)?)
    }

    /// The next message under a topic; those before it are passed over.
    pub(crate) fn next_of(&self, topic: &str) -> Result<Message> {
        loop {
            let message = self.next()?;
            if message.topic == topic {
                return Ok(message);
            }
        }
    }
}

/// Subscribes to everything, and waits until that is in force.
fn observe(publisher: &Path, subscriber: &Path, port: u16) -> Result<(Running, Receiver<Message>)> {
    let client = |program: &Path| {
        let mut command = Command::new(program);
        command
            .args(["-V", "5", "-h", "127.0.0.1", "-p", &port.to_string()])
            .args(["-u", "observer", "-P", PASSWORD, "-q", "1"]);
        command
    };
    // What is retained comes when a subscription holds, and this one is the last.
    let status = client(publisher)
        .args(["-r", "-t", "$ready", "-m", "yes"])
        .status()?;
    assert!(status.success());
    let mut child = client(subscriber)
        .args(["-t", "#", "-t", "$ready", "-F", "%t %p"])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let observer = Running(child);
    let mut lines = BufReader::new(output)
        .lines()
        .map_while(std::io::Result::ok);
    if !lines.any(|line| line == "$ready yes") {
        return Err("the observer was refused".into());
    }
    let (sender, messages) = channel();
    thread::spawn(move || {
        for line in lines {
            if let Some((topic, payload)) = line.split_once(' ') {
                let message = Message {
                    topic: topic.to_owned(),
                    payload: payload.to_owned(),
                };
                // Nobody may listen any more.
                let _ = sender.send(message);
            }
        }
    });
    Ok((observer, messages))
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn listens(port: u16) -> Result {
    for _ in 0..2000 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        // There is no other sign of a server that has started.
        thread::sleep(Duration::from_millis(5));
    }
    Err("mosquitto does not listen".into())
}
