//! The books of the demo: what the meters sent against what arrived at the server.
//!
//! The simulated meters say of each telegram what a correct reader must make of it. An arrival
//! counts only when every register of it has exactly that value.

use std::collections::HashMap;
use std::fmt::Write as _;

use meter_core::payload::{Hex, Octets};
use meter_sim::{Telegram, TrueValue};
use serde_json::Value;

/// What was sent and what arrived, reading by reading.
#[derive(Debug, Default)]
pub struct Ledger {
    readings: HashMap<String, Entry>,
    balance: Balance,
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
    /// Of these, the ones that arrived at the server with exactly their values.
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
    /// A meter is about to send this telegram.
    pub fn sent(&mut self, telegram: &Telegram) {
        let entry = self.readings.entry(key_of_truth(telegram)).or_default();
        entry.awaited.push(telegram.seconds_index);
        self.balance.sent += 1;
    }

    /// The server has accepted this reading, in the format `json`.
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
        // Some models send no time; then the values alone say which reading it is.
        let index = reading.get("seconds_index")?.as_u64();
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
    let mut key = reading.get("server_id")?.as_str()?.to_owned();
    for register in reading.get("registers")?.as_array()? {
        let value = match register.get("value")? {
            Value::Number(number) => plain(number.as_str()),
            Value::String(text) => text.as_str(),
            _ => return None,
        };
        write!(key, ";{}={value}", register.get("obis")?.as_str()?).ok()?;
    }
    Some(key)
}

fn key_of_truth(telegram: &Telegram) -> String {
    let mut key = Hex(&telegram.server_id).to_string();
    for register in &telegram.registers {
        let value = match &register.value {
            TrueValue::Octets(octets) => Octets(octets).to_string(),
            number @ TrueValue::Number { .. } => plain(&number.to_string()).to_owned(),
        };
        // Writing into a string cannot fail.
        let _ = write!(key, ";{}={value}", register.obis);
    }
    key
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
            ledger.arrived(&serde_json::json!({"server_id": "00", "registers": []})),
            Posting::Wrong
        );
    }
}
