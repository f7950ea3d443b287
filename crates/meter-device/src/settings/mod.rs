//! What a person sets: networks, where readings go, and how.
//!
//! One JSON object over the wire and in flash; the host reads the same keys from a TOML file.
//! docs/device-settings.md explains each key.

mod belongs;
mod check;
mod read;
mod seconds;
mod secret;
mod store;
mod write;

use alloc::boxed::Box;
use heapless::{String, Vec};
use serde::Deserialize;

use crate::url::{Url, UrlError};

pub use crate::format::Format;
pub use check::Mistake;
pub use read::{Reason, Refused, Unreadable};
pub use seconds::{BadSeconds, Seconds};
pub use secret::{Authority, BadAuthority, MASK, Secret};
pub use store::{SCRATCH, SECTORS, Store, StoreError};
pub use write::Shown;

/// The version of the layout of [`Settings`] that this firmware reads and writes.
pub const VERSION: u16 = 1;

/// Longest JSON of settings with their secrets, in bytes: what one sector of the flash can hold.
pub const JSON_BYTES: usize = 4000;

/// Longest host name, in bytes.
pub const NAME_BYTES: usize = 32;

/// Most Wi-Fis.
pub const WIFIS: usize = 4;

/// Most time servers.
pub const TIME_SERVERS: usize = 3;

/// Everything that is set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The version of this layout.
    pub version: u16,
    /// The host name, and the node's name where readings go.
    pub name: String<NAME_BYTES>,
    /// Networks to join, the best first.
    pub wifi: Vec<Wifi, WIFIS>,
    /// How often a reading is sent; zero for every reading of the meter.
    pub interval: Seconds,
    /// Where the time comes from.
    pub time: TimeServers,
    /// Where readings go; nowhere as long as it is not set.
    pub output: Option<Output>,
    /// The display.
    pub display: Display,
    /// Which readings are too strange to be true.
    pub guard: Guard,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: VERSION,
            name: text("meterline"),
            wifi: Vec::new(),
            interval: Seconds(10),
            time: TimeServers::default(),
            output: None,
            display: Display::default(),
            guard: Guard::default(),
        }
    }
}

/// A Wi-Fi.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wifi {
    /// Its name.
    pub ssid: String<32>,
    /// Its password; empty for an open network.
    #[serde(default)]
    pub password: Secret<64>,
}

/// Where the time comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeServers {
    /// NTP servers, each `HOST` or `HOST:PORT`, asked in turn.
    pub servers: Vec<String<64>, TIME_SERVERS>,
}

impl Default for TimeServers {
    /// Germany's, and the public pool.
    fn default() -> Self {
        Self {
            servers: ["ptbtime1.ptb.de", "pool.ntp.org"]
                .into_iter()
                .map(text)
                .collect(),
        }
    }
}

/// Where readings go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// By HTTP.
    Rest(Box<Rest>),
    /// By MQTT.
    Mqtt(Box<Mqtt>),
}

/// Sending by HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rest {
    /// Where to send. It may hold a token, so that it is a secret.
    pub url: Secret<256>,
    /// What the body looks like.
    #[serde(default)]
    pub format: Format,
    /// The header `Authorization`, whole: `Bearer …`.
    #[serde(default)]
    pub authorization: Option<Secret<128>>,
    /// Allows `http://`, where anybody on the way reads and writes.
    #[serde(default)]
    pub allow_insecure: bool,
    /// The certificate authority to trust instead of the public ones.
    #[serde(default)]
    pub ca: Option<Authority>,
}

impl Rest {
    /// The URL taken apart.
    pub fn url(&self) -> Result<Url<'_>, UrlError> {
        Url::parse(self.url.expose())
    }
}

/// Sending by MQTT.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// The broker's name or address, as it stands in its certificate.
    pub host: String<128>,
    /// Its port.
    #[serde(default = "mqtt_port")]
    pub port: u16,
    /// The user. A secret, because some backends take a token here.
    #[serde(default)]
    pub user: Option<Secret<128>>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<Secret<128>>,
    /// What the device is called at the broker; see [`Mqtt::client_id`].
    #[serde(default)]
    pub client_id: Option<String<64>>,
    /// Where to publish; see [`Mqtt::topic`].
    #[serde(default)]
    pub topic: Option<String<96>>,
    /// What a message looks like.
    #[serde(default = "json")]
    pub format: Format,
    /// Whether Home Assistant is told of the meter. Needs [`Format::Json`].
    #[serde(default)]
    pub discovery: bool,
    /// Sends without TLS, where anybody on the way reads and writes.
    #[serde(default)]
    pub allow_insecure: bool,
    /// The certificate authority to trust instead of the public ones.
    #[serde(default)]
    pub ca: Option<Authority>,
}

impl Mqtt {
    /// The topic; `{meter}` in it stands for the meter's id.
    #[must_use]
    pub fn topic(&self) -> &str {
        match (&self.topic, self.format) {
            (Some(topic), _) => topic,
            (None, Format::Thingsboard) => "v1/devices/me/telemetry",
            (None, Format::Classic | Format::Json) => "meterline/{meter}",
        }
    }

    /// What the device is called at the broker: unless set, its name.
    #[must_use]
    pub fn client_id<'a>(&'a self, name: &'a str) -> &'a str {
        self.client_id.as_deref().unwrap_or(name)
    }
}

/// What the display needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Display {
    /// Local standard time minus UTC, in minutes.
    pub utc_offset_minutes: i16,
    /// Whether clocks go forward an hour in summer, by the European Union's rule.
    pub summer_time: bool,
    /// How long after the last button press it is dimmed; zero for never.
    pub dim_after: Seconds,
    /// How long after the last button press it sleeps; zero for never.
    pub sleep_after: Seconds,
}

impl Default for Display {
    /// Central European time, dimmed after a minute, asleep after ten.
    fn default() -> Self {
        Self {
            utc_offset_minutes: 60,
            summer_time: true,
            dim_after: Seconds(60),
            sleep_after: Seconds(600),
        }
    }
}

/// Which readings are too strange to be true.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guard {
    /// Whether counters that fall, or rise faster than the fuses allow, are refused.
    pub enabled: bool,
    /// The highest power in W that can flow in either direction.
    pub max_power: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            enabled: true,
            max_power: meter_core::GuardConfig::default().max_power,
        }
    }
}

impl Guard {
    /// What the guard is made with.
    #[must_use]
    pub fn limits(&self) -> meter_core::GuardConfig {
        meter_core::GuardConfig {
            max_power: self.max_power,
            ..Default::default()
        }
    }
}

fn mqtt_port() -> u16 {
    8883
}

fn json() -> Format {
    Format::Json
}

/// A default, which fits: a test holds every one of them.
fn text<const N: usize>(text: &str) -> String<N> {
    String::try_from(text).unwrap_or_default()
}
