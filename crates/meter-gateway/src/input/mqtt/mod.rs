//! Meters that somebody else reads and publishes: raw SML telegrams, or Tasmota's JSON.
//!
//! What a message is, its bytes say: a telegram as the meter sent it, the same in hexadecimal, or the
//! JSON of `tele/…/SENSOR`, whose values are put into a telegram of our own making. So everything behind
//! here is as with a head: the same journal, the same guard.
//!
//! Messages have no time, or one without a time zone, so a reading is stamped when it arrives. That is why
//! retained messages are passed over, and why the broker is not asked to keep any for later.

mod config;
mod tasmota;

use std::sync::Arc;

use super::{Fault, Spoken, spoken};
use crate::mqtt::{Connection, Heard, Message, Options};

pub use config::{BadCode, BadTopic, Code, Config, Topic};

/// A telegram is below 1 kB, in hexadecimal twice that; the state of a Tasmota with many sensors is longer.
const LONGEST: u32 = 64 * 1024;

/// A subscription that holds.
pub(super) struct Subscription {
    connection: Connection,
    config: Arc<Config>,
    /// What is left of the last message.
    rest: Vec<u8>,
    passed: usize,
    /// Whether anything was understood.
    understood: bool,
}

impl Subscription {
    /// Logs in and subscribes.
    pub(super) async fn open(config: &Config) -> Result<Self, Fault> {
        let options: Options = config.options()?;
        let failed = |source| Fault::Broker {
            url: config.url.clone(),
            source: Box::new(source),
        };
        let mut connection = Connection::open(&options).await.map_err(failed)?;
        connection
            .subscribe(config.topic.as_str())
            .await
            .map_err(failed)?;
        Ok(Self {
            connection,
            config: Arc::new(config.clone()),
            rest: Vec::new(),
            passed: 0,
            understood: false,
        })
    }

    /// Waits for the next bytes. May be dropped.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        loop {
            let rest = self.rest.get(self.passed..).unwrap_or_default();
            if !rest.is_empty() {
                let count = rest.len().min(buffer.len());
                if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
                    to.copy_from_slice(from);
                }
                self.passed += count;
                return Ok(count);
            }
            let heard = self.connection.next().await;
            match heard {
                Ok(Heard::Message(message)) => self.take(&message)?,
                Ok(Heard::Acknowledged { .. }) => {}
                Err(source) => {
                    return Err(Fault::Broker {
                        url: self.config.url.clone(),
                        source: Box::new(source),
                    });
                }
            }
        }
    }

    /// Makes bytes of a message.
    fn take(&mut self, message: &Message) -> Result<(), Fault> {
        if message.retained {
            tracing::debug!(
                "a retained message on {} has no time: passed over",
                message.topic
            );
            return Ok(());
        }
        self.passed = 0;
        match bytes_of(&message.payload, &self.config) {
            Some(bytes) => {
                self.rest = bytes;
                self.understood = true;
                Ok(())
            }
            // Others may publish beside the meter where a wildcard was subscribed to.
            None if self.understood || self.config.topic.has_wildcard() => {
                tracing::debug!("a message on {} has no reading: passed over", message.topic);
                self.rest.clear();
                Ok(())
            }
            None => Err(Fault::NoReading {
                topic: message.topic.clone(),
                keys: tasmota::keys(&message.payload),
            }),
        }
    }

    /// The broker and the topic, for people.
    pub(super) fn label(&self) -> String {
        format!("{} topic {}", self.config.url, self.config.topic.as_str())
    }
}

/// What a head would have read.
fn bytes_of(payload: &[u8], config: &Config) -> Option<Vec<u8>> {
    match spoken(payload) {
        Spoken::Json => tasmota::telegram(payload, config),
        Spoken::Sml => Some(payload.to_vec()),
        _ => {
            let bytes = octets(payload)?;
            (spoken(&bytes) == Spoken::Sml).then_some(bytes)
        }
    }
}

/// Octets written in hexadecimal, with or without spaces.
fn octets(text: &[u8]) -> Option<Vec<u8>> {
    let mut digits = Vec::with_capacity(text.len());
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = char::from(*byte).to_digit(16)?;
        digits.push(u8::try_from(digit).ok()?);
    }
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    rest.is_empty().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_as_people_write_it() {
        assert_eq!(octets(b"1B1b 1b\n1b"), Some(vec![0x1b; 4]));
        assert_eq!(octets(b"1b1"), None);
        assert_eq!(octets(b"hello"), None);
    }
}
