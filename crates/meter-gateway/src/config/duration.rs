use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A span of time as people write it: `"10s"`, `"1h30m"`, `"250 ms"`.
///
/// Units are `ms`, `s`, `m` (or `min`), `h`, `d` and `w`; several may follow each other. A number
/// without a unit is refused, because nobody can tell later what it was meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(time::Duration);

/// Largest unit first, which is the order in which they are printed.
const UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

impl Duration {
    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(time::Duration::from_millis(millis))
    }

    /// So many seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(time::Duration::from_secs(secs))
    }

    /// So many days of 24 hours.
    #[must_use]
    pub const fn from_days(days: u64) -> Self {
        Self(time::Duration::from_secs(days * 86_400))
    }

    /// The same span for the standard library and tokio.
    #[must_use]
    pub const fn get(self) -> time::Duration {
        self.0
    }
}

impl From<Duration> for time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl From<time::Duration> for Duration {
    fn from(duration: time::Duration) -> Self {
        Self(duration)
    }
}

/// Why a text is no [`Duration`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    /// Nothing but spaces.
    #[error("a duration is missing: write for example \"10s\", \"5m\" or \"1h30m\"")]
    Empty,
    /// A number with nothing behind it.
    #[error("a unit is missing after {0}: write for example \"{0}s\" (units: ms, s, m, h, d, w)")]
    NoUnit(String),
    /// A unit that is none of ours.
    #[error("`{0}` is no unit of time (units: ms, s, m, h, d, w; for example \"1h30m\")")]
    UnknownUnit(String),
    /// Something that is not a whole number where a number belongs.
    #[error("`{0}` is no whole number: write for example \"10s\", \"1500ms\" or \"1h30m\"")]
    NoNumber(String),
    /// More milliseconds than fit.
    #[error("this duration is too long")]
    TooLong,
}

impl FromStr for Duration {
    type Err = BadDuration;

    fn from_str(text: &str) -> Result<Self, BadDuration> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(BadDuration::Empty);
        }
        let mut millis: u64 = 0;
        while !rest.is_empty() {
            let (part, tail) = one_part(rest)?;
            millis = millis.checked_add(part).ok_or(BadDuration::TooLong)?;
            rest = tail.trim_start();
        }
        Ok(Self::from_millis(millis))
    }
}

/// Reads one number with its unit from the front; gives milliseconds and what follows.
fn one_part(text: &str) -> Result<(u64, &str), BadDuration> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if number.is_empty() || rest.starts_with(['.', ',']) {
        return Err(BadDuration::NoNumber(text.to_owned()));
    }
    let number: u64 = number.parse().map_err(|_| BadDuration::TooLong)?;
    let rest = rest.trim_start();
    let letters = rest
        .find(|c: char| c.is_ascii_digit() || c.is_whitespace())
        .unwrap_or(rest.len());
    let (unit, tail) = rest.split_at(letters);
    if unit.is_empty() {
        return Err(BadDuration::NoUnit(number.to_string()));
    }
    let name = if unit == "min" { "m" } else { unit };
    let (_, scale) = UNITS
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| BadDuration::UnknownUnit(unit.to_owned()))?;
    let millis = number.checked_mul(*scale).ok_or(BadDuration::TooLong)?;
    Ok((millis, tail))
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, scale) in UNITS {
            // Weeks are read but not written: "365d" says more than "52w1d".
            if rest >= scale && unit != "w" {
                write!(f, "{}{unit}", rest / scale)?;
                rest %= scale;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Reads a span of a second or more: a shorter one would keep a part of the program busy with nothing.
pub(crate) fn a_second_or_more<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    at_least(Duration::from_secs(1), deserializer)
}

/// The same for a tenth of a second.
pub(crate) fn a_tenth_or_more<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    at_least(Duration::from_millis(100), deserializer)
}

fn at_least<'de, D: Deserializer<'de>>(
    least: Duration,
    deserializer: D,
) -> Result<Duration, D::Error> {
    let duration = Duration::deserialize(deserializer)?;
    if duration < least {
        return Err(de::Error::custom(format_args!(
            "\"{duration}\" is too short: \"{least}\" at the least"
        )));
    }
    Ok(duration)
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^\s*(\d+\s*(ms|s|m|min|h|d|w)\s*)+$",
            "examples": ["10s", "5m", "1h30m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in [
            ("10s", 10_000),
            ("10 s", 10_000),
            (" 1h30m ", 5_400_000),
            ("1h 30min", 5_400_000),
            ("250ms", 250),
            ("7d", 604_800_000),
            ("1w", 604_800_000),
            ("0s", 0),
        ] {
            assert_eq!(
                text.parse::<Duration>().unwrap(),
                Duration::from_millis(millis),
                "{text}"
            );
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, message) in [
            (
                "",
                "a duration is missing: write for example \"10s\", \"5m\" or \"1h30m\"",
            ),
            (
                "10",
                "a unit is missing after 10: write for example \"10s\" (units: ms, s, m, h, d, w)",
            ),
            (
                "10 sec",
                "`sec` is no unit of time (units: ms, s, m, h, d, w; for example \"1h30m\")",
            ),
            (
                "1.5s",
                "`1.5s` is no whole number: write for example \"10s\", \"1500ms\" or \"1h30m\"",
            ),
            (
                "-3s",
                "`-3s` is no whole number: write for example \"10s\", \"1500ms\" or \"1h30m\"",
            ),
            ("99999999999999999999s", "this duration is too long"),
            ("9999999999999999999w", "this duration is too long"),
        ] {
            assert_eq!(
                text.parse::<Duration>().unwrap_err().to_string(),
                message,
                "{text}"
            );
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["10s", "1h30m", "1m30s", "250ms", "365d", "1d12h", "0s"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
    }
}
