use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes as people write it: `"64 MiB"`, `"1GB"`, `"4096 B"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(u64);

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

impl Size {
    /// So many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many times 1024² bytes.
    #[must_use]
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// Why a text is no [`Size`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSize {
    /// It does not begin with a whole number.
    #[error("`{0}` is no size: write a whole number and a unit, for example \"500 MiB\"")]
    NoNumber(String),
    /// A number with nothing behind it.
    #[error(
        "a unit is missing after {0}: write for example \"{0} MiB\" (units: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB)"
    )]
    NoUnit(String),
    /// A unit that is none of ours.
    #[error("`{0}` is no unit of size (units: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB)")]
    UnknownUnit(String),
    /// More bytes than fit.
    #[error("this size is too large")]
    TooLarge,
}

impl FromStr for Size {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let text = text.trim();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start();
        if number.is_empty() || unit.starts_with(['.', ',']) {
            return Err(BadSize::NoNumber(text.to_owned()));
        }
        let number: u64 = number.parse().map_err(|_| BadSize::TooLarge)?;
        if unit.is_empty() {
            return Err(BadSize::NoUnit(number.to_string()));
        }
        let (_, scale) = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .ok_or_else(|| BadSize::UnknownUnit(unit.to_owned()))?;
        number
            .checked_mul(*scale)
            .map(Self)
            .ok_or(BadSize::TooLarge)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |scale: u64| self.0 >= scale && self.0.is_multiple_of(scale);
        let (unit, scale) = UNITS
            .iter()
            .find(|(_, scale)| fits(*scale))
            .unwrap_or(&("B", 1));
        write!(f, "{} {unit}", self.0 / scale)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^\s*\d+\s*([kKmMgGtT]i?)?[bB]\s*$",
            "examples": ["500 MiB", "1 GB"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, bytes, printed) in [
            ("500 MiB", 500 << 20, "500 MiB"),
            ("500MiB", 500 << 20, "500 MiB"),
            ("1 gb", 1_000_000_000, "1 GB"),
            ("1536 KiB", 1536 << 10, "1536 KiB"),
            ("4097 B", 4097, "4097 B"),
            ("0 B", 0, "0 B"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!(
                (size.bytes(), size.to_string().as_str()),
                (bytes, printed),
                "{text}"
            );
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, error) in [
            ("MiB", BadSize::NoNumber("MiB".to_owned())),
            ("1.5 GiB", BadSize::NoNumber("1.5 GiB".to_owned())),
            ("500", BadSize::NoUnit("500".to_owned())),
            ("500 megs", BadSize::UnknownUnit("megs".to_owned())),
            ("99999999999 TiB", BadSize::TooLarge),
        ] {
            assert_eq!(text.parse::<Size>(), Err(error), "{text}");
        }
    }
}
