//! What a server holds and what the journal has, in one form.

use std::collections::BTreeMap;

use meter_core::{Reading, UnixMillis};
use meter_gateway::journal::Record;
use serde_json::Value as Json;

use crate::stage::Result;

/// The meter without spaces, the time as ISO 8601 has it, the register's code such as `1.8.0`, and the number
/// without noughts at its end.
pub type Row = (String, String, String, String);

/// The numbers of all registers.
pub fn of_records(records: &[Record]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for record in records {
        let reading = Reading::from_bytes(&record.body)?;
        let meter = reading.meter_id().compact().to_string();
        for register in reading.registers() {
            if let Some(number) = register.number() {
                let obis = register.obis.to_string();
                rows.push(row(
                    &meter,
                    &record.time.to_string(),
                    &obis,
                    &number.to_string(),
                ));
            }
        }
    }
    Ok(rows)
}

/// From what a server has under other names: a meter with spaces, a whole OBIS code or one with a unit behind
/// it.
pub fn row(meter: &str, time: &str, register: &str, number: &str) -> Row {
    let code = register.trim_start_matches("1-0:").trim_end_matches("*255");
    let code = code.split('_').next().unwrap_or_default();
    let number = match number.split_once('.') {
        Some(_) => number.trim_end_matches('0').trim_end_matches('.'),
        None => number,
    };
    (
        meter.replace(' ', ""),
        time.to_owned(),
        code.to_owned(),
        number.to_owned(),
    )
}

/// The same of a server that counts milliseconds and has floats. Two texts of a number are the same float, or
/// they are not.
pub fn of_millis(meter: &str, time: i64, register: &str, number: f64) -> Row {
    row(
        meter,
        &UnixMillis(time).to_string(),
        register,
        &number.to_string(),
    )
}

/// The numbers in a reading as our own JSON has it.
pub fn of_json(reading: &Json) -> Vec<Row> {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let registers = reading["registers"].as_array().into_iter().flatten();
    let numbers = registers.filter(|register| register["value"].is_number());
    numbers
        .map(|register| {
            let number = register["value"].to_string();
            row(
                &text(&reading["meter_id"]),
                &text(&reading["time"]),
                &text(&register["obis"]),
                &number,
            )
        })
        .collect()
}

/// Nothing is missing, nothing is there that was not sent, and so many readings at most came again.
pub fn compare(found: &[Row], wanted: &[Row], again: usize) {
    let mut count: BTreeMap<&Row, usize> = wanted.iter().map(|row| (row, 0)).collect();
    assert_eq!(count.len(), wanted.len(), "a reading like another");
    let readings = wanted.len() / 2;
    let total = found.len();
    for row in found {
        let times = count.get_mut(row);
        *times.unwrap_or_else(|| panic!("nobody sent {row:?}")) += 1;
    }
    let lost: Vec<_> = count.iter().filter(|(_, times)| **times == 0).collect();
    let first = lost.first();
    assert!(
        lost.is_empty(),
        "{} of {readings} readings lost, first {first:?}",
        lost.len() / 2
    );
    let twice = (total - wanted.len()) / 2;
    assert!(
        twice <= again,
        "{twice} of {readings} readings came again, and {again} may"
    );
}
