//! The books of the demo: what the meters sent against what arrived at the server.
//!
//! The simulated meters say of each telegram what a correct reader must make of it. An arrival
//! counts only when every register of it has exactly that value.

use std::collections::HashMap;

use meter_core::ServerId;
use meter_core::payload::Octets;
use meter_sim::{Telegram, TrueValue};
use serde_json::Value;

/// What was sent and what arrived, reading by reading.
#[derive(Debug, Default)]
pub struct Ledger {
    readings: HashMap<String, Entry>,
    balance: Balance,
    /// The codes of the registers that are sent; empty for all.
    registers: Vec<String>,
}

/// All readings of one meter with the same values: each has its own seconds index.
#[derive(Debug, Default)]
struct Entry {
    awaited: Vec<u64>,
    arrived: Vec<u64>,
}

/// The sums of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// Readings in whole telegrams that the meters sent.
    pub sent: u64,
    /// Of these, the ones that arrived with exactly their values, or that the server has acknowledged
    /// where nobody looks.
    pub arrived: u64,
    /// Readings that arrived once more.
    pub duplicates: u64,
    /// What arrived and no meter has ever sent so.
    pub wrong: u64,
}

impl Balance {
    /// Readings that have not arrived.
    pub fn missing(self) -> u64 {
        self.sent - self.arrived
    }

    /// Whether everything arrived, and nothing but that.
    pub fn is_even(self) -> bool {
        self.missing() == 0 && self.wrong == 0
    }
}

/// What an arrival turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posting {
    /// A reading that was waited for.
    Right,
    /// One that had arrived before.
    Duplicate,
    /// None that a meter has sent.
    Wrong,
}

impl Ledger {
    /// Books of these registers only, such as `1-0:1.8.0*255`.
    pub fn of_registers(registers: Vec<String>) -> Self {
        Self {
            registers,
            ..Self::default()
        }
    }

    /// A meter is about to send this telegram.
    pub fn sent(&mut self, telegram: &Telegram) {
        let key = key_of_truth(telegram, &self.registers);
        let entry = self.readings.entry(key).or_default();
        entry.awaited.push(telegram.seconds_index);
        self.balance.sent += 1;
    }

    /// The server has acknowledged so many readings since the beginning, and nobody looks at them.
    pub fn acknowledged(&mut self, readings: u64) {
        self.balance.arrived = readings.min(self.balance.sent);
        self.balance.duplicates = readings - self.balance.arrived;
    }

    /// This reading has arrived, in the format `json`.
    pub fn arrived(&mut self, reading: &Value) -> Posting {
        let posting = self.post(reading).unwrap_or(Posting::Wrong);
        match posting {
            Posting::Right => self.balance.arrived += 1,
            Posting::Duplicate => self.balance.duplicates += 1,
            Posting::Wrong => self.balance.wrong += 1,
        }
        posting
    }

    fn post(&mut self, reading: &Value) -> Option<Posting> {
        let entry = self.readings.get_mut(&key_of_arrival(reading)?)?;
        // Some models send no time, and some outputs pass it not on; then the values alone say which reading it is.
        let index = reading.get("seconds_index").and_then(Value::as_u64);
        let is_it = |known: &u64| index.is_none_or(|index| index == *known);
        match entry.awaited.iter().position(is_it) {
            Some(at) => {
                entry.arrived.push(entry.awaited.swap_remove(at));
                Some(Posting::Right)
            }
            None => entry
                .arrived
                .iter()
                .any(is_it)
                .then_some(Posting::Duplicate),
        }
    }

    /// The sums so far.
    pub fn balance(&self) -> Balance {
        self.balance
    }
}

/// Meter and values of a reading in one line. `None` for what is no reading.
fn key_of_arrival(reading: &Value) -> Option<String> {
    let meter = reading.get("meter_id")?.as_str()?;
    let registers = reading.get("registers")?.as_array()?.iter();
    let parts: Option<Vec<String>> = registers
        .map(|register| {
            let value = match register.get("value")? {
                Value::Number(number) => plain(number.as_str()),
                Value::String(text) => text.as_str(),
                _ => return None,
            };
            Some(format!("{}={value}", register.get("obis")?.as_str()?))
        })
        .collect();
    Some(key(meter, parts?))
}

