//! Who is measured. Each finds the frames in one long piece of bytes, checks both checksums and
//! walks over every register into an owned reading; the table alone only shows what a checksum costs.

mod ours;
mod sml_rs;

use crc::{CRC_16_IBM_SDLC, Crc, Table};
use std::hint::black_box;

use crate::reading::{Found, Reading};

/// Longest frame on the line.
const FRAME_MAX: usize = 16 * 1024;

/// Somebody who decodes.
pub struct Contender {
    /// Its name in the table.
    pub name: &'static str,
    /// Decodes all bytes; the reading lends its memory. `None` if it does not decode.
    pub decode: fn(&[u8], &mut Reading) -> Option<Found>,
}

/// The one that all others are compared with.
pub const BASELINE: &str = "sml-rs complete";
/// The one that must not allocate.
pub const OURS: &str = "sml-wire";

/// All of them, in the order of the table.
pub const ALL: [Contender; 4] = [
    Contender {
        name: OURS,
        decode: |input, reading| Some(ours::decode(input, reading)),
    },
    Contender {
        name: BASELINE,
        decode: |input, reading| Some(sml_rs::decode_complete(input, reading)),
    },
    Contender {
        name: "sml-rs streaming",
        decode: |input, reading| Some(sml_rs::decode_streaming(input, reading)),
    },
    Contender {
        name: "table CRC alone",
        decode: |input, _| {
            black_box(TABLE.checksum(input));
            None
        },
    },
];

/// The usual table of 256 entries, once over all bytes.
static TABLE: Crc<u16, Table<1>> = Crc::<u16, Table<1>>::new(&CRC_16_IBM_SDLC);
