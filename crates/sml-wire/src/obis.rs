//! OBIS codes: which quantity a register holds (IEC 62056-61, now IEC 62056-6-1).

use core::{fmt, str::FromStr};

/// Six bytes A to F, written `A-B:C.D.E*F`, such as `1-0:1.8.0*255` for imported energy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Obis(pub [u8; 6]);

impl Obis {
    /// The usual code of an electricity register: medium 1, channel 0, no storage (F = 255).
    #[must_use]
    pub const fn electricity(c: u8, d: u8, e: u8) -> Self {
        Self([1, 0, c, d, e, 255])
    }

    /// C, D and E: the quantity, how it is measured, and the tariff. What stays when a meter
    /// numbers its medium or channel in its own way.
    #[must_use]
    pub const fn quantity(self) -> (u8, u8, u8) {
        let [_, _, c, d, e, _] = self.0;
        (c, d, e)
    }
}

#[expect(
    clippy::many_single_char_names,
    reason = "the value groups of a code are called A to F"
)]
impl fmt::Display for Obis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, last] = self.0;
        write!(f, "{a}-{b}:{c}.{d}.{e}*{last}")
    }
}

impl fmt::Debug for Obis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no OBIS code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotObis;

impl fmt::Display for NotObis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an OBIS code: write it as 1-0:1.8.0*255 or 1.8.0, each number at most 255")
    }
}

impl core::error::Error for NotObis {}

/// Reads `1-0:1.8.0*255`; `1-0:` and `*255` may be left out.
#[expect(
    clippy::many_single_char_names,
    reason = "the value groups of a code are called A to F"
)]
impl FromStr for Obis {
    type Err = NotObis;

    fn from_str(text: &str) -> Result<Self, NotObis> {
        fn number(text: &str) -> Result<u8, NotObis> {
            if text.bytes().all(|byte| byte.is_ascii_digit()) {
                text.parse().map_err(|_| NotObis)
            } else {
                Err(NotObis)
            }
        }
        let (medium, rest) = text.split_once(':').unwrap_or(("1-0", text));
        let (a, b) = medium.split_once('-').ok_or(NotObis)?;
        let (quantity, last) = rest.split_once('*').unwrap_or((rest, "255"));
        let mut parts = quantity.split('.');
        let mut next = || parts.next().ok_or(NotObis).and_then(number);
        let (c, d, e) = (next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(NotObis);
        }
        Ok(Self([number(a)?, number(b)?, c, d, e, number(last)?]))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{NotObis, Obis};
    use std::string::ToString;

    #[test]
    fn text_both_ways() {
        for text in ["1-0:1.8.0*255", "129-129:199.130.3*255", "1-0:96.50.1*1"] {
            assert_eq!(
                text.parse::<Obis>().map(|obis| obis.to_string()),
                Ok(text.into())
            );
        }
        assert_eq!("16.7.0".parse(), Ok(Obis::electricity(16, 7, 0)));
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "1.8",
            "1.8.0.1",
            "1-0:1.8.256",
            "1-0:+1.8.0",
            "a.b.c",
            "1:1.8.0",
        ] {
            assert_eq!(text.parse::<Obis>(), Err(NotObis), "{text}");
        }
    }
}
