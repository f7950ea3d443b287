//! Frames: how a file travels over a line (SML 1.04, chapter 8, transport protocol version 1).
//!
//! | bytes | meaning |
//! |---|---|
//! | `1b 1b 1b 1b 01 01 01 01` | start |
//! | payload, each `1b 1b 1b 1b` in it doubled | the file |
//! | `00`, up to three times | fills the payload up to a multiple of four |
//! | `1b 1b 1b 1b 1a nn` | end, nn fill bytes |
//! | two bytes | CRC over everything before them |
//!
//! Version 2 (start `1b 1b 1b 1b 02 02 02 02`, blocks that are acknowledged) is not in use on
//! meters; its frames are passed over.

mod decoder;
mod scan;

pub use decoder::{Cause, Counts, Decoder, Event, Skipped};

use crate::element::{Full, Writer};
use crate::{CrcKind, File};
use scan::{END, ESCAPE, START};

/// Bytes around the payload: start, end, fill count and CRC.
const OVERHEAD: usize = 16;

/// A frame whose CRC is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Where its start sequence begins, counted from the first byte the decoder was given.
    pub offset: u64,
    /// Its bytes on the line, from the start sequence to the CRC.
    pub length: usize,
    /// Which CRC it carries.
    pub crc: CrcKind,
    /// Bytes that fill it up, 0 to 4. Three are enough; DZG meters send four instead of none.
    pub fill: u8,
    /// The file, without escapes and fill bytes.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// A frame that is to be written.
    #[must_use]
    pub fn new(payload: &'a [u8], crc: CrcKind) -> Self {
        let fill = match payload.len() % 4 {
            1 => 3,
            2 => 2,
            3 => 1,
            _ => 0,
        };
        Self {
            offset: 0,
            length: 0,
            crc,
            fill,
            payload,
        }
    }

    /// The messages in it.
    #[must_use]
    pub fn file(&self) -> File<'a> {
        File::new(self.payload, self.crc)
    }

    /// Appends the frame as it goes over the line. Its `offset` and `length` do not matter.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let start = writer.written().len();
        writer.raw(&ESCAPE)?;
        writer.raw(&START)?;
        let mut rest = self.payload;
        while let Some((&byte, behind)) = rest.split_first() {
            if rest.starts_with(&ESCAPE) {
                writer.raw(&ESCAPE)?;
                writer.raw(&ESCAPE)?;
                rest = rest.get(ESCAPE.len()..).unwrap_or_default();
            } else {
                writer.byte(byte)?;
                rest = behind;
            }
        }
        for _ in 0..self.fill {
            writer.byte(0)?;
        }
        writer.raw(&ESCAPE)?;
        writer.raw(&[END, self.fill])?;
        let crc = self
            .crc
            .checksum(writer.written().get(start..).unwrap_or_default());
        writer.raw(&crc)
    }
}
