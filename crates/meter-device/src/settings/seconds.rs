//! A span of time as people write it.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

/// A span of whole seconds, written `10s`, `5m`, `1h` or `1h30m`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub u32);

impl Seconds {
    /// The span; `None` for zero, which stands for "every" or "never".
    #[must_use]
    pub const fn span(self) -> Option<Duration> {
        match self.0 {
            0 => None,
            seconds => Some(Duration::from_secs(seconds as u64)),
        }
    }
}

/// Why a text is no span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSeconds;

impl fmt::Display for BadSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time belongs here: write for example \"10s\", \"5m\" or \"1h30m\"")
    }
}

impl core::error::Error for BadSeconds {}

const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

impl FromStr for Seconds {
    type Err = BadSeconds;

    fn from_str(text: &str) -> Result<Self, BadSeconds> {
        let mut rest = text.trim();
        let mut seconds: u32 = 0;
        if rest.is_empty() {
            return Err(BadSeconds);
        }
        while !rest.is_empty() {
            let (number, tail) = rest
                .split_once(|c: char| !c.is_ascii_digit())
                .ok_or(BadSeconds)?;
            let unit = rest.chars().nth(number.len()).ok_or(BadSeconds)?;
            let (_, scale) = UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .ok_or(BadSeconds)?;
            let number: u32 = number.parse().map_err(|_| BadSeconds)?;
            seconds = number
                .checked_mul(*scale)
                .and_then(|part| seconds.checked_add(part))
                .ok_or(BadSeconds)?;
            rest = tail.trim_start();
        }
        Ok(Self(seconds))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, scale) in UNITS {
            if rest >= scale {
                write!(f, "{}{unit}", rest / scale)?;
                rest %= scale;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Written)
    }
}

struct Written;

impl Visitor<'_> for Written {
    type Value = Seconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time in quotes, such as \"10s\" or \"5m\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
        text.parse().map_err(E::custom)
    }
}
