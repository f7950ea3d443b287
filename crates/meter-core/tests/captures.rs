//! Recordings of real meters: every entry of every telegram against what must come out.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it has seen"
)]

use std::error::Error;
use std::fs;

use meter_core::payload::Hex;
use meter_core::payload::json::{Detail, write_register};
use meter_core::{Decimal, Reading, Register, Value};
use serde_json::Value as Json;
use sml_wire::{Body, Decoder, Event};

/// The bodies of the lists in a recording, in the order of the telegrams.
fn lists(recording: &[u8]) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new(vec![0; 16 * 1024]);
    let mut input = recording;
    let mut lists = Vec::new();
    while let Some(event) = decoder.next(&mut input) {
        let Event::Frame(frame) = event else { continue };
        for message in frame.file().messages().flatten() {
            if let Body::GetListRes(list) = message.body
                && message.intact()
            {
                let mut buffer = [0; 16 * 1024];
                let body = Reading::new(list).emit(&mut buffer).expect("fits a frame");
                lists.push(body.to_vec());
            }
        }
    }
    lists
}

#[test]
fn every_entry_is_what_it_must_be() -> Result<(), Box<dyn Error>> {
    let Some(captures) = recordings::captures() else {
        return Ok(());
    };
    let mut entries = 0;
    for path in captures {
        let lists = lists(&fs::read(&path)?);
        let wanted: Vec<Json> = fs::read_to_string(path.with_extension("jsonl"))?
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?;
        assert_eq!(lists.len(), wanted.len(), "{}", path.display());
        for (list, wanted) in lists.iter().zip(&wanted) {
            entries += compare(&Reading::from_bytes(list)?, wanted);
        }
    }
    println!("{entries} entries");
    assert!(entries > 0);
    Ok(())
}

/// Compares a reading with a line of the `.jsonl` and returns how many entries were right.
fn compare(reading: &Reading<'_>, wanted: &Json) -> usize {
    assert_eq!(
        reading.server_id().to_string(),
        wanted["server_id"].as_str().unwrap()
    );
    assert_eq!(
        reading.seconds_index(),
        wanted["act_sensor_time"]["v"].as_u64()
    );
    let registers: Vec<Register<'_>> = reading.registers().collect();
    let wanted = wanted["entries"].as_array().unwrap();
    assert_eq!(registers.len(), wanted.len());
    for (register, wanted) in registers.iter().zip(wanted) {
        compare_register(register, wanted);
    }
    wanted.len()
}

fn compare_register(register: &Register<'_>, wanted: &Json) {
    let obis = Hex(&register.obis.0).to_string();
    assert_eq!(obis, wanted["obis"].as_str().unwrap());
    assert_eq!(register.status, wanted["status"].as_u64());
    let unit = register.unit.map_or(0, |unit| u64::from(unit.0));
    assert_eq!(unit, wanted["unit"].as_u64().unwrap_or(0));

    let raw = decoded(register);
    assert_eq!(raw["raw"], wanted["value"], "{wanted}");
    assert_eq!(raw["scaler"], wanted["scaler"]);
    let wire_type = wanted["vt"].as_str().unwrap().replace('n', "none");
    assert_eq!(raw["type"], wire_type);

    let fixed = wanted.get("value_fixed").unwrap_or(&wanted["value"]);
    let scaler = i8::try_from(wanted["scaler"].as_i64().unwrap_or(0)).unwrap();
    match register.value {
        // The sign that direction gives is not in the files.
        Value::Number(number) if obis == "01000f0700ff" => {
            assert_eq!(
                number.abs(),
                Decimal::signed(fixed.as_i64().unwrap(), scaler)
            );
        }
        Value::Number(number) => {
            assert_eq!(number, Decimal::signed(fixed.as_i64().unwrap(), scaler));
            assert_eq!(number.scaler(), scaler);
            assert_eq!(register.rule.is_some(), wanted.get("value_fixed").is_some());
        }
        Value::Octets(_) => assert_eq!(raw["raw"], *fixed),
        _ => assert!(fixed.is_null(), "{wanted}"),
    }
}

fn decoded(register: &Register<'_>) -> Json {
    let mut text = String::new();
    write_register(register, Detail::Decoded, &mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}
