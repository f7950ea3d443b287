//! The settings of one output by MQTT.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::topic::{BadTopic, Template};
use crate::config::{Duration, Secret};
use crate::mqtt::{BrokerUrl, Options, Version, tls_for};
use crate::output::delivery::{Remote, RemoteError};

/// Where and how readings are published by MQTT.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The broker: `mqtts://HOST`, `wss://HOST` for a WebSocket, and without TLS `mqtt://` and `ws://`.
    pub url: BrokerUrl,
    /// User name; with `ThingsBoard` the access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Secret>,
    /// Password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// By what the broker knows this output: of two clients with the same, the broker throws one out.
    /// Unless set: the host's name and the output's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// `"5"` or `"3.1.1"`. Unless set: 5, and 3.1.1 with a broker that does not know 5. Only with 5
    /// does a broker say that it has not taken a reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// 1: a reading counts as delivered when the broker has acknowledged it. 0: when it was sent.
    #[serde(default)]
    pub qos: Qos,
    /// Whether the broker keeps the newest reading of each topic for those who subscribe later.
    #[serde(default = "default_retain")]
    pub retain: bool,
    /// Where to publish. `{meter}` stands for the meter's number without spaces; with the format
    /// `registers` also `{code}` (`1.8.0`) and `{name}` (`import_total`) for the register. Unless set:
    /// `meterline/{meter}`, with `/{code}` behind it for `registers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["meterline/{meter}"]))]
    pub topic: Option<String>,
    /// What a message looks like.
    #[serde(default)]
    pub format: Format,
    /// `"homeassistant"` tells Home Assistant of each meter, so that it shows up there by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<Discovery>,
    /// After so long without a reading a meter counts as unavailable. More than twice the interval
    /// of its readings.
    #[serde(
        default = "default_expire_after",
        deserialize_with = "crate::config::a_second_or_more"
    )]
    pub expire_after: Duration,
    /// After so long without a reading Home Assistant is told to forget a meter. One that `meters`
    /// leaves out is forgotten at once.
    #[serde(
        default = "default_forget_after",
        deserialize_with = "crate::config::a_second_or_more"
    )]
    pub forget_after: Duration,
    /// What all outputs over a network have in common.
    #[serde(rename = "*")]
    #[schemars(flatten)]
    pub remote: Remote,
}

/// Whether the broker acknowledges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Qos {
    /// At most once.
    Zero,
    /// At least once.
    #[default]
    One,
}

/// What a message looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One JSON for each reading, with every register exactly and the time.
    #[default]
    Json,
    /// A topic for each register, with its value alone.
    Registers,
    /// `ThingsBoard`'s telemetry for a device. The user name is its access token.
    Thingsboard,
    /// `ThingsBoard`'s telemetry for a gateway: each meter is a device behind it.
    ThingsboardGateway,
    /// The JSON of `uP_SmartMeter`'s version for MQTT.
    Classic,
}

/// Who is told of the meters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Discovery {
    /// Home Assistant.
    HomeAssistant,
}

fn default_retain() -> bool {
    true
}

fn default_expire_after() -> Duration {
    Duration::from_secs(300)
}

fn default_forget_after() -> Duration {
    Duration::from_days(30)
}

impl Format {
    pub(super) fn is_thingsboard(self) -> bool {
        matches!(self, Self::Thingsboard | Self::ThingsboardGateway)
    }
}

impl Config {
    /// Everything else at its default.
    #[must_use]
    pub fn new(url: BrokerUrl) -> Self {
        Self {
            url,
            username: None,
            password: None,
            client_id: None,
            version: None,
            qos: Qos::default(),
            retain: default_retain(),
            topic: None,
            format: Format::default(),
            discovery: None,
            expire_after: default_expire_after(),
            forget_after: default_forget_after(),
            remote: Remote::default(),
        }
    }

