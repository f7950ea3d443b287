//! The two checksums that meters use, over the frame and over each message.

/// x^16 + x^12 + x^5 + 1, lowest bit first: X.25 and Kermit share it.
const POLYNOMIAL: u16 = 0x8408;

/// How many bytes are taken at once. Each place in a block has a table of 512 bytes.
const BLOCK: usize = if cfg!(feature = "small") { 1 } else { 16 };

/// What a byte leaves with 0, 1, 2 and so on zeros behind it.
static TABLES: [[u16; 256]; BLOCK] = tables();

#[expect(clippy::cast_possible_truncation, reason = "up to 255")]
const fn tables() -> [[u16; 256]; BLOCK] {
    let mut tables = [[0; 256]; BLOCK];
    let mut byte = 0;
    while byte < 256 {
        let mut left = byte as u16;
        let mut zeros = 0;
        while zeros < BLOCK {
            let mut bit = 0;
            while bit < 8 {
                left = (left >> 1) ^ if left & 1 == 0 { 0 } else { POLYNOMIAL };
                bit += 1;
            }
            tables[zeros][byte] = left;
            zeros += 1;
        }
        byte += 1;
    }
    tables
}

/// What the bytes leave behind others that left `before`.
#[cfg(feature = "small")]
fn remainder(before: u16, bytes: &[u8]) -> u16 {
    let [table] = &TABLES;
    bytes.iter().fold(before, |left, byte| {
        let [low, high] = left.to_le_bytes();
        table[usize::from(low ^ byte)] ^ u16::from(high)
    })
}

/// What the bytes leave behind others that left `before`.
///
/// Zeros in front change nothing, so the bytes that are too few for a block come first and are
/// filled up with zeros: one step for all of them.
#[cfg(not(feature = "small"))]
fn remainder(before: u16, bytes: &[u8]) -> u16 {
    let (head, blocks) = bytes.as_rchunks::<BLOCK>();
    let first = match (head.len(), bytes.first_chunk()) {
        (0, _) => before,
        (count, first) => {
            let fill = 8 * (BLOCK - count);
            let head = first.map_or_else(
                || {
                    head.iter()
                        .rev()
                        .fold(0, |all, byte| all << 8 | u128::from(*byte))
                },
                |block| u128::from_le_bytes(*block),
            );
            // A single byte takes in only half of what came before.
            let [_, high] = before.to_le_bytes();
            let beyond = if count == 1 { high } else { 0 };
            block((head ^ u128::from(before)) << fill) ^ u16::from(beyond)
        }
    };
    blocks.iter().fold(first, |left, bytes| {
        block(u128::from_le_bytes(*bytes) ^ u128::from(left))
    })
}

/// What a block leaves. The first bytes come last, since those before the block are in them.
#[cfg(not(feature = "small"))]
#[inline(always)]
fn block(bytes: u128) -> u16 {
    let places = bytes.to_le_bytes().into_iter().rev().zip(&TABLES);
    places.fold(0, |left, (byte, table)| left ^ table[usize::from(byte)])
}

/// Which checksum a telegram carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CrcKind {
    /// CRC-16/X.25 (also called IBM-SDLC), low byte first: what the specification asks for.
    #[default]
    X25,
    /// CRC-16/Kermit, high byte first: Holley DTZ541 with some firmware.
    Kermit,
}

impl CrcKind {
    /// The name in lower case, as in the JSON of `meterline decode`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::X25 => "x25",
            Self::Kermit => "kermit",
        }
    }

    /// The other one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::X25 => Self::Kermit,
            Self::Kermit => Self::X25,
        }
    }

    /// The checksum of `bytes` as the two bytes that follow them on the wire.
    #[must_use]
    pub fn checksum(self, bytes: &[u8]) -> [u8; 2] {
        match self {
            Self::X25 => (!remainder(0xffff, bytes)).to_le_bytes(),
            Self::Kermit => remainder(0, bytes).to_be_bytes(),
        }
    }
}

impl core::fmt::Display for CrcKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(match self {
            Self::X25 => "X.25",
            Self::Kermit => "Kermit",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{CrcKind, POLYNOMIAL};

    // The check values of the public CRC catalogue, over the digits 1 to 9.
    #[test]
    fn catalogue_check_values() {
        assert_eq!(
            CrcKind::X25.checksum(b"123456789"),
            0x906e_u16.to_le_bytes()
        );
        assert_eq!(
            CrcKind::Kermit.checksum(b"123456789"),
            0x2189_u16.to_be_bytes()
        );
    }

    #[test]
    fn the_same_bit_by_bit_at_any_length() {
        let bytes: [u8; 100] = core::array::from_fn(|at| (at * at * 7 + 3).to_le_bytes()[0]);
        for length in 0..=bytes.len() {
            let bytes = &bytes[..length];
            let by_bits = bytes.iter().fold(0xffff_u16, |left, byte| {
                (0..8).fold(left ^ u16::from(*byte), |left, _| {
                    (left >> 1) ^ if left & 1 == 0 { 0 } else { POLYNOMIAL }
                })
            });
            assert_eq!(CrcKind::X25.checksum(bytes), (!by_bits).to_le_bytes());
        }
    }
}