fn key_of_truth(telegram: &Telegram, wanted: &[String]) -> String {
    let meter = ServerId(&telegram.server_id).meter_id().to_string();
    let registers = telegram.registers.iter().filter_map(|register| {
        let code = register.obis.to_string();
        if !wanted.is_empty() && !wanted.contains(&code) {
            return None;
        }
        let value = match &register.value {
            TrueValue::Octets(octets) => Octets(octets).to_string(),
            number @ TrueValue::Number { .. } => plain(&number.to_string()).to_owned(),
        };
        Some(format!("{code}={value}"))
    });
    key(&meter, registers.collect())
}

/// Some outputs send the registers one by one.
fn key(meter: &str, mut registers: Vec<String>) -> String {
    registers.sort();
    format!("{meter};{}", registers.join(";"))
}

/// The same number without zeros at the end of its decimals.
fn plain(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use meter_core::payload::{self, Stamped};
    use meter_core::{Reading, UnixMillis};
    use meter_sim::{Meter, MeterConfig, Telegram, model};
    use serde_json::Value;
    use sml_wire::{Body, Decoder, Event};

    use super::{Balance, Ledger, Posting};

    /// The payload that the gateway would send for a telegram.
    fn payload(telegram: &Telegram) -> Result<Value, Box<dyn Error>> {
        let mut decoder = Decoder::new(vec![0; 4096]);
        let mut input: &[u8] = &telegram.bytes;
        let Some(Event::Frame(frame)) = decoder.next(&mut input) else {
            return Err("no frame".into());
        };
        let list = frame
            .file()
            .messages()
            .flatten()
            .find_map(|message| match message.body {
                Body::GetListRes(list) => Some(list),
                _ => None,
            });
        let reading = Reading::new(list.ok_or("no list")?);
        let mut text = String::new();
        payload::json(
            &[Stamped {
                time: UnixMillis(0),
                reading,
            }],
            &mut text,
        )?;
        Ok(serde_json::from_str(&text)?)
    }

    #[test]
    fn every_model_balances_and_a_changed_digit_does_not() -> Result<(), Box<dyn Error>> {
        for name in model::names() {
            let config = MeterConfig {
                pv_peak_w: 9000,
                ..MeterConfig::default()
            };
            let mut meter = Meter::new(model::find(name)?, &config);
            let telegrams: Vec<Telegram> = meter.by_ref().take(3).collect();
            let mut ledger = Ledger::default();
            for telegram in &telegrams {
                ledger.sent(telegram);
            }
            assert_eq!(
                ledger.arrived(&payload(&telegrams[0])?),
                Posting::Right,
                "{name}"
            );
            assert_eq!(
                ledger.arrived(&payload(&telegrams[0])?),
                Posting::Duplicate,
                "{name}"
            );
            assert_eq!(
                ledger.arrived(&payload(&telegrams[2])?),
                Posting::Right,
                "{name}"
            );
            let text = payload(&telegrams[1])?.to_string();
            let at = text
                .rfind(|c: char| c.is_ascii_digit() && c != '0')
                .ok_or("no digit")?;
            let changed = format!("{}0{}", &text[..at], &text[at + 1..]);
            assert_eq!(
                ledger.arrived(&serde_json::from_str(&changed)?),
                Posting::Wrong,
                "{name}: {changed}"
            );
            assert_eq!(
                ledger.balance(),
                Balance {
                    sent: 3,
                    arrived: 2,
                    duplicates: 1,
                    wrong: 1
                },
                "{name}"
            );
            assert_eq!(ledger.balance().missing(), 1);
            assert!(!ledger.balance().is_even());
        }
        Ok(())
    }

    #[test]
    fn what_no_meter_sent_is_wrong() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.arrived(&Value::Null), Posting::Wrong);
        assert_eq!(
            ledger.arrived(&serde_json::json!({"meter_id": "00", "registers": []})),
            Posting::Wrong
        );
    }
}
