//! Frames from bytes in any pieces, both CRCs, every message and every entry of its
//! lists: what a reader on a microcontroller links in.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use sml_wire::{Body, Decoder, Event, Value};

/// Keeps `decode_everything` without a symbol name that would need `unsafe`.
#[used]
static ENTRY: fn(&mut Decoder<[u8; 1024]>, &[u8]) -> u64 = decode_everything;

/// What it gives is of no use, but depends on every field, so that nothing is left out.
#[inline(never)]
fn decode_everything(decoder: &mut Decoder<[u8; 1024]>, mut bytes: &[u8]) -> u64 {
    let mut seen = 0_u64;
    while let Some(event) = decoder.next(&mut bytes) {
        let Event::Frame(frame) = event else { continue };
        for message in frame.file().messages().flatten() {
            if !message.intact() {
                continue;
            }
            match message.body {
                Body::GetListRes(list) => {
                    seen ^= list.server_id.len() as u64;
                    seen ^= list
                        .sensor_time
                        .and_then(|time| time.seconds_index())
                        .unwrap_or(0);
                    for entry in list.entries {
                        seen ^= look(&entry);
                    }
                }
                other => seen ^= other.tag(),
            }
        }
    }
    seen
}

fn look(entry: &sml_wire::ListEntry<'_>) -> u64 {
    let mut seen = 0;
    for byte in entry.name {
        seen = seen << 8 | u64::from(*byte);
    }
    for number in [entry.status, entry.unit, entry.scaler]
        .into_iter()
        .flatten()
    {
        seen ^= number.magnitude();
    }
    seen ^ match entry.value {
        Value::Integer(number) => number.magnitude(),
        Value::Octets(octets) => octets.len() as u64,
        Value::Bool(value) => value.into(),
        _ => 0,
    }
}

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    loop {}
}
