//! From journal records to messages.

use std::fmt;
use std::ops::Range;

use meter_core::payload::{self, JsonString, Plain, classic, thingsboard};
use meter_core::{Reading, Shown};

use super::config::{Config, ConfigError, Format, Qos};
use super::topic::Template;
use crate::mqtt::Publication;
use crate::output::shape::Shaped;

/// `ThingsBoard` takes 64 KiB in one message (`TB_MQTT_NETTY_MAX_PAYLOAD_SIZE`).
const FULL_MESSAGE: usize = 60_000;
/// So many readings are in one message of `ThingsBoard` at most, whose limits count data points.
const THINGSBOARD_AT_ONCE: usize = 50;
/// So many readings are on their way at most, which is what comes twice when the broker is lost.
const AT_ONCE: usize = 100;

/// A message and the records that are delivered by it; none for one that only goes along.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) publication: Publication,
    pub(super) of: Range<usize>,
}

/// What is published where.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) template: Template,
    pub(super) acknowledged: bool,
    format: Format,
    retain: bool,
    client_id: String,
}

impl Plan {
    pub(super) fn new(config: &Config, client_id: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            template: config.template()?,
            acknowledged: config.qos == Qos::One,
            format: config.format,
            retain: config.retain && !config.format.is_thingsboard(),
            client_id: client_id.to_owned(),
        })
    }

    /// The most readings that are published before the first is acknowledged.
    pub(super) fn most(&self) -> usize {
        if self.format.is_thingsboard() {
            THINGSBOARD_AT_ONCE
        } else {
            AT_ONCE
        }
    }

    /// A message that goes along with readings, and is retained.
    pub(super) fn beside(&self, topic: String, payload: impl Into<Vec<u8>>) -> Publication {
        Publication {
            topic,
            payload: payload.into(),
            retain: true,
            acknowledged: self.acknowledged,
        }
    }

    /// What a gateway of `ThingsBoard` says before it speaks for a meter.
    pub(super) fn introduction(&self, reading: &Reading<'_>) -> Option<Publication> {
        (self.format == Format::ThingsboardGateway).then(|| {
            let meter = reading.meter_id().compact();
            let payload = format!("{{\"device\":{}}}", JsonString(meter));
            self.publication("v1/gateway/connect".to_owned(), payload)
        })
    }

    /// The messages for the first of the readings, at least one.
    pub(super) fn posts(&self, readings: &[Shaped<'_>]) -> Vec<Post> {
        match self.format {
            Format::Thingsboard => self.batch("v1/devices/me/telemetry", readings, |some, text| {
                thingsboard(some, text)
            }),
            Format::ThingsboardGateway => {
                self.batch("v1/gateway/telemetry", readings, |some, text| {
                    thingsboard::gateway(some, text)
                })
            }
            Format::Json => self.one_by_one(readings, |one, text| payload::json(&[*one], text)),
            Format::Classic => self.one_by_one(readings, |one, text| {
                classic::mqtt(one, &self.client_id, text)
            }),
            Format::Registers => self.registers(readings),
        }
    }

    fn one_by_one(
        &self,
        readings: &[Shaped<'_>],
        write: impl Fn(&Shaped<'_>, &mut String) -> fmt::Result,
    ) -> Vec<Post> {
        let posts = readings.iter().enumerate().map(|(index, shaped)| {
            let mut text = String::new();
            // Writing into a string cannot fail.
            let _ = write(shaped, &mut text);
            let topic = self.template.of_meter(shaped.reading());
            Post {
                publication: self.publication(topic, text),
                of: index..index + 1,
            }
        });
        posts.collect()
    }

    fn registers(&self, readings: &[Shaped<'_>]) -> Vec<Post> {
        let mut posts = Vec::new();
        for (index, shaped) in readings.iter().enumerate() {
            for register in shaped.registers() {
                let text = Plain(register.value).to_string();
                // An empty message would delete what is retained.
                if text.is_empty() {
                    continue;
                }
                let topic = self.template.of_register(shaped, &register);
                posts.push(Post {
                    publication: self.publication(topic, text),
                    of: index..index + 1,
                });
            }
        }
        posts
    }

    fn batch(
        &self,
        topic: &str,
        readings: &[Shaped<'_>],
        write: impl Fn(&[Shaped<'_>], &mut String) -> fmt::Result,
    ) -> Vec<Post> {
        let mut count = readings.len();
        let text = loop {
            let mut text = String::new();
            // Writing into a string cannot fail.
            let _ = write(readings.get(..count).unwrap_or(readings), &mut text);
            if text.len() <= FULL_MESSAGE || count <= 1 {
                break text;
            }
            // Readings of one meter are about the same size.
            count = (count * FULL_MESSAGE / text.len()).clamp(1, count - 1);
        };
        vec![Post {
            publication: self.publication(topic.to_owned(), text),
            of: 0..count,
        }]
    }

    fn publication(&self, topic: String, text: String) -> Publication {
        Publication {
            topic,
            payload: text.into_bytes(),
            retain: self.retain,
            acknowledged: self.acknowledged,
        }
    }
}
