//! What the program's own journal holds, held against what the meters sent.

use std::collections::BTreeMap;

use meter_core::Unit;
use meter_core::payload::{Hex, Key, Octets};
use meter_sim::{Telegram, TrueValue};
use serde_json::Value;

use crate::process::{ask, exchange};
use crate::rows::{Outcome, Wanted, plain, registers};
use crate::{Head, Result};

/// The registers of one reading.
type Registers = BTreeMap<String, String>;

/// What the program says of itself, also when somebody should look after it.
pub fn health(port: u16) -> Result<Value> {
    let (_, body) = exchange(port, "GET", "/api/v1/health")?;
    Ok(serde_json::from_str(&body)?)
}

/// Reads the whole journal through the program's HTTP server. Each meter must have sent what `sent` says, in that
/// order.
pub fn read(port: u16, heads: &[Head], sent: &[Vec<Telegram>]) -> Result<(Wanted, Outcome)> {
    let mut wanted = Wanted::default();
    let mut outcome = Outcome {
        output: "journal".to_owned(),
        ..Outcome::default()
    };
    for (head, sent) in heads.iter().zip(sent) {
        let stored = of_meter(port, head, &mut wanted)?;
        let truth: Vec<_> = sent.iter().map(truth).collect();
        outcome.sent += truth.len();
        outcome.lost += truth.len().saturating_sub(stored.len());
        outcome.doubled += stored.len().saturating_sub(truth.len());
        let different = truth
            .iter()
            .zip(&stored)
            .find(|(sent, stored)| sent != stored);
        if let Some((sent, stored)) = different {
            outcome.wrong += 1;
            outcome.example = Some(format!("sent {sent:?}, stored {stored:?}"));
        }
    }
    Ok((wanted, outcome))
}

fn of_meter(port: u16, head: &Head, wanted: &mut Wanted) -> Result<Vec<Registers>> {
    let id = server_id(head);
    let mut readings = Vec::new();
    let mut next = Some(format!("/api/v1/meters/{id}/readings?limit=1000"));
    while let Some(target) = next {
        let page: Value = serde_json::from_str(&ask(port, "GET", &target)?)?;
        let all = page.get("readings").and_then(Value::as_array);
        for reading in all.ok_or("no readings")? {
            let mut of_reading = Registers::new();
            for (place, value, is_number) in registers(reading)? {
                let text = if is_number {
                    plain(&value)
                } else {
                    value.clone()
                };
                of_reading.insert(place.register().to_owned(), text);
                wanted.add(place, value, is_number)?;
            }
            readings.push(of_reading);
        }
        next = page.get("next").and_then(Value::as_str).map(str::to_owned);
    }
    Ok(readings)
}

/// A meter's octets in hexadecimal, by which the program knows it too.
pub fn server_id(head: &Head) -> String {
    Hex(head.meter().server_id()).to_string()
}

/// What a telegram says, in the same words.
fn truth(telegram: &Telegram) -> Registers {
    let registers = telegram.registers.iter().map(|register| {
        let key = Key::new(register.obis, register.unit.map(Unit));
        let value = match &register.value {
            TrueValue::Octets(octets) => Octets(octets).to_string(),
            number @ TrueValue::Number { .. } => plain(&number.to_string()),
        };
        (key.to_string(), value)
    });
    registers.collect()
}
