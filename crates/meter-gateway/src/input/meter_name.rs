use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use meter_core::ServerId;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A meter as a person writes it: as printed on it (`1 EMH00 1059 9732`), without the spaces, or
/// its server id in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterName(String);

/// Why a text is no [`MeterName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a meter's number is missing: write it as printed on the meter, for example \"1 EMH00 1059 9732\""
)]
pub struct NoName;

impl MeterName {
    /// Whether it is the meter with this server id.
    #[must_use]
    pub fn is(&self, server_id: &[u8]) -> bool {
        let wanted = self.plain();
        let id = ServerId(server_id);
        plain(&id.meter_id().to_string()) == wanted || plain(&id.to_string()) == wanted
    }

    /// Letters and digits only, which is a name for the same meter.
    pub(crate) fn plain(&self) -> String {
        plain(&self.0)
    }
}

/// What is the same however it is written.
fn plain(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    letters.collect::<String>().to_ascii_lowercase()
}

impl FromStr for MeterName {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        if plain(text).is_empty() {
            return Err(NoName);
        }
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Display for MeterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MeterName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for MeterName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for MeterName {
    fn schema_name() -> Cow<'static, str> {
        "MeterName".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["1 EMH00 1059 9732"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMH: [u8; 10] = [0x0a, 0x01, b'E', b'M', b'H', 0x00, 0x00, 0xa1, 0xbd, 0x34];

    #[test]
    fn a_meter_is_known_by_each_of_its_names() {
        for name in [
            "1 EMH00 1059 9732",
            "1EMH0010599732",
            "1emh00-1059-9732",
            "0a01454d480000a1bd34",
        ] {
            let name: MeterName = name.parse().unwrap();
            assert!(name.is(&EMH), "{name}");
            assert!(!name.is(&EMH[1..]), "{name}");
        }
        assert_eq!(" - ".parse::<MeterName>(), Err(NoName));
    }
}
