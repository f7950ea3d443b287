//! Every telegram of the meter, and what became of it.

use std::collections::BTreeMap;
use std::time::Duration;

use meter_sim::{Telegram, TrueValue};
use serde_json::{Number, Value};

/// What a power cut may cost: [`Options`](meter_device::outbox::Options) has the same numbers.
const READINGS: usize = 16;
/// How old a reading may be that a power cut costs. The application may be busy with a handshake when it
/// is time to write, which takes it many seconds of its fast clock.
const AGE: Duration = Duration::from_secs(60 + 30);

/// So much the time of a reading may be off, in milliseconds: a telegram waits for the end of a handshake,
/// and the clock is right to a few seconds of its fast time.
const OFF: i64 = 60_000;

/// A day in milliseconds.
const DAY: i64 = 86_400_000;

/// How a telegram went through the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Whole.
    Whole,
    /// Damaged on the line.
    Damaged,
    /// The device was off, or starting.
    Unheard,
}

#[derive(Debug)]
struct Sent {
    at: Duration,
    passage: Passage,
    registers: Vec<(String, Number)>,
    arrivals: u32,
}

/// The books.
#[derive(Debug, Default)]
pub struct Ledger {
    /// When the day began, in milliseconds since 1970.
    began_ms: i64,
    /// By the meter's own count of seconds.
    sent: BTreeMap<u64, Sent>,
    /// When the device lost what was in its RAM.
    cuts: Vec<Duration>,
    /// What must not be.
    faults: Vec<String>,
    /// The most that the time of a reading was off, in milliseconds.
    worst_ms: i64,
}

/// A server that has stored a reading and whose answer is lost gets it again with each try until one comes
/// through. So often it was lost in a row at most.
const MOST_ARRIVALS: u32 = 8;

/// What became of all telegrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// That the meter sent.
    pub sent: usize,
    /// Damaged on the line and not taken.
    pub damaged: usize,
    /// Sent while the device was off or starting, and not taken.
    pub unheard: usize,
    /// That arrived once.
    pub once: usize,
    /// That arrived twice.
    pub twice: usize,
    /// That arrived more often.
    pub more: usize,
    /// Lost at a power cut or reset, within its bound.
    pub lost: usize,
    /// The most that one cut cost.
    pub most_lost: usize,
    /// How often power was cut, or the button pressed.
    pub cuts: usize,
    /// The most that the time of a reading was off, in milliseconds.
    pub worst_ms: i64,
}

impl Ledger {
    /// Empty books of a day that begins then.
    #[must_use]
    pub fn new(began_ms: i64) -> Self {
        Self {
            began_ms,
            ..Self::default()
        }
    }

    /// The meter sent one.
    pub fn sent(&mut self, at: Duration, telegram: &Telegram, passage: Passage) {
        let registers = telegram.registers.iter().filter_map(|register| {
            let number = match register.value {
                TrueValue::Number { .. } => register.value.to_string(),
                TrueValue::Octets(_) => return None,
            };
            Some((register.obis.to_string(), number.parse().ok()?))
        });
        self.sent.insert(
            telegram.seconds_index,
            Sent {
                at,
                passage,
                registers: registers.collect(),
                arrivals: 0,
            },
        );
    }

    /// The device lost its RAM.
    pub fn cut(&mut self, at: Duration) {
        self.cuts.push(at);
    }

    /// Something must not be.
    pub fn complain(&mut self, what: String) {
        self.faults.push(what);
    }

    /// The server has accepted a reading.
    pub fn arrived(&mut self, reading: &Value) {
        let index = reading["seconds_index"].as_u64();
        let Some(sent) = index.and_then(|index| self.sent.get_mut(&index)) else {
            self.complain(format!("the meter never sent {reading}"));
            return;
        };
        sent.arrivals += 1;
        let numbers: Vec<(String, Number)> = reading["registers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|register| {
                let Value::Number(value) = &register["value"] else {
                    return None;
                };
                Some((register["obis"].as_str()?.to_owned(), value.clone()))
            })
            .collect();
        if numbers != sent.registers {
            let counted = &sent.registers;
            self.faults
                .push(format!("the meter counted {counted:?}, not {reading}"));
            return;
        }
        let at = i64::try_from(sent.at.as_millis()).unwrap_or(i64::MAX);
        let due = (self.began_ms + at).rem_euclid(DAY);
        let Some(time) = reading["time"].as_str().and_then(time_of_day) else {
            self.complain(format!("no time in {reading}"));
            return;
        };
        let off = (time - due).rem_euclid(DAY);
        let off = off.min(DAY - off);
        self.worst_ms = self.worst_ms.max(off);
        if off > OFF {
            let at = sent.at;
            self.complain(format!(
                "the time of the reading sent at {at:?} is {} s off",
                off / 1000
            ));
        }
    }

    /// What became of all, and what is wrong with it.
    #[must_use]
    pub fn balance(&self) -> (Balance, Vec<String>) {
        let mut faults = self.faults.clone();
        let mut balance = Balance {
            sent: self.sent.len(),
            cuts: self.cuts.len(),
            worst_ms: self.worst_ms,
            ..Balance::default()
        };
        let mut costs = vec![0; self.cuts.len()];
        for (index, sent) in &self.sent {
            match (sent.arrivals, sent.passage) {
                (0, Passage::Damaged) => balance.damaged += 1,
                (0, Passage::Unheard) => balance.unheard += 1,
                (0, Passage::Whole) => match self.cut_after(sent.at) {
                    Some(cut) => {
                        costs[cut] += 1;
                        balance.lost += 1;
                    }
                    None => faults.push(format!(
                        "reading {index}, sent at {:?}, never arrived",
                        sent.at
                    )),
                },
                (1, _) => balance.once += 1,
                (2, _) => balance.twice += 1,
                (arrivals, _) => {
                    balance.more += 1;
                    if arrivals > MOST_ARRIVALS {
                        faults.push(format!(
                            "reading {index}, sent at {:?}, arrived {arrivals} times",
                            sent.at
                        ));
                    }
                }
            }
        }
        for (cut, cost) in self.cuts.iter().zip(&costs) {
            if *cost > READINGS {
                faults.push(format!("the cut at {cut:?} cost {cost} readings"));
            }
        }
        balance.most_lost = costs.into_iter().max().unwrap_or(0);
        (balance, faults)
    }

    /// The cut that a reading of this time may have been lost at.
    fn cut_after(&self, at: Duration) -> Option<usize> {
        self.cuts
            .iter()
            .position(|cut| (at..=at + AGE).contains(cut))
    }
}

/// `2026-11-22T17:53:00.123Z` as milliseconds of its day.
fn time_of_day(text: &str) -> Option<i64> {
    let (_, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut parts = time.split([':', '.']);
    let mut part = || parts.next()?.parse::<i64>().ok();
    let (hours, minutes, seconds, millis) = (part()?, part()?, part()?, part().unwrap_or(0));
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis)
}
