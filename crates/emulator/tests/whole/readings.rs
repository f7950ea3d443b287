//! What was sent by the meter, and what arrived at the server.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use emulator::{BYTES_A_SECOND, Board, Result};
use meter_core::UnixMillis;
use meter_sim::{Telegram, TrueValue};
use serde_json::Value;

/// How far a time stamp may be off.
const OFF: Duration = Duration::from_secs(2);

/// A reading that left the meter.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: UnixMillis,
    /// Each register that is a number: its code, and the number with all digits.
    numbers: Vec<(String, String)>,
}

/// The host's time.
pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    UnixMillis(millis.try_into().unwrap_or(i64::MAX))
}

impl Sent {
    /// A reading that leaves the meter now.
    pub(crate) fn now(telegram: &Telegram) -> Self {
        let registers = telegram.registers.iter();
        let numbers =
            registers.filter(|register| matches!(register.value, TrueValue::Number { .. }));
        Self {
            at: now(),
            numbers: numbers
                .map(|register| (register.obis.to_string(), register.value.to_string()))
                .collect(),
        }
    }

    /// What differs in an arrived reading of the format `json`.
    pub(crate) fn differs(&self, arrived: &Value) -> Option<String> {
        let [from, to] = [self.at.saturating_sub(OFF), self.at.saturating_add(OFF)];
        let time = arrived["time"].as_str().unwrap_or_default();
        // This way of writing a time sorts like the time.
        if !(from.to_string()..=to.to_string()).contains(&time.to_owned()) {
            return Some(format!("{time} is not {} in {arrived}", self.at));
        }
        let numbers = numbers(arrived);
        (numbers != self.numbers).then(|| format!("{numbers:?} is not {:?}", self.numbers))
    }
}

/// Each register that is a number.
pub(crate) fn numbers(arrived: &Value) -> Vec<(String, String)> {
    let registers = arrived["registers"].as_array().into_iter().flatten();
    registers
        .filter(|register| register["value"].is_number())
        .map(|register| {
            let obis = register["obis"].as_str().unwrap_or_default();
            (obis.to_owned(), register["value"].to_string())
        })
        .collect()
}

/// Lets the meter send telegrams, one after another as its line carries them.
pub(crate) fn send(
    board: &mut Board,
    telegrams: impl IntoIterator<Item = Telegram>,
) -> Result<Vec<Sent>> {
    let mut sent = Vec::new();
    for telegram in telegrams {
        board.send(&telegram.bytes)?;
        sent.push(Sent::now(&telegram));
    }
    Ok(sent)
}

/// The same over a line that is so many times as fast.
pub(crate) fn send_fast(
    board: &mut Board,
    times: u32,
    telegrams: impl IntoIterator<Item = Telegram>,
) -> Result<Vec<Sent>> {
    let mut sent = Vec::new();
    for telegram in telegrams {
        board.send_at(times * BYTES_A_SECOND, &telegram.bytes)?;
        sent.push(Sent::now(&telegram));
    }
    Ok(sent)
}

/// What became of readings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Places of those that did not arrive.
    pub(crate) lost: Vec<usize>,
    /// How often one arrived that had arrived before.
    pub(crate) duplicates: usize,
}

/// Finds out what became of readings. Whatever arrives was sent, with the same time and numbers.
pub(crate) fn account(arrived: &[Value], sent: &[Sent]) -> Result<Account> {
    let mut has_arrived = vec![false; sent.len()];
    let mut next = 0;
    let mut duplicates = 0;
    for reading in arrived {
        let same = |at: &usize| sent[*at].differs(reading).is_none();
        // Readings come in their order; after a restart some may come again.
        let at = (next..sent.len()).find(same).or_else(|| {
            duplicates += 1;
            (0..next).find(same)
        });
        let at = at.ok_or_else(|| format!("the meter never sent {reading}"))?;
        duplicates += usize::from(at >= next && has_arrived[at]);
        has_arrived[at] = true;
        next = at + 1;
    }
    let lost = (0..sent.len()).filter(|at| !has_arrived[*at]).collect();
    Ok(Account { lost, duplicates })
}

/// Each reading that was sent has arrived once, in its order, as the meter counted it.
pub(crate) fn must_be_each_once(arrived: &[Value], sent: &[Sent]) {
    for (arrived, sent) in arrived.iter().zip(sent) {
        assert_eq!(sent.differs(arrived), None);
    }
    assert_eq!(arrived.len(), sent.len(), "as many arrive as were sent");
}
