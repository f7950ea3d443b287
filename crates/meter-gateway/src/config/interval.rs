use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{BadDuration, Duration};

/// How often a reading is taken or sent: `"every"` for all of them, or the newest of each span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interval {
    /// Every reading.
    Every,
    /// The newest complete reading of each span of this length; never zero.
    Each(Duration),
}

impl Interval {
    /// The span in seconds; zero, which means nothing else, is [`Interval::Every`].
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        if secs == 0 {
            Self::Every
        } else {
            Self::Each(Duration::from_secs(secs))
        }
    }

    /// The span, or `None` for every reading.
    #[must_use]
    pub const fn span(self) -> Option<std::time::Duration> {
        match self {
            Self::Every => None,
            Self::Each(span) => Some(span.get()),
        }
    }
}

impl FromStr for Interval {
    type Err = BadDuration;

    fn from_str(text: &str) -> Result<Self, BadDuration> {
        if text.trim() == "every" {
            return Ok(Self::Every);
        }
        let span: Duration = text.parse()?;
        Ok(if span == Duration::default() {
            Self::Every
        } else {
            Self::Each(span)
        })
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("every"),
            Self::Each(span) => span.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(|bad| {
            de::Error::custom(format_args!("{bad}; or write \"every\" for every reading"))
        })
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Interval {
    fn schema_name() -> Cow<'static, str> {
        "Interval".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^\s*(every|(\d+\s*(ms|s|m|min|h|d|w)\s*)+)\s*$",
            "examples": ["every", "10s", "15m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_or_a_span() {
        assert_eq!("every".parse::<Interval>().unwrap(), Interval::Every);
        assert_eq!("0s".parse::<Interval>().unwrap(), Interval::Every);
        assert_eq!("15m".parse::<Interval>().unwrap(), Interval::from_secs(900));
        assert_eq!(Interval::from_secs(900).to_string(), "15m");
        assert!("often".parse::<Interval>().is_err());
    }
}
