//! Integers of 1 to 8 bytes, signed or unsigned.

use crate::element::{Error, ErrorKind, Full, Kind, Reader, Wire, Writer};

/// An integer as it stands on the wire (SML 1.04, 6.2.2): its value, its width and its sign.
///
/// Meters choose the width freely and leave leading zeros out, so the width says nothing about the
/// register; it is kept because some corrections need it and so that a telegram can be written
/// again as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Integer {
    /// Two's complement, sign-extended when `signed`.
    bits: u64,
    width: u8,
    signed: bool,
}

impl Integer {
    /// An unsigned integer in as few bytes as it needs.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "1 to 8")]
    pub const fn unsigned(value: u64) -> Self {
        let width = (64 - value.leading_zeros()).div_ceil(8) as u8;
        Self {
            bits: value,
            width: if width == 0 { 1 } else { width },
            signed: false,
        }
    }

    /// A signed integer in as few bytes as it needs.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "1 to 8")]
    pub const fn signed(value: i64) -> Self {
        // One bit for the sign beside the bits that differ from it.
        let bits = 65 - (if value < 0 { !value } else { value }).leading_zeros();
        Self {
            bits: value.cast_unsigned(),
            width: bits.div_ceil(8) as u8,
            signed: true,
        }
    }

    /// The same value in at least `width` bytes, 8 at the most.
    #[must_use]
    pub const fn with_width(mut self, width: u8) -> Self {
        if width > self.width {
            self.width = if width > 8 { 8 } else { width };
        }
        self
    }

    /// How many bytes the value takes on the wire, 1 to 8.
    #[must_use]
    pub const fn width(self) -> u8 {
        self.width
    }

    /// Whether the wire type is signed.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        self.signed
    }

    /// Whether the value is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.signed && self.bits.cast_signed() < 0
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
        if self.signed || self.bits <= i64::MAX.cast_unsigned() {
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
        Self {
            bits: self.bits & (u64::MAX >> (64 - 8 * self.width as u32)),
            width: self.width,
            signed: false,
        }
    }

    /// The integer in the first `width` of eight bytes, 1 to 8.
    #[inline]
    pub(crate) const fn from_eight(bytes: [u8; 8], width: u8, signed: bool) -> Self {
        let top = u64::from_be_bytes(bytes);
        let shift = 64 - 8 * width as u32;
        Self {
            bits: if signed {
                (top.cast_signed() >> shift).cast_unsigned()
            } else {
                top >> shift
            },
            width,
            signed,
        }
    }
}

impl Integer {
    /// Reads an integer of any form.
    #[cold]
    fn parse_long(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.offset();
        let header = reader.header()?;
        match header.kind {
            Kind::Signed | Kind::Unsigned => {
                reader.integer(header.length, header.kind == Kind::Signed, at)
            }
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
            None => Self::parse_long(reader),
        }
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let kind = if self.signed { 0x50 } else { 0x60 };
        let width = usize::from(self.width);
        writer.byte(kind | (self.width + 1))?;
        writer.raw(self.bits.to_be_bytes().get(8 - width..).unwrap_or_default())
    }
}

impl core::fmt::Display for Integer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.signed {
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
        assert_eq!(Integer::from_eight(bytes, 2, true).as_i64(), Some(-10550));
        assert_eq!(Integer::from_eight(bytes, 2, false).as_i64(), Some(54986));
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
