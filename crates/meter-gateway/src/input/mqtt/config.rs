//! The settings of one subscription.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time;

use meter_core::Obis;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::config::{Duration, Interval, Secret};
use crate::input::{Fault, INTERVAL};
use crate::mqtt::{BrokerUrl, Options, Version, is_filter, tls_for};
use crate::tls;

/// A topic of a broker where somebody publishes a meter: raw SML telegrams, or Tasmota's JSON.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The broker: `mqtts://HOST`, `wss://HOST` for a WebSocket, and without TLS `mqtt://` and `ws://`.
    pub url: BrokerUrl,
    /// The topic, `tele/NAME/SENSOR` with Tasmota. It may have wildcards.
    pub topic: Topic,
    /// User name.
    #[serde(default)]
    pub username: Option<Secret>,
    /// Password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// By what the broker knows this input. Unless set: another one each time.
    #[serde(default)]
    pub client_id: Option<String>,
    /// `"5"` or `"3.1.1"`. Unless set: 5, and 3.1.1 with a broker that does not know 5.
    #[serde(default)]
    pub version: Option<Version>,
    /// What the values of Tasmota's JSON are, besides those that its scripts usually name
    /// (`Total_in`, `Power_curr` and the like): the code of the register by the name in the JSON, as in
    /// `{ E_in = "1.8.0" }`. Energy is in kWh there.
    #[serde(default)]
    pub codes: BTreeMap<String, Code>,
    /// PEM file of the authorities to trust, instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// PEM file of a client certificate and its chain.
    #[serde(default)]
    pub client_cert: Option<PathBuf>,
    /// PEM file of the client certificate's key.
    #[serde(default)]
    pub client_key: Option<PathBuf>,
    /// The newest complete reading of each interval is kept; `"every"` keeps them all.
    #[serde(default = "default_interval")]
    pub interval: Interval,
    /// How long no reading may come before something is said and the connection is made anew.
    /// Tasmota publishes every five minutes unless told otherwise (`TelePeriod`).
    #[serde(
        default = "default_silence",
        deserialize_with = "crate::config::a_second_or_more"
    )]
    pub silence: Duration,
}

fn default_interval() -> Interval {
    INTERVAL
}

fn default_silence() -> Duration {
    Duration::from_secs(660)
}

/// A broker that hears nothing for half as long again takes us for gone.
const KEEP_ALIVE: time::Duration = time::Duration::from_secs(30);
/// How long an answer of the broker may take.
const PATIENCE: time::Duration = time::Duration::from_secs(15);

impl Config {
    /// Everything else at its default.
    #[must_use]
    pub fn new(url: BrokerUrl, topic: Topic) -> Self {
        Self {
            url,
            topic,
            username: None,
            password: None,
            client_id: None,
            version: None,
            codes: BTreeMap::new(),
            ca_file: None,
            client_cert: None,
            client_key: None,
            interval: default_interval(),
            silence: default_silence(),
        }
    }

    /// How to log in.
    pub(super) fn options(&self) -> Result<Options, Fault> {
        let client = match (&self.client_cert, &self.client_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate.as_path(), key.as_path())),
            _ => return Err(Fault::HalfIdentity),
        };
        let files = tls::Files {
            ca_file: self.ca_file.as_deref(),
            client,
        };
        let tls = tls_for(&self.url, files).map_err(Fault::Certificates)?;
        // `meterline check` may be listening beside the service: neither throws the other out.
        let client_id = self
            .client_id
            .clone()
            .unwrap_or_else(|| format!("meterline-{:08x}", rand::random::<u32>()));
        Ok(Options {
            url: self.url.clone(),
            tls,
            version: self.version,
            client_id,
            username: self.username.clone(),
            password: self.password.clone(),
            will: None,
            keep_alive: KEEP_ALIVE,
            patience: PATIENCE,
            longest: super::LONGEST,
        })
    }
}

/// What is subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic(String);

/// Why a text is no [`Topic`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTopic {
    /// MQTT does not allow it.
    #[error("topic must not be empty, nor hold control characters")]
    NoTopic,
    /// A wildcard that is not a level of its own.
    #[error("`#` and `+` stand for whole levels: write \"tele/+/SENSOR\" or \"meters/#\"")]
    Wildcard,
}

impl Topic {
    /// As it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether messages of several topics come.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.0.contains(['#', '+'])
    }
}

impl FromStr for Topic {
    type Err = BadTopic;

    fn from_str(text: &str) -> Result<Self, BadTopic> {
        if !is_filter(text) {
            return Err(BadTopic::NoTopic);
        }
        let levels: Vec<&str> = text.split('/').collect();
        let bad = levels.iter().enumerate().any(|(index, level)| {
            let inside = level.len() > 1 && level.contains(['#', '+']);
            inside || (*level == "#" && index + 1 != levels.len())
        });
        if bad {
            return Err(BadTopic::Wildcard);
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Topic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl JsonSchema for Topic {
    fn schema_name() -> Cow<'static, str> {
        "Topic".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["tele/meter/SENSOR", "meters/+/sml"] })
    }
}

/// The code of a register as people write it: `1.8.0` or `1-0:1.8.0*255`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub(super) Obis);

/// Why a text is no [`Code`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no code of a register: write for example \"1.8.0\" or \"1-0:1.8.0*255\"")]
pub struct BadCode(String);

impl FromStr for Code {
    type Err = BadCode;

    fn from_str(text: &str) -> Result<Self, BadCode> {
        let bad = || BadCode(text.to_owned());
        let whole = match (text.contains(':'), text.contains('*')) {
            (false, false) => format!("1-0:{text}*255"),
            (false, true) => format!("1-0:{text}"),
            (true, false) => format!("{text}*255"),
            (true, true) => text.to_owned(),
        };
        whole.parse().map(Self).map_err(|_| bad())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["1.8.0", "1-0:16.7.0*255"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_what_mqtt_takes() {
        for (text, wanted) in [
            ("tele/+/SENSOR", Ok(true)),
            ("tele/meter/SENSOR", Ok(false)),
            ("#", Ok(true)),
            ("", Err(BadTopic::NoTopic)),
            ("tele/m+/SENSOR", Err(BadTopic::Wildcard)),
            ("tele/#/SENSOR", Err(BadTopic::Wildcard)),
        ] {
            let topic: Result<Topic, _> = text.parse();
            assert_eq!(topic.map(|topic| topic.has_wildcard()), wanted, "{text}");
        }
    }

    #[test]
    fn codes_may_be_short() {
        for text in ["1.8.0", "1-0:1.8.0", "1.8.0*255", "1-0:1.8.0*255"] {
            let code: Result<Code, _> = text.parse();
            assert_eq!(code.unwrap().0, Obis::electricity(1, 8, 0), "{text}");
        }
        assert!("E_in".parse::<Code>().is_err());
    }
}
