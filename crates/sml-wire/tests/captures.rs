//! The recordings of real meters, field by field, and each frame written again as it was.

#![expect(
    clippy::panic,
    clippy::format_collect,
    reason = "a test fails by panicking, and tells what it did"
)]

use serde_json::Value as Json;
use sml_wire::{Body, CrcKind, Decoder, Event, Frame, GetListRes, Integer, Time, Value, Writer};
use std::error::Error;
use std::fs;

fn frames(bytes: &[u8], piece: usize, mut each: impl FnMut(Frame<'_>)) -> u64 {
    let mut decoder = Decoder::new(vec![0; 16 * 1024]);
    let mut skipped = 0;
    for mut input in bytes.chunks(piece) {
        while let Some(event) = decoder.next(&mut input) {
            match event {
                Event::Frame(frame) => each(frame),
                Event::Skipped(part) => skipped += part.length,
            }
        }
    }
    while let Some(event) = decoder.finish() {
        if let Event::Skipped(part) = event {
            skipped += part.length;
        }
    }
    skipped
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn wire_type(integer: Integer) -> String {
    let sign = if integer.is_signed() { 'i' } else { 'u' };
    format!("{sign}{}", 8 * u32::from(integer.width()))
}

fn number(integer: Option<Integer>) -> Json {
    integer.map_or(Json::Null, |integer| {
        integer
            .as_i64()
            .map_or_else(|| integer.as_u64().into(), Json::from)
    })
}

fn time(time: Option<Time>) -> Json {
    match time {
        None => Json::Null,
        Some(time) => {
            let tag = match time {
                Time::SecondsIndex(_) => 1,
                Time::Timestamp(_) => 2,
                Time::Local { .. } => 3,
                Time::Bare(_) => 0,
            };
            serde_json::json!({"tag": tag, "v": time.seconds().as_u64()})
        }
    }
}

/// The same fields as in the `.jsonl` beside a recording.
fn fields(frame: &Frame<'_>, list: &GetListRes<'_>) -> Json {
    let text = |bytes: Option<&[u8]>| bytes.map(hex).map_or(Json::Null, Json::from);
    let entries: Vec<_> = list
        .entries
        .iter()
        .map(|entry| {
            let (value, kind) = match entry.value {
                Value::Absent => (Json::Null, "n".into()),
                Value::Octets(bytes) => (hex(bytes).into(), format!("o{}", bytes.len())),
                Value::Integer(integer) => (number(Some(integer)), wire_type(integer)),
                other => panic!("no recording has {other:?}"),
            };
            serde_json::json!({
                "obis": hex(entry.name),
                "status": number(entry.status),
                "st_t": entry.status.map(wire_type),
                "valTime": time(entry.time),
                "unit": number(entry.unit),
                "scaler": number(entry.scaler),
                "value": value,
                "vt": kind,
                "sig": text(entry.signature),
            })
        })
        .collect();
    serde_json::json!({
        "offset": frame.offset,
        "len": frame.length,
        "pad": frame.fill,
        "file_crc": frame.crc.name(),
        "server_id": hex(list.server_id),
        "client_id": text(list.client_id),
        "list_name": text(list.list_name),
        "act_sensor_time": time(list.sensor_time),
        "entries": entries,
    })
}

#[test]
fn every_field_is_right() -> Result<(), Box<dyn Error>> {
    let Some(captures) = recordings::captures() else {
        return Ok(());
    };
    let mut telegrams = 0;
    for path in captures {
        let mut found = Vec::new();
        frames(&fs::read(&path)?, usize::MAX, |frame| {
            for message in frame.file().messages() {
                let message = message.expect("every message of a good frame can be read");
                assert!(message.intact(), "{path:?}");
                if let Body::GetListRes(list) = message.body {
                    found.push(fields(&frame, &list));
                }
            }
        });
        let expected = fs::read_to_string(path.with_extension("jsonl"))?;
        let expected: Vec<Json> = expected
            .lines()
            .map(|line| {
                let mut line: Json = serde_json::from_str(line)?;
                for key in ["capture", "telegram", "agree"] {
                    line.as_object_mut().and_then(|line| line.remove(key));
                }
                for entry in line["entries"].as_array_mut().into_iter().flatten() {
                    for key in ["value_fixed", "fix"] {
                        entry.as_object_mut().and_then(|entry| entry.remove(key));
                    }
                }
                Ok(line)
            })
            .collect::<Result<_, serde_json::Error>>()?;
        assert_eq!(found, expected, "{path:?}");
        telegrams += found.len();
    }
    println!("{telegrams} telegrams compared");
    Ok(())
}

#[test]
fn every_frame_is_written_again_as_it_was() -> Result<(), Box<dyn Error>> {
    for path in recordings::captures().into_iter().flatten() {
        let bytes = fs::read(&path)?;
        frames(&bytes, usize::MAX, |frame| {
            let (mut file, mut wire) = ([0; 4096], [0; 4096]);
            let mut payload = Writer::new(&mut file);
            for message in frame.file().messages() {
                message
                    .expect("readable")
                    .emit(&mut payload)
                    .expect("space");
            }
            let mut telegram = Writer::new(&mut wire);
            Frame {
                payload: payload.written(),
                ..frame
            }
            .emit(&mut telegram)
            .expect("space");
            let start = usize::try_from(frame.offset).expect("small");
            assert_eq!(
                hex(telegram.written()),
                hex(&bytes[start..start + frame.length]),
                "{path:?}"
            );
        });
    }
    Ok(())
}

#[test]
fn pieces_of_any_size_give_the_same() -> Result<(), Box<dyn Error>> {
    for path in recordings::captures().into_iter().flatten() {
        let bytes = fs::read(&path)?;
        let collect = |piece| {
            let mut found = Vec::new();
            let skipped = frames(&bytes, piece, |frame| {
                found.push((frame.offset, frame.length, frame.payload.to_vec()));
            });
            let in_frames: usize = found.iter().map(|frame| frame.1).sum();
            assert_eq!(
                skipped + in_frames as u64,
                bytes.len() as u64,
                "every byte is accounted for"
            );
            found
        };
        let whole = collect(usize::MAX);
        for piece in [1, 2, 3, 7, 64, 333, 1000] {
            assert_eq!(collect(piece), whole, "{path:?} in pieces of {piece}");
        }
    }
    Ok(())
}

#[test]
fn outlines_name_what_is_there() -> Result<(), Box<dyn Error>> {
    for path in recordings::captures().into_iter().flatten() {
        frames(&fs::read(&path)?, usize::MAX, |frame| {
            let outline = frame.to_string();
            for part in [
                "PublicOpen.Res",
                "GetList.Res",
                "register: 1",
                "Wh",
                "server id:",
            ] {
                assert!(outline.contains(part), "{part} is missing in\n{outline}");
            }
            assert_eq!(frame.crc, CrcKind::X25);
        });
    }
    Ok(())
}
