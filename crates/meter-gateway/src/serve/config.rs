//! The server's table in the configuration file.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::shelly::Device;
use crate::input::MeterName;

/// What other programs may read by HTTP.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the file")]
pub struct Config {
    /// The address and port that it listens on: `127.0.0.1` is for programs on this machine only,
    /// `0.0.0.0` for every network that the machine is in.
    #[schemars(default = "default_listen")]
    pub listen: Address,
    /// Names under which it may be called, beside IP addresses, names without a dot, and those that end
    /// in `.local`, `.localhost`, `.internal` or `.home.arpa`. Other names are refused, so that no page
    /// on the internet can read your meter through your browser.
    #[schemars(extend("examples" = [["meter.example.org"]]))]
    pub hosts: Vec<String>,
    /// Whether Prometheus finds `/metrics`.
    pub metrics: bool,
    /// Whether dashboards find meters, readings, events and health below `/api/v1/`.
    pub api: bool,
    /// Whether programs that read vzlogger's local interface find every register at `/`.
    pub vzlogger: bool,
    /// Whether programs that read a Tasmota head find one meter at `/cm?cmnd=status 10`.
    pub tasmota: bool,
    /// Whether programs that read everHome's `EcoTracker` find one meter at `/v1/json`.
    pub ecotracker: bool,
    /// Which Shelly energy meter one meter is shown as, at `/rpc`. None unless set.
    #[schemars(extend("examples" = ["pro3em"]))]
    pub shelly: Option<Device>,
    /// Where the Shelly answers by UDP too. Batteries of Marstek ask on port 1010 (B2500 up to firmware
    /// 224) or 2220 for `pro3em`, 2222 for `emg3`, 2223 for `proem50`. Ports below 1024 are root's.
    #[schemars(extend("examples" = [["0.0.0.0:2220"]]))]
    pub shelly_udp: Vec<Address>,
    /// The meter that Tasmota, `EcoTracker` and Shelly show, as printed on it; needed as soon as several
    /// are read.
    pub meter: Option<MeterName>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Address::default(),
            hosts: Vec::new(),
            metrics: true,
            api: true,
            vzlogger: false,
            tasmota: false,
            ecotracker: false,
            shelly: None,
            shelly_udp: Vec::new(),
            meter: None,
        }
    }
}

impl Config {
    /// Whether no face is turned on.
    #[must_use]
    pub fn shows_nothing(&self) -> bool {
        let faces = [
            self.metrics,
            self.api,
            self.vzlogger,
            self.tasmota,
            self.ecotracker,
            self.shelly.is_some(),
        ];
        !faces.contains(&true)
    }

    /// What is wrong with the settings together: the key, and what to do.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        (self.shelly.is_none() && !self.shelly_udp.is_empty()).then_some((
            "shelly_udp",
            "this needs a Shelly to answer: write shelly = \"pro3em\", \"emg3\" or \"proem50\" beside it",
        ))
    }
}

fn default_listen() -> String {
    Address::default().to_string()
}

/// An address and a port to listen on: `127.0.0.1:8080`, `[::1]:8080`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(SocketAddr);

/// Why a text is no [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address to listen on: write an IP address of this machine and a port, for example \
     \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for every network"
)]
pub struct BadAddress(String);

impl Address {
    /// For the system.
    #[must_use]
    pub const fn socket(self) -> SocketAddr {
        self.0
    }
}

impl Default for Address {
    fn default() -> Self {
        Self(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let named = text.trim().strip_prefix("localhost:");
        let address = match named {
            Some(port) => port
                .parse()
                .ok()
                .map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            None => text.trim().parse().ok(),
        };
        address.map(Self).ok_or_else(|| BadAddress(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["127.0.0.1:8080", "[::1]:8080"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_for_a_shelly_that_is_not_there_are_told_with_the_fix() {
        let text = "[http]\nshelly_udp = [\"0.0.0.0:2220\"]\n";
        let refused = crate::config::Config::parse("meterline.toml", text).unwrap_err();
        let said = refused.to_string();
        assert!(said.starts_with("meterline.toml:2:"), "{said}");
        assert!(said.contains("shelly = \"pro3em\""), "{said}");
        let right = text.replace("[http]", "[http]\nshelly = \"pro3em\"");
        assert!(crate::config::Config::parse("meterline.toml", &right).is_ok());
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let address = |text: &str| text.parse::<Address>().map(|address| address.to_string());
        assert_eq!(address("0.0.0.0:80").as_deref(), Ok("0.0.0.0:80"));
        assert_eq!(address("localhost:8081").as_deref(), Ok("127.0.0.1:8081"));
        assert_eq!(address("[::1]:8080").as_deref(), Ok("[::1]:8080"));
        for wrong in [
            "8080",
            "127.0.0.1",
            "meter.example.org:80",
            "127.0.0.1:70000",
        ] {
            let error = address(wrong).unwrap_err().to_string();
            assert!(error.contains("for example \"127.0.0.1:8080\""), "{error}");
        }
    }
}
