//! A serial server on the network: ser2net, an ESP with a serial bridge, `socket://host:port`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Fault;
use crate::config::{Duration, Interval};
use crate::http::connect_any;

/// How long a connection may take to come about.
const CONNECT: time::Duration = time::Duration::from_secs(10);

/// A serial server on the network that passes the meter's bytes on (ser2net in raw mode).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Host and port, `"192.168.1.20:3333"` or `"socket://cellar:3333"`.
    pub address: Address,
    /// How long an idle connection may go unchecked. A server that was switched off is noticed
    /// after about twice this time.
    #[serde(default = "keepalive")]
    pub keepalive: Duration,
    /// The newest complete reading of each interval is kept; `"every"` keeps them all.
    #[serde(default = "super::interval")]
    pub interval: Interval,
    /// How long no reading may come before something is said and the connection is made anew.
    #[serde(
        default = "super::silence",
        deserialize_with = "crate::config::a_second_or_more"
    )]
    pub silence: Duration,
}

fn keepalive() -> Duration {
    Duration::from_secs(30)
}

impl Config {
    /// The given server, everything else as it is by default.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            keepalive: keepalive(),
            interval: super::INTERVAL,
            silence: super::SILENCE,
        }
    }
}

/// Host and port of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

/// Why a text is no [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address: write \"host:port\", for example \"192.168.1.20:3333\"")]
pub struct BadAddress(String);

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress(text.to_owned());
        let plain = text.trim();
        let plain = ["socket://", "tcp://"]
            .iter()
            .find_map(|scheme| plain.strip_prefix(scheme))
            .unwrap_or(plain);
        let (host, port) = plain
            .trim_end_matches('/')
            .rsplit_once(':')
            .ok_or_else(bad)?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        // An IPv6 address without brackets swallows the port.
        if host.is_empty() || (bracketed.is_none() && host.contains([':', '/', '@'])) {
            return Err(bad());
        }
        Ok(Self {
            host: bracketed.unwrap_or(host).to_owned(),
            port: port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(bad)?,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
        json_schema!({
            "type": "string",
            "pattern": r":\d+/?$",
            "examples": ["192.168.1.20:3333", "socket://cellar:3333"],
        })
    }
}

/// A connection to a serial server.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    address: Address,
    /// The first bytes, in which some servers refuse in plain words.
    greeting: Vec<u8>,
}

/// As many bytes of a greeting as are looked at.
const GREETING: usize = 64;

impl Connection {
    pub(super) async fn open(config: &Config) -> Result<Self, Fault> {
        let address = config.address.clone();
        let stream = match timeout(CONNECT, connect(&address)).await {
            Ok(connected) => connected?,
            Err(_) => return Err(Fault::NoAnswer { address }),
        };
        let idle = config.keepalive.get().max(time::Duration::from_secs(1));
        let probe = (idle / 3).max(time::Duration::from_secs(1));
        let keepalive = TcpKeepalive::new()
            .with_time(idle)
            .with_interval(probe)
            .with_retries(3);
        // Where it cannot be set, `silence` still notices a dead connection.
        if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keepalive) {
            tracing::debug!("no keepalive on the connection to {address}: {error}");
        }
        Ok(Self {
            stream,
            address,
            greeting: Vec::new(),
        })
    }

    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        match self.stream.read(buffer).await {
            Ok(0) if self.is_refusal() => Err(Fault::Busy {
                address: self.address.clone(),
            }),
            Ok(0) => Err(Fault::Closed {
                address: self.address.clone(),
            }),
            Ok(count) => {
                let room = GREETING.saturating_sub(self.greeting.len()).min(count);
                self.greeting.extend_from_slice(&buffer[..room]);
                Ok(count)
            }
            Err(source) => Err(Fault::Lost {
                address: self.address.clone(),
                source,
            }),
        }
    }

    /// ser2net says "Port already in use" and hangs up when it has as many clients as it may.
    fn is_refusal(&self) -> bool {
        String::from_utf8_lossy(&self.greeting)
            .to_ascii_lowercase()
            .contains("in use")
    }

    /// The server, for people.
    pub(super) fn label(&self) -> String {
        self.address.to_string()
    }
}

async fn connect(address: &Address) -> Result<TcpStream, Fault> {
    let unresolved = |source| Fault::Unresolved {
        host: address.host.clone(),
        source,
    };
    let found = tokio::net::lookup_host((address.host.as_str(), address.port))
        .await
        .map_err(unresolved)?;
    connect_any(found)
        .await
        .map_err(|source| Fault::Unreachable {
            address: address.clone(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_as_people_write_them() {
        for (text, plain) in [
            ("cellar:3333", "cellar:3333"),
            ("socket://cellar:3333", "cellar:3333"),
            ("tcp://192.168.1.20:1/", "192.168.1.20:1"),
            ("[fe80::1]:2000", "[fe80::1]:2000"),
        ] {
            let address: Result<Address, _> = text.parse();
            assert_eq!(
                address.map(|address| address.to_string()),
                Ok(plain.to_owned())
            );
        }
        for text in [
            "cellar",
            "cellar:",
            ":3333",
            "fe80::1:2000",
            "cellar:0",
            "http://cellar:80",
            "a:70000",
        ] {
            assert_eq!(text.parse::<Address>(), Err(BadAddress(text.to_owned())));
        }
    }
}
