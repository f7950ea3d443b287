//! From journal records to values of channels.

use bytes::Bytes;
use meter_core::payload::volkszaehler::{Tuple, push, tuples};
use meter_core::{Register, Shown};

use super::config::Channel;
use crate::output::shape::Shaped;

/// The values of some readings, by channel.
#[derive(Debug)]
pub(super) struct Values<'a> {
    /// Channels that have a value.
    pub(super) channels: Vec<(&'a Channel, Vec<Tuple>)>,
}

impl<'a> Values<'a> {
    /// Takes the registers of the channels out of every reading. A register without a number has no
    /// value.
    pub(super) fn of(channels: &'a [Channel], readings: &[Shaped<'_>]) -> Self {
        let mut found: Vec<_> = channels
            .iter()
            .map(|channel| (channel, Vec::new()))
            .collect();
        for shaped in readings {
            for (channel, values) in &mut found {
                let of_channel = |register: &Register<'_>| register.obis == channel.register;
                let register = shaped.registers().find(of_channel);
                if let Some(number) = register.and_then(|register| register.number()) {
                    values.push((shaped.time(), number));
                }
            }
        }
        found.retain(|(_, values)| !values.is_empty());
        Self { channels: found }
    }

    /// All of them as one body for a push server.
    pub(super) fn pushed(&self) -> Bytes {
        let channels: Vec<(&str, &[Tuple])> = self
            .channels
            .iter()
            .map(|(channel, values)| (channel.uuid.as_str(), values.as_slice()))
            .collect();
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = push(&channels, &mut text);
        text.into()
    }
}

/// The values of one channel as a body for the middleware.
pub(super) fn body(values: &[Tuple]) -> Bytes {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = tuples(values, &mut text);
    text.into()
}
