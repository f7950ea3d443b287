//! sml-wire.

use sml_wire::{Body, Decoder, Event, GetListRes, Integer, ListEntry, Time};

use super::FRAME_MAX;
use crate::reading::{Found, Reading, Register, Value};

/// Decodes all bytes.
#[inline(never)]
pub fn decode(mut input: &[u8], reading: &mut Reading) -> Found {
    let mut found = Found::default();
    let mut decoder = Decoder::new([0; FRAME_MAX]);
    while let Some(event) = decoder.next(&mut input) {
        let Event::Frame(frame) = event else { continue };
        found.telegrams += 1;
        for message in frame.file().messages().flatten() {
            if !message.intact() {
                continue;
            }
            if let Body::GetListRes(list) = &message.body {
                read(list, reading);
                reading.end(&mut found);
            }
        }
    }
    found
}

fn read(list: &GetListRes<'_>, reading: &mut Reading) {
    reading.begin(
        list.server_id,
        list.sensor_time.and_then(Time::seconds_index),
    );
    for entry in &list.entries {
        let register = register(&entry, reading);
        reading.push(register);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "codes and powers of ten have a byte"
)]
fn register(entry: &ListEntry<'_>, reading: &mut Reading) -> Register {
    let unsigned = |integer: Option<Integer>| integer.and_then(Integer::as_u64);
    Register {
        obis: entry.name.try_into().unwrap_or_default(),
        status: unsigned(entry.status),
        unit: unsigned(entry.unit).unwrap_or_default() as u8,
        scaler: entry.scaler.and_then(Integer::as_i64).unwrap_or_default() as i8,
        value: match entry.value {
            sml_wire::Value::Integer(integer) => Value::Integer(
                integer
                    .as_i64()
                    .unwrap_or(integer.magnitude().cast_signed()),
            ),
            sml_wire::Value::Octets(octets) => Value::Octets(reading.keep(octets)),
            sml_wire::Value::Absent => Value::Octets(reading.keep(&[])),
            _ => Value::Other,
        },
    }
}
