//! sml-rs, with its stack buffer for frames, which is the faster one of its two.

use sml_rs::parser::common::{ListEntry, Status, Time};
use sml_rs::parser::{complete, streaming};
use sml_rs::util::ArrayBuf;

use super::FRAME_MAX;
use crate::reading::{Found, Reading, Register, Value};

/// Decodes all bytes, each file as a whole.
pub fn decode_complete(input: &[u8], reading: &mut Reading) -> Found {
    decode(input, |payload, found| {
        let Ok(file) = complete::parse(payload) else {
            return;
        };
        for message in &file.messages {
            if let complete::MessageBody::GetListResponse(list) = &message.message_body {
                reading.begin(list.server_id, seconds_index(list.act_sensor_time.as_ref()));
                for entry in &list.val_list {
                    push(entry, reading);
                }
                reading.end(found);
            }
        }
    })
}

/// Decodes all bytes, each file piece by piece.
pub fn decode_streaming(input: &[u8], reading: &mut Reading) -> Found {
    decode(input, |payload, found| {
        for event in streaming::Parser::new(payload) {
            match event {
                Ok(streaming::ParseEvent::MessageStart(message)) => {
                    if let streaming::MessageBody::GetListResponse(list) = &message.message_body {
                        reading.begin(list.server_id, seconds_index(list.act_sensor_time.as_ref()));
                    }
                }
                Ok(streaming::ParseEvent::ListEntry(entry)) => push(&entry, reading),
                Ok(streaming::ParseEvent::GetListResponseEnd(_)) => reading.end(found),
                Err(_) => return,
            }
        }
    })
}

fn decode(input: &[u8], mut parse: impl FnMut(&[u8], &mut Found)) -> Found {
    let mut found = Found::default();
    let mut decoder = sml_rs::transport::Decoder::<ArrayBuf<FRAME_MAX>>::new();
    for byte in input {
        if let Ok(Some(payload)) = decoder.push_byte(*byte) {
            found.telegrams += 1;
            parse(payload, &mut found);
        }
    }
    found
}

fn seconds_index(time: Option<&Time>) -> Option<u64> {
    let Time::SecIndex(seconds) = time?;
    Some((*seconds).into())
}

fn push(entry: &ListEntry<'_>, reading: &mut Reading) {
    use sml_rs::parser::common::Value as Theirs;
    let value = match entry.value {
        Theirs::I8(number) => Value::Integer(number.into()),
        Theirs::I16(number) => Value::Integer(number.into()),
        Theirs::I32(number) => Value::Integer(number.into()),
        Theirs::I64(number) => Value::Integer(number),
        Theirs::U8(number) => Value::Integer(number.into()),
        Theirs::U16(number) => Value::Integer(number.into()),
        Theirs::U32(number) => Value::Integer(number.into()),
        Theirs::U64(number) => Value::Integer(number.cast_signed()),
        Theirs::Bytes(octets) => Value::Octets(reading.keep(octets)),
        Theirs::Bool(_) | Theirs::List(_) => Value::Other,
    };
    reading.push(Register {
        obis: entry.obj_name.try_into().unwrap_or_default(),
        status: entry.status.as_ref().map(|status| match *status {
            Status::Status8(bits) => bits.into(),
            Status::Status16(bits) => bits.into(),
            Status::Status32(bits) => bits.into(),
            Status::Status64(bits) => bits,
        }),
        unit: entry.unit.unwrap_or_default(),
        scaler: entry.scaler.unwrap_or_default(),
        value,
    });
}
