//! Only what has changed.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use meter_core::{Decimal, Obis, Reading, Register, Unit, UnixMillis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Duration;
use crate::journal::Record;

/// When a reading counts as another one than the last that was sent. Currents, voltages and the like
/// never stand still, so they do not count.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnChange {
    /// By how many W a power must have changed.
    #[serde(default = "one")]
    pub power: NonZeroU32,
    /// By how many Wh a counter must have changed.
    #[serde(default = "one")]
    pub energy: NonZeroU32,
    /// After this time a reading is sent whatever it says.
    #[serde(
        default = "quarter_of_an_hour",
        deserialize_with = "crate::config::a_second_or_more"
    )]
    pub heartbeat: Duration,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn quarter_of_an_hour() -> Duration {
    Duration::from_secs(900)
}

/// What was chosen last of one meter.
#[derive(Debug)]
struct Last {
    seq: u64,
    time: UnixMillis,
    numbers: Vec<Number>,
}

/// A power or a counter.
#[derive(Debug)]
struct Number {
    obis: Obis,
    unit: Unit,
    value: Decimal,
}

/// Which readings have changed. What it knows is gone with a restart, after which the first reading of
/// each meter is sent.
#[derive(Debug)]
pub(super) struct Changes {
    config: OnChange,
    last: BTreeMap<Box<[u8]>, Last>,
}

impl Changes {
    pub(super) fn new(config: OnChange) -> Self {
        Self {
            config,
            last: BTreeMap::new(),
        }
    }

    /// Whether a reading is to be sent. They are asked for oldest first; one that was chosen stays so.
    pub(super) fn choose(&mut self, record: &Record) -> bool {
        let Ok(reading) = Reading::from_bytes(&record.body) else {
            // Its fate is told where it would be sent.
            return true;
        };
        let now = Last {
            seq: record.seq,
            time: record.time,
            numbers: reading.registers().filter_map(number).collect(),
        };
        match self.last.get_mut(&record.meter) {
            None => {
                self.last.insert(record.meter.clone(), now);
                true
            }
            Some(last) if now.seq <= last.seq => true,
            Some(last) => {
                let differs = differs(&self.config, last, &now);
                if differs {
                    *last = now;
                }
                differs
            }
        }
    }
}

/// The register, if it counts.
fn number(register: Register<'_>) -> Option<Number> {
    let unit = register.unit?;
    let value = register.number()?;
    let counts = unit == Unit::WATT || unit == Unit::WATT_HOUR;
    counts.then_some(Number {
        obis: register.obis,
        unit,
        value,
    })
}

fn differs(config: &OnChange, last: &Last, now: &Last) -> bool {
    let heartbeat = i64::try_from(config.heartbeat.get().as_millis()).unwrap_or(i64::MAX);
    // A time that lies before the last one means that the clock was set back.
    let is_due = !(0..heartbeat).contains(&now.time.millis_since(last.time));
    // Registers come and go with the PIN.
    let others = last.numbers.len() != now.numbers.len();
    is_due
        || others
        || last.numbers.iter().zip(&now.numbers).any(|(last, now)| {
            let step = if now.unit == Unit::WATT {
                config.power
            } else {
                config.energy
            };
            last.obis != now.obis
                || last.unit != now.unit
                // A difference that no number can hold is one.
                || now.value.checked_sub(last.value).is_none_or(|difference| {
                    difference.abs() >= Decimal::new(step.get().into(), 0)
                })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sml_wire::{GetListRes, Integer, ListEntry, Value};

    const METER: [u8; 10] = [0x0a, 0x01, b'E', b'M', b'H', 0x00, 0x00, 0xbc, 0x61, 0x4e];

    /// A reading of a counter in tenths of Wh, and of a power in W, so many seconds after the start.
    fn record(seq: u64, seconds: i64, energy: u64, power: i64) -> Record {
        let entry = |name, unit, scaler, integer| ListEntry {
            name,
            status: None,
            time: None,
            unit: Some(Integer::unsigned(unit)),
            scaler: Some(Integer::signed(scaler)),
            value: Value::Integer(integer),
            signature: None,
        };
        let entries = [
            entry(&[1, 0, 1, 8, 0, 255], 30, -1, Integer::unsigned(energy)),
            entry(&[1, 0, 16, 7, 0, 255], 27, 0, Integer::signed(power)),
        ];
        let list = GetListRes {
            entries: entries.as_slice().into(),
            ..GetListRes::of(&METER)
        };
        let mut buffer = [0; 256];
        let body = Reading::new(list).emit(&mut buffer).unwrap().to_vec();
        Record {
            seq,
            meter: Box::new(METER),
            time: UnixMillis(1_780_000_000_000 + seconds * 1000),
            body,
        }
    }

    fn chosen(config: OnChange, records: &[Record]) -> Vec<u64> {
        let mut changes = Changes::new(config);
        let chosen = records.iter().filter(|record| changes.choose(record));
        chosen.map(|record| record.seq).collect()
    }

    fn config(power: u32, energy: u32) -> OnChange {
        OnChange {
            power: power.try_into().unwrap(),
            energy: energy.try_into().unwrap(),
            heartbeat: Duration::from_secs(60),
        }
    }

    #[test]
    fn a_change_counts_from_what_was_chosen_last() {
        let records = [
            record(1, 0, 10_000, 300),
            record(2, 1, 10_001, 319),
            record(3, 2, 10_002, 320),
            record(4, 3, 10_003, 301),
            record(5, 4, 10_004, 300),
            record(6, 5, 10_051, 300),
            record(7, 6, 10_104, 300),
        ];
        assert_eq!(chosen(config(20, 10), &records), [1, 3, 5, 7]);
    }

    #[test]
    fn after_the_heartbeat_everything_is_a_change_and_so_is_a_clock_that_was_set_back() {
        let records = [
            record(1, 0, 10_000, 300),
            record(2, 59, 10_000, 300),
            record(3, 60, 10_000, 300),
            record(4, 100, 10_000, 300),
            record(5, 50, 10_000, 300),
        ];
        assert_eq!(chosen(config(20, 10), &records), [1, 3, 5]);
    }

    #[test]
    fn what_was_chosen_once_is_chosen_again() {
        let mut changes = Changes::new(config(20, 10));
        let (first, second) = (record(1, 0, 10_000, 300), record(2, 1, 10_000, 400));
        for _ in 0..2 {
            assert!(changes.choose(&first) && changes.choose(&second));
        }
        assert!(!changes.choose(&record(3, 2, 10_000, 400)));
    }
}
