//! The two checksums that meters use, over the frame and over each message.

#[cfg(not(feature = "small"))]
use core::ops::{BitXor, Shl, Shr};

// X.25 and Kermit are the remainder of a division by the same P = x^16 + x^12 + x^5 + 1, over
// polynomials whose coefficients are bits. The first bit on the line has the highest power, and it is
// the lowest of its byte: shifting left divides by x.
//
// No table is needed, because P squared is x^32 + x^24 + x^10 + 1, that squared x^64 + x^48 + x^20 + 1,
// and so on: multiples of P with four terms, by which whole words are divided at once.

/// Two bytes that leave `ff ff`, with which X.25 begins.
const BEFORE_X25: [u8; 2] = [0x21, 0xf3];

/// What is left of `before` and the bytes behind it.
#[cfg(feature = "small")]
fn remainder(before: [u8; 2], bytes: &[u8]) -> u16 {
    before.iter().chain(bytes).fold(0, |left, byte| {
        let [low, high] = u16::to_le_bytes(left);
        let next = low ^ byte;
        let next = u16::from(next ^ next << 4);
        u16::from(high) ^ next << 8 ^ next << 3 ^ next >> 4
    })
}

/// What is left of `before` and the bytes behind it.
#[cfg(not(feature = "small"))]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the other half goes along beside it"
)]
fn remainder(before: [u8; 2], bytes: &[u8]) -> u16 {
    let (head, words) = bytes.as_rchunks::<8>();
    let bits = 8 * head.len();
    let head = bytes.first_chunk().map_or_else(
        || {
            head.iter()
                .rfold(0, |all, byte| all << 8 | u64::from(*byte))
        },
        |first| u64::from_le_bytes(*first),
    );
    // Zeros in front change nothing, so the head may end where the words begin.
    let first = u128::from(u16::from_le_bytes(before)) << (112 - bits)
        | u128::from(head) << 64 << (64 - bits);
    let start = [0, 0, first as u64, (first >> 64) as u64];
    // As x^256 leaves x^192 + x^80 + 1, the first of five words goes into the other four.
    let [a, b, c, d] = words.iter().fold(start, |[a, b, c, d], word| {
        let word = u64::from_le_bytes(*word);
        [b ^ a, c ^ a << 48, d ^ a >> 16, word ^ a]
    });
    let ahead = u128::from(a) | u128::from(b) << 64;
    let behind = u128::from(c) | u128::from(d) << 64;
    let left = halved(ahead, behind);
    let left = halved(left as u64, (left >> 64) as u64);
    let left = halved(left as u32, (left >> 32) as u32);
    let left = halved(left as u16, (left >> 16) as u16);
    halved(left, 0)
}

/// What is left of some bits and as many behind them, after division by the power of P whose highest
/// term is as many bits up: y^16 + y^12 + y^5 + 1.
#[cfg(not(feature = "small"))]
#[inline(always)]
fn halved<W>(ahead: W, behind: W) -> W
where
    W: Copy + BitXor<Output = W> + Shl<usize, Output = W> + Shr<usize, Output = W>,
{
    let y = size_of::<W>() / 2;
    // The quotient is `ahead` times 1 + y^-4 + y^-8 + y^-11 + y^-12.
    let quarters = ahead ^ ahead << (4 * y);
    let quotient = quarters ^ quarters << (8 * y) ^ ahead << (11 * y);
    behind ^ quotient ^ quotient >> (5 * y) ^ quotient >> (12 * y)
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
            Self::X25 => (!remainder(BEFORE_X25, bytes)).to_le_bytes(),
            Self::Kermit => remainder([0; 2], bytes).to_be_bytes(),
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
    use super::CrcKind;

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
            let by_bits = |before| {
                bytes.iter().fold(before, |left: u16, byte| {
                    (0..8).fold(left ^ u16::from(*byte), |left, _| {
                        (left >> 1) ^ if left & 1 == 0 { 0 } else { 0x8408 }
                    })
                })
            };
            assert_eq!(
                CrcKind::X25.checksum(bytes),
                (!by_bits(0xffff)).to_le_bytes()
            );
            assert_eq!(CrcKind::Kermit.checksum(bytes), by_bits(0).to_be_bytes());
        }
    }
}
