//! Speed of sml-wire beside its peers, in one run, over recorded telegrams.
//!
//! Each contender finds the frames in one long piece of bytes, checks both checksums and walks over
//! every register. The rounds go in turn, so that a machine that slows down slows all of them.

use sml_wire::{Body, Decoder, Event, Obis, Value};
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts what is asked of the heap.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code)]
// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = 7;
/// Bytes of one round, at least.
const ROUND_BYTES: usize = 16 << 20;

/// What a contender says it found; all must agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    telegrams: u64,
    registers: u64,
    /// Sum of all integer values, wrapping.
    sum: u64,
}

/// A register that owns its content, apart from octets, which lie in one arena for all.
struct Register {
    obis: Obis,
    status: Option<u64>,
    unit: u8,
    scaler: i8,
    value: Content,
}

enum Content {
    Integer(i64),
    Octets(Range<usize>),
    Other,
}

fn ours(input: &[u8]) -> Found {
    let mut found = Found::default();
    let mut decoder = Decoder::new([0; 16 * 1024]);
    let mut registers = Vec::with_capacity(64);
    let mut arena = Vec::with_capacity(1024);
    let mut rest = input;
    while let Some(event) = decoder.next(&mut rest) {
        let Event::Frame(frame) = event else { continue };
        found.telegrams += 1;
        for message in frame.file().messages().flatten() {
            if !message.intact() {
                continue;
            }
            if let Body::GetListRes(list) = message.body {
                registers.clear();
                arena.clear();
                for entry in list.entries {
                    registers.push(Register {
                        obis: entry.obis().unwrap_or(Obis([0; 6])),
                        status: entry.status.and_then(|s| s.as_u64()),
                        unit: entry.unit.and_then(|s| s.as_u64()).unwrap_or(0) as u8,
                        scaler: entry.scaler.and_then(|s| s.as_i64()).unwrap_or(0) as i8,
                        value: match entry.value {
                            Value::Integer(value) => Content::Integer(value.as_i64().unwrap_or(0)),
                            Value::Octets(octets) => {
                                let start = arena.len();
                                arena.extend_from_slice(octets);
                                Content::Octets(start..arena.len())
                            }
                            _ => Content::Other,
                        },
                    });
                }
                for register in black_box(&registers) {
                    found.registers += 1;
                    if let Content::Integer(value) = register.value {
                        found.sum = found.sum.wrapping_add(value as u64);
                    }
                }
            }
        }
    }
    found
}

fn sml_rs_complete(input: &[u8]) -> Found {
    use sml_rs::parser::{
        common::Value,
        complete::{MessageBody, parse},
    };
    let mut found = Found::default();
    let mut decoder = sml_rs::transport::Decoder::<sml_rs::util::ArrayBuf<{ 16 * 1024 }>>::new();
    for byte in input {
        let Ok(Some(payload)) = decoder.push_byte(*byte) else {
            continue;
        };
        found.telegrams += 1;
        let Ok(file) = parse(payload) else { continue };
        for message in black_box(&file).messages.iter() {
            if let MessageBody::GetListResponse(list) = &message.message_body {
                for entry in &list.val_list {
                    found.registers += 1;
                    let value = match entry.value {
                        Value::I8(v) => i64::from(v),
                        Value::I16(v) => i64::from(v),
                        Value::I32(v) => i64::from(v),
                        Value::I64(v) => v,
                        Value::U8(v) => i64::from(v),
                        Value::U16(v) => i64::from(v),
                        Value::U32(v) => i64::from(v),
                        Value::U64(v) => v as i64,
                        _ => 0,
                    };
                    found.sum = found.sum.wrapping_add(value as u64);
                }
            }
        }
    }
    found
}

fn main() {
    use std::mem::size_of;
    println!(
        "entry {} body {} message {} time {} getlist {}",
        size_of::<sml_wire::ListEntry>(),
        size_of::<Body>(),
        size_of::<sml_wire::Message>(),
        size_of::<sml_wire::Time>(),
        size_of::<sml_wire::GetListRes>()
    );
    let shared = std::env::var("METERLINE_SHARED").unwrap_or_else(|_| "../../shared".into());
    let mut paths: Vec<_> = std::fs::read_dir(format!("{shared}/captures"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "bin"))
        .collect();
    paths.sort();
    let mut clean = Vec::new();
    let mut raw = Vec::new();
    for p in paths {
        let bytes = std::fs::read(p).unwrap();
        let mut d = Decoder::new(vec![0; 16384]);
        let mut rest = &bytes[..];
        while let Some(e) = d.next(&mut rest) {
            if let Event::Frame(f) = e {
                let s = f.offset as usize;
                clean.extend_from_slice(&bytes[s..s + f.length]);
            }
        }
        raw.extend_from_slice(&bytes);
    }
    for (name, one) in [("clean", clean), ("raw", raw)] {
        let mut input = Vec::new();
        while input.len()
            < std::env::var("BYTES")
                .ok()
                .and_then(|b| b.parse().ok())
                .unwrap_or(ROUND_BYTES)
        {
            input.extend_from_slice(&one);
        }
        let contenders: [(&str, fn(&[u8]) -> Found); 2] =
            [("sml-wire", ours), ("sml-rs complete", sml_rs_complete)];
        let mut times = [[Duration::ZERO; ROUNDS]; 2];
        for round in 0..ROUNDS {
            for (i, (_, f)) in contenders.iter().enumerate() {
                let a = ALLOCATIONS.load(Ordering::Relaxed);
                let t = Instant::now();
                let found = f(&input);
                times[i][round] = t.elapsed();
                if round == 0 {
                    println!(
                        "{name} {} {:?} allocs {}",
                        contenders[i].0,
                        found,
                        ALLOCATIONS.load(Ordering::Relaxed) - a
                    );
                }
            }
        }
        for (i, (c, _)) in contenders.iter().enumerate() {
            times[i].sort();
            println!(
                "{name} {c}: {:.0} MB/s",
                input.len() as f64 / times[i][ROUNDS / 2].as_secs_f64() / 1e6
            );
        }
    }
}
