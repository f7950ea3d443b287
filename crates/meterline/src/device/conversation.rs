//! Asking a device, among all else that it says.

use std::io;
use std::time::Duration;

use meter_gateway::ports::{Candidate, OpenError, Roots, list};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::line::{Line, Place};

/// How long an answer may take. A device that erases flash or shakes hands is busy for a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a port is asked whether a device is there.
const SEARCH: Duration = Duration::from_secs(3);

/// How long another answer may follow the one that refuses a line: what was left on the line from
/// before is refused, and the question answered.
const SECOND_THOUGHT: Duration = Duration::from_secs(2);

/// A longer line is none of a device's.
const LONGEST: usize = 64 * 1024;

/// Why a device did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The serial port cannot be opened.
    #[error("{0}")]
    Port(OpenError),
    /// The socket cannot be opened.
    #[error("{place} cannot be reached: {source}")]
    Unreachable {
        /// Where it was looked for.
        place: Place,
        /// What the system said.
        source: io::Error,
    },
    /// The line was closed: unplugged, most of all.
    #[error("the device has gone: {0}")]
    Gone(String),
    /// No answer has come.
    #[error("no device answers on {place}, within {} s", .patience.as_secs())]
    Silent {
        /// Where.
        place: Place,
        /// How long it was waited for.
        patience: Duration,
    },
    /// No device answers on any port.
    #[error("no device answers on a serial port{0}")]
    NoDevice(String),
    /// Several answer.
    #[error("devices answer on {0}: choose one with --port")]
    Several(String),
    /// The device says no.
    #[error("the device refuses: {0}")]
    Refused(String),
    /// The device says no to settings.
    #[error("the device refuses the settings and keeps its old ones: {0}")]
    Settings(String),
}

impl Error {
    /// A refusal is one of settings.
    pub fn in_settings(self) -> Self {
        match self {
            Self::Refused(reason) => Self::Settings(reason),
            other => other,
        }
    }
}

/// A line to a device, with what was heard of its next line.
#[derive(Debug)]
pub struct Conversation {
    line: Line,
    place: Place,
    heard: Vec<u8>,
}

impl Conversation {
    /// Opens the line to a device.
    pub async fn open(place: &Place) -> Result<Self, Error> {
        Ok(Self {
            line: Line::open(place).await?,
            place: place.clone(),
            heard: Vec::new(),
        })
    }

    /// Asks on every serial port at once, and takes the only one that answers.
    pub async fn find() -> Result<Self, Error> {
        let candidates = list(&Roots::default());
        let seen: Vec<_> = candidates.iter().map(Candidate::stable_name).collect();
        let seen = seen.iter().map(|path| path.display().to_string());
        let seen = seen.collect::<Vec<_>>().join(", ");
        let mut searches = JoinSet::new();
        for candidate in candidates {
            searches.spawn(async move {
                let place = Place::Serial(candidate.stable_name().to_owned());
                let mut device = Self::open(&place).await.ok()?;
                let answer = device.ask_within("info", "info", SEARCH).await;
                answer.is_ok().then_some(device)
            });
        }
        let mut found: Vec<Self> = searches.join_all().await.into_iter().flatten().collect();
        match (found.pop(), found.is_empty()) {
            (Some(device), true) => Ok(device),
            (Some(device), false) => {
                let places = found.iter().chain([&device]);
                let places: Vec<_> = places.map(|device| device.place.to_string()).collect();
                Err(Error::Several(places.join(" and ")))
            }
            (None, _) if seen.is_empty() => Err(Error::NoDevice(", and there is none".to_owned())),
            (None, _) => Err(Error::NoDevice(format!(" ({seen})"))),
        }
    }

    /// Sends a command and waits for its answer: what stands under its name.
    pub async fn ask(&mut self, command: &str, name: &str) -> Result<Value, Error> {
        self.ask_within(command, name, PATIENCE).await
    }

    async fn ask_within(
        &mut self,
        command: &str,
        name: &str,
        patience: Duration,
    ) -> Result<Value, Error> {
        // The end of a line first: whatever stands on the device's line is none of ours.
        let sent = format!("\n{command}\n");
        self.line
            .write(sent.as_bytes())
            .await
            .map_err(|error| Error::Gone(error.to_string()))?;
        let mut deadline = Instant::now() + patience;
        let mut refused = None;
        loop {
            let line = tokio::select! {
                line = self.line() => line?,
                () = sleep_until(deadline) => return Err(refused.unwrap_or(Error::Silent {
                    place: self.place.clone(),
                    patience,
                })),
            };
            match answer(&line, name) {
                Some(Answer::Given(value)) => return Ok(value),
                Some(Answer::Refused(reason)) => return Err(Error::Refused(reason)),
                Some(Answer::NotUnderstood(reason)) => {
                    refused = Some(Error::Refused(reason));
                    deadline = deadline.min(Instant::now() + SECOND_THOUGHT);
                }
                None => {}
            }
        }
    }

    /// The next line, without its end. Bytes that are no text are replaced.
    pub async fn line(&mut self) -> Result<String, Error> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
            }
            if self.heard.len() > LONGEST {
                self.heard.clear();
            }
            let mut buffer = [0; 1024];
            let read = self.line.read(&mut buffer).await;
            match read {
                Ok(0) => return Err(Error::Gone("the line is closed".to_owned())),
                Ok(count) => self.heard.extend(buffer.iter().take(count)),
                Err(error) => return Err(Error::Gone(error.to_string())),
            }
        }
    }
}

#[derive(Debug, PartialEq)]
enum Answer {
    Given(Value),
    Refused(String),
    NotUnderstood(String),
}

/// What a line answers to the command of this name; `None` for the log, and for answers to others.
fn answer(line: &str, name: &str) -> Option<Answer> {
    if !line.starts_with('{') {
        return None;
    }
    let Ok(Value::Object(mut object)) = serde_json::from_str(line) else {
        return None;
    };
    let error = object
        .get("error")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let value = object.remove(name);
    match (value, error) {
        (Some(_), Some(error)) => Some(Answer::Refused(error)),
        (Some(value), None) => Some(Answer::Given(value)),
        (None, Some(error)) if object.contains_key("line") => Some(Answer::NotUnderstood(error)),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_told_from_all_else() {
        for (line, is) in [
            ("12:00 {\"info\":1}", None),
            ("{\"log\":[]}", None),
            ("{broken", None),
            ("{\"info\":{\"a\":1}}", Some(Answer::Given(json!({"a": 1})))),
            (
                "{\"info\":null,\"error\":\"no\"}",
                Some(Answer::Refused("no".to_owned())),
            ),
            (
                "{\"line\":null,\"error\":\"what?\"}",
                Some(Answer::NotUnderstood("what?".to_owned())),
            ),
        ] {
            assert_eq!(answer(line, "info"), is, "{line}");
        }
    }
}
