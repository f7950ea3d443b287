//! Integers of 1 to 8 bytes, signed or unsigned.

use crate::element::{Error, ErrorKind, Full, Kind, Reader, Wire, Writer};
use core::num::NonZeroU64;

/// An integer as it stands on the wire (SML 1.04, 6.2.2): its value, its width and its sign.
///
/// Meters choose the width freely and leave leading zeros out, so the width says nothing about the
/// register; it is kept because some corrections need it and so that a telegram can be written
/// again as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Integer {
    /// Two's complement, sign-extended when signed.
    bits: u64,
    /// Type and length as on the wire: 52 to 59, 62 to 69. As wide as the bits, because bytes of
    /// padding between fields are copied one by one; never zero, so that an `Option` takes no more.
    head: NonZeroU64,
}

/// The bit of the head by which signed and unsigned differ.
const SIGNED: u64 = 0x10;

impl Integer {
    /// An integer with as many bytes, 1 to 8.
    pub(crate) const fn new(bits: u64, bytes: u32, signed: bool) -> Self {
        let head = if signed { 0x51 } else { 0x61 };
        Self {
            bits,
            head: NonZeroU64::MIN.saturating_add(head - 1 + bytes as u64),
        }
    }

    /// An unsigned integer in as few bytes as it needs.
    #[must_use]
    pub const fn unsigned(value: u64) -> Self {
        let bytes = (64 - value.leading_zeros()).div_ceil(8);
        Self::new(value, if bytes == 0 { 1 } else { bytes }, false)
    }

    /// A signed integer in as few bytes as it needs.
    #[must_use]
    pub const fn signed(value: i64) -> Self {
        // One bit for the sign beside the bits that differ from it.
        let bits = 65 - (if value < 0 { !value } else { value }).leading_zeros();
        Self::new(value.cast_unsigned(), bits.div_ceil(8), true)
    }

    /// The same value in at least `width` bytes, 8 at the most.
    #[must_use]
    pub const fn with_width(self, width: u8) -> Self {
        if width > self.width() {
            let width = if width > 8 { 8 } else { width };
            Self::new(self.bits, width as u32, self.is_signed())
        } else {
            self
        }
    }

    /// How many bytes the value takes on the wire, 1 to 8.
    #[must_use]
    pub const fn width(self) -> u8 {
        (self.head.get() & 0x0f) as u8 - 1
    }

    /// Whether the wire type is signed.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        self.head.get() & SIGNED != 0
    }

    /// Whether the value is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.is_signed() && self.bits.cast_signed() < 0
    }

    /// The value without its sign.
    #[must_use]
    pub const fn magnitude(self) -> u64 {
        if self.is_negative() {
            self.bits.wrapping_neg()
        } else {
            self.bits
        }
    }

    /// The value, if it fits.
    #[must_use]
    pub const fn as_i64(self) -> Option<i64> {
        if self.is_signed() || self.bits <= i64::MAX.cast_unsigned() {
            Some(self.bits.cast_signed())
        } else {
            None
        }
    }

    /// The value, unless it is negative.
    #[must_use]
    pub const fn as_u64(self) -> Option<u64> {
        if self.is_negative() {
            None
        } else {
            Some(self.bits)
        }
    }

    /// The same bytes read as unsigned: what a meter means that sends an unsigned value with the
    /// type of a signed one.
    #[must_use]
    pub const fn reinterpret_unsigned(self) -> Self {
        let width = self.width() as u32;
        Self::new(self.bits & (u64::MAX >> (64 - 8 * width)), width, false)
    }

    /// The integer that begins with `head` in the first of eight bytes. `None` if it has no such
    /// head.
    #[cfg_attr(not(feature = "small"), inline(always))]
    pub(crate) fn from_eight(head: u8, bytes: [u8; 8]) -> Option<Self> {
        if !matches!(head, 0x52..=0x59 | 0x62..=0x69) {
            return None;
        }
        let top = u64::from_be_bytes(bytes);
        let head = NonZeroU64::new(head.into())?;
        // 64 less eight for each byte, of which the head counts itself, too.
        let shift = (9 - (head.get() & 0x0f)) * 8;
        let bits = if head.get() & SIGNED != 0 {
            (top.cast_signed() >> shift).cast_unsigned()
        } else {
            top >> shift
        };
        Some(Self { bits, head })
    }
}

impl Integer {
    /// Reads an integer of any form.
    fn parse_long(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.offset();
        let header = reader.header()?;
        match header.kind {
            Kind::Signed | Kind::Unsigned => reader.integer(header, at),
            found => Err(ErrorKind::Type {
                expected: Kind::Unsigned,
                found,
            }
            .at(at)),
        }
    }
}

impl<'a> Wire<'a> for Integer {
    #[cfg_attr(not(feature = "small"), inline(always))]
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        match reader.short_integer() {
            Some(integer) => Ok(integer),
            None => reader.rarely(Self::parse_long),
        }
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let [head, ..] = self.head.get().to_le_bytes();
        let bits = self.bits.to_be_bytes();
        writer.byte(head)?;
        writer.raw(
            bits.get(8 - usize::from(self.width())..)
                .unwrap_or_default(),
        )
    }
}

impl core::fmt::Display for Integer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.is_signed() {
            self.bits.cast_signed().fmt(f)
        } else {
            self.bits.fmt(f)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Integer;

    #[test]
    fn widths() {
        for (value, width) in [(0, 1), (255, 1), (256, 2), (u64::MAX, 8)] {
            assert_eq!(Integer::unsigned(value).width(), width, "{value}");
        }
        for (value, width) in [
            (0, 1),
            (127, 1),
            (128, 2),
            (-128, 1),
            (-129, 2),
            (i64::MIN, 8),
        ] {
            assert_eq!(Integer::signed(value).width(), width, "{value}");
        }
    }

    #[test]
    fn sign_follows_the_type_only() {
        let bytes = [0xd6, 0xca, 0, 0, 0, 0, 0, 0];
        assert_eq!(
            Integer::from_eight(0x53, bytes).and_then(Integer::as_i64),
            Some(-10550)
        );
        assert_eq!(
            Integer::from_eight(0x63, bytes).and_then(Integer::as_i64),
            Some(54986)
        );
    }

    #[test]
    fn the_largest_values_keep_their_magnitude() {
        assert_eq!(Integer::signed(i64::MIN).magnitude(), 1 << 63);
        assert_eq!(Integer::unsigned(u64::MAX).as_i64(), None);
        assert_eq!(Integer::unsigned(u64::MAX).as_u64(), Some(u64::MAX));
    }

    #[test]
    fn reinterpreted_at_each_width() {
        assert_eq!(
            Integer::signed(-14836).reinterpret_unsigned().as_u64(),
            Some(50700)
        );
        assert_eq!(
            Integer::signed(-1)
                .with_width(8)
                .reinterpret_unsigned()
                .as_u64(),
            Some(u64::MAX)
        );
    }
}