    /// Finds what is wrong without connecting anywhere. Reads the files that the settings name.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.options("output")?;
        self.template()?;
        if self.discovery.is_some() && self.format.is_thingsboard() {
            return Err(ConfigError::Discovery);
        }
        if self.topic.is_some() && self.format.is_thingsboard() {
            return Err(ConfigError::Topic(BadTopic::Given));
        }
        Ok(())
    }

    /// How the output with this name logs in.
    pub(super) fn options(&self, output: &str) -> Result<Options, ConfigError> {
        if !self.url.tls() && !self.remote.allow_insecure {
            return Err(ConfigError::Insecure(self.url.clone()));
        }
        if self.password.is_some() && self.username.is_none() {
            return Err(ConfigError::Lonely("password", "username"));
        }
        let client_id = match &self.client_id {
            Some(id) if id.is_empty() || id.len() > LONGEST_ID || id.contains(char::is_control) => {
                return Err(ConfigError::ClientId);
            }
            Some(id) => id.clone(),
            None => default_client_id(output),
        };
        let tls = tls_for(&self.url, self.remote.tls_files()?).map_err(RemoteError::Tls)?;
        Ok(Options {
            url: self.url.clone(),
            tls,
            version: self.version,
            client_id,
            username: self.username.clone(),
            password: self.password.clone(),
            will: None,
            keep_alive: KEEP_ALIVE,
            patience: self.remote.timeout.get(),
            longest: LONGEST_PACKET,
        })
    }

    pub(super) fn template(&self) -> Result<Template, ConfigError> {
        let registers = self.format == Format::Registers;
        let usual = if registers {
            "meterline/{meter}/{code}"
        } else {
            "meterline/{meter}"
        };
        Ok(Template::new(
            self.topic.as_deref().unwrap_or(usual),
            registers,
        )?)
    }
}

/// A broker that hears nothing for half as long again takes us for gone, and publishes the last will.
const KEEP_ALIVE: std::time::Duration = std::time::Duration::from_secs(30);
/// Of what others publish, only Home Assistant's birth and what we have published ourselves is heard.
const LONGEST_PACKET: u32 = 256 * 1024;
/// Longer than anybody writes; MQTT allows more.
const LONGEST_ID: usize = 256;

/// The same after every start, so that the broker knows who is back and ends the connection before.
fn default_client_id(output: &str) -> String {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    format!("meterline-{host}-{output}")
}

/// What is wrong with the settings, known before anything is sent.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A connection without TLS, and without consent.
    #[error(
        "{0} is not encrypted, so anybody on the way can read the password and change the readings: \
         use mqtts:// or wss://, or set allow_insecure = true if that is acceptable"
    )]
    Insecure(BrokerUrl),
    /// A key that needs another one.
    #[error("{0} needs {1} beside it")]
    Lonely(&'static str, &'static str),
    /// A client id that no broker takes.
    #[error("client_id must have 1 to 256 bytes and no control characters")]
    ClientId,
    /// A topic that cannot be one.
    #[error(transparent)]
    Topic(#[from] BadTopic),
    /// Home Assistant does not read `ThingsBoard`'s topics, and `ThingsBoard` takes no others.
    #[error("discovery does not go with format = \"thingsboard\": make another output for it")]
    Discovery,
    /// The TLS settings.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl ConfigError {
    /// The key that is wrong.
    pub(in crate::output) fn key(&self) -> Option<&'static str> {
        match self {
            Self::Insecure(_) => Some("url"),
            Self::Lonely(key, _) => Some(key),
            Self::ClientId => Some("client_id"),
            Self::Topic(_) => Some("topic"),
            Self::Discovery => Some("discovery"),
            Self::Remote(error) => error.key(),
        }
    }
}

impl<'de> Deserialize<'de> for Qos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(Self::Zero),
            1 => Ok(Self::One),
            other => Err(de::Error::custom(format!(
                "qos = {other} is not spoken here: 1 is acknowledged, and a reading that comes twice \
                 has the same time"
            ))),
        }
    }
}

impl Serialize for Qos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(u8::from(*self == Self::One))
    }
}

impl JsonSchema for Qos {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Qos".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "enum": [0, 1] })
    }
}
