//! mosquitto, and a subscriber that it keeps messages for.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::spawn;
use std::time::{Duration, Instant};

use fixtures::find;
use rustix::process::Signal;
use serde_json::Value;

use super::{IMPATIENT, Listening, Server};
use crate::process::{Process, until};
use crate::rows::{Held, Registers};
use crate::{Head, Result};

/// Tells that the subscription holds.
const READY: &str = "ready";

/// A broker that keeps sessions over a restart, and a subscriber of another make that writes down what it gets.
#[derive(Debug)]
pub struct Mosquitto {
    server: Listening,
    folder: PathBuf,
    subscriber: Process,
}

impl Mosquitto {
    /// Starts the broker, in a folder of its own below `folder`.
    pub fn start(folder: &Path) -> Result<Self> {
        let folder = folder.join("mosquitto");
        fs::create_dir(&folder)?;
        let mut mosquitto = Self {
            server: Listening::new(folder.join("log"))?,
            subscriber: Process::default(),
            folder,
        };
        mosquitto.back()?;
        Ok(mosquitto)
    }

    /// The same with the subscriber.
    pub(super) fn start_recorded(folder: &Path) -> Result<Self> {
        let mut mosquitto = Self::start(folder)?;
        mosquitto.record()?;
        Ok(mosquitto)
    }

    /// Its port, without TLS and passwords.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &self.server.port.to_string()]);
        command.args(["-q", "1"]);
        command
    }

    /// Hears everything from now on that is not retained.
    pub fn hear(&self) -> Result<Hearing> {
        let mut process = Process::default();
        let output = process.read(
            self.client("mosquitto_sub")
                .args(["-R", "-t", "#"])
                .args(["-F", "%t %p"]),
        )?;
        let (heard, messages) = channel();
        spawn(move || {
            for line in BufReader::new(output)
                .lines()
                .map_while(std::result::Result::ok)
            {
                let (topic, payload) = line.split_once(' ').unwrap_or((&line, ""));
                let message = Message {
                    at: Instant::now(),
                    topic: topic.to_owned(),
                    payload: payload.to_owned(),
                };
                if heard.send(message).is_err() {
                    return;
                }
            }
        });
        until("heard by the subscriber", || {
            self.say_ready()?;
            Ok(messages.recv_timeout(Duration::from_millis(50)).is_ok())
        })?;
        Ok(Hearing {
            messages,
            _process: process,
        })
    }

    /// The session outlives the broker and the connection. What is retained is passed over: it was heard before.
    fn record(&mut self) -> Result {
        let mut command = self.client("mosquitto_sub");
        command
            .args(["-c", "-i", "recorder", "-R", "-t", "meterline/+"])
            .args(["-F", "%p"]);
        self.subscriber.record(&mut command, &self.recording())?;
        until("heard by the subscriber", || {
            self.say_ready()?;
            Ok(fs::read_to_string(self.recording())?.contains(READY))
        })
    }

    fn say_ready(&self) -> Result {
        let mut publish = self.client("mosquitto_pub");
        publish.args(["-t", &format!("meterline/{READY}"), "-m", READY]);
        publish.stderr(Stdio::null()).status()?;
        Ok(())
    }

    fn recording(&self) -> PathBuf {
        self.folder.join("recording")
    }
}

/// A message that has reached a subscriber.
#[derive(Clone, Debug)]
pub struct Message {
    /// When it was there.
    pub at: Instant,
    /// Where it was published.
    pub topic: String,
    /// What was published.
    pub payload: String,
}

/// A subscriber that hears as long as it lives.
#[derive(Debug)]
pub struct Hearing {
    messages: Receiver<Message>,
    _process: Process,
}

impl Hearing {
    /// The next message that is a meter's, if there is one within `limit`.
    #[must_use]
    pub fn next(&self, limit: Duration) -> Option<Message> {
        let heard = std::iter::from_fn(|| self.messages.recv_timeout(limit).ok());
        heard.into_iter().find(|message| message.payload != READY)
    }
}

impl Server for Mosquitto {
    fn outputs(&self, _: &[Head]) -> String {
        format!(
            "[output.mqtt]\ntype = \"mqtt\"\nurl = \"mqtt://localhost:{}\"\n\
             allow_insecure = true\n{IMPATIENT}",
            self.server.port
        )
    }

    fn away(&mut self, how: Signal) {
        self.server.process.end(how);
    }

    fn back(&mut self) -> Result {
        let settings = self.folder.join("mosquitto.conf");
        // What has not reached the subscriber is written down every second, and at the end.
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nuser root\nlog_type error\n\
             max_queued_messages 0\npersistence true\npersistence_location {}/\nautosave_interval 1\n",
            self.server.port,
            self.folder.display()
        );
        fs::write(&settings, text)?;
        let program = find("mosquitto").ok_or("mosquitto is not installed")?;
        self.server
            .start(Command::new(program).arg("-c").arg(settings))
    }

    fn held(&self) -> Result<Vec<(&'static str, Registers, Held)>> {
        let mut held = Held::default();
        let recording = fs::read_to_string(self.recording())?;
        // A line that is being written ends without its end.
        let whole = recording.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for line in whole.lines().filter(|line| *line != READY) {
            let reading: Value = serde_json::from_str(line)?;
            held.add_json(&reading)?;
        }
        Ok(vec![("mqtt", Registers::All, held)])
    }

    /// A message that was acknowledged and has not reached the subscriber is on the disk a second later.
    fn survives_a_kill(&self) -> bool {
        false
    }
}
