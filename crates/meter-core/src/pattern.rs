//! Patterns of OBIS codes, to choose registers by.

use core::fmt;
use core::str::FromStr;

use crate::Obis;

/// A pattern of OBIS codes: `1.8.*` for the energy that was drawn, in all tariffs.
///
/// Written like a code, `1-0:1.8.0*255`, where `*` stands for any number. Without the part in front
/// (`1-0:`) it may be any; without the part behind it is `*255`, the present value, as people write it.
/// `1.8.***` has the stored values as well. `*` alone is every register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern([Option<u8>; 6]);

/// What the last group of a code is for a present value.
const PRESENT: Option<u8> = Some(255);

impl Pattern {
    /// Whether a code is meant.
    #[must_use]
    pub fn matches(&self, obis: Obis) -> bool {
        let groups = self.0.iter().zip(obis.0);
        groups
            .into_iter()
            .all(|(wanted, group)| wanted.is_none_or(|wanted| wanted == group))
    }

    /// Whether it means one register, in whatever channel a meter may have it: no `*` stands for a number
    /// of `1.8.0`.
    #[must_use]
    pub fn is_one(&self) -> bool {
        let [_, _, quantity, kind, tariff, _] = self.0;
        quantity.and(kind).and(tariff).is_some()
    }
}

/// The text is no pattern of OBIS codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPattern;

impl fmt::Display for NotPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a pattern of OBIS codes: write it as 16.7.0, 1.8.* or 1-0:*.7.0*255, each number at \
             most 255",
        )
    }
}

impl core::error::Error for NotPattern {}

impl FromStr for Pattern {
    type Err = NotPattern;

    fn from_str(text: &str) -> Result<Self, NotPattern> {
        if text == "*" {
            return Ok(Self::default());
        }
        let (medium, channel, rest) = match text.split_once(':') {
            None => (None, None, text),
            Some((front, rest)) => {
                let (medium, channel) = front.split_once('-').ok_or(NotPattern)?;
                (group(medium)?, group(channel)?, rest)
            }
        };
        let mut parts = rest.splitn(3, '.');
        let mut next = || parts.next().ok_or(NotPattern);
        let (quantity, kind, tail) = (next()?, next()?, next()?);
        // `*` stands both for any number and before the last group: the first letter decides.
        let cut = if tail.starts_with('*') {
            1
        } else {
            tail.find('*').unwrap_or(tail.len())
        };
        let (tariff, last) = tail.split_at_checked(cut).ok_or(NotPattern)?;
        let last = match last.strip_prefix('*') {
            Some(last) => group(last)?,
            None if last.is_empty() => PRESENT,
            None => return Err(NotPattern),
        };
        Ok(Self([
            medium,
            channel,
            group(quantity)?,
            group(kind)?,
            group(tariff)?,
            last,
        ]))
    }
}

/// One group of a code; `None` is any.
fn group(text: &str) -> Result<Option<u8>, NotPattern> {
    if text == "*" {
        return Ok(None);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotPattern);
    }
    text.parse().map(Some).map_err(|_| NotPattern)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return f.write_str("*");
        }
        let [medium, channel, quantity, kind, tariff, last] = self.0;
        if medium.is_some() || channel.is_some() {
            write!(f, "{}-{}:", Group(medium), Group(channel))?;
        }
        write!(f, "{}.{}.{}", Group(quantity), Group(kind), Group(tariff))?;
        match last {
            PRESENT => Ok(()),
            last => write!(f, "*{}", Group(last)),
        }
    }
}

struct Group(Option<u8>);

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn a_pattern_is_a_code_with_holes() {
        for (pattern, code, meant) in [
            ("1.8.0", "1-0:1.8.0*255", true),
            ("1.8.0", "1-1:1.8.0*255", true),
            ("1.8.0", "1-0:1.8.0*96", false),
            ("1.8.0", "1-0:1.8.1*255", false),
            ("1.8.*", "1-0:1.8.2*255", true),
            ("*.7.0", "1-0:36.7.0*255", true),
            ("*.7.0", "1-0:36.8.0*255", false),
            ("1-0:1.8.0*255", "1-1:1.8.0*255", false),
            ("1-*:1.8.0*255", "1-1:1.8.0*255", true),
            ("1.8.0*255", "1-0:1.8.0*1", false),
            ("1.8.**1", "1-0:1.8.7*1", true),
            ("1.8.***", "1-0:1.8.7*1", true),
            ("*", "129-129:199.130.3*255", true),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(code.parse().unwrap()), meant, "{pattern}");
        }
    }

    #[test]
    fn one_register_has_no_holes() {
        for (pattern, one) in [
            ("1.8.0", true),
            ("*-*:1.8.0**", true),
            ("1.8.*", false),
            ("*.8.0", false),
            ("1.*.0", false),
            ("*", false),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!(pattern.is_one(), one, "{pattern}");
        }
    }

    #[test]
    fn it_is_printed_as_it_is_read() {
        for text in [
            "1.8.0",
            "1.8.*",
            "*.7.0",
            "1-0:1.8.0*96",
            "*-1:1.8.0",
            "1.8.**1",
            "1.8.***",
            "*",
        ] {
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
        }
        let usual: Pattern = "1-0:1.8.0*255".parse().unwrap();
        assert_eq!(usual.to_string(), "1-0:1.8.0");
        for text in [
            "", "1.8", "1.8.", "1.8.256", "1:1.8.0", "1.8.0*", "a.8.0", "1.8.0.0", "1.8.0*1*",
        ] {
            assert_eq!(text.parse::<Pattern>(), Err(NotPattern), "{text}");
        }
    }
}
