use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use http::Uri;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::http::{self as web, Server};

/// Where brokers expect a `WebSocket`: `HiveMQ` and EMQX nowhere else, mosquitto anywhere.
const PATH: &str = "/mqtt";

/// Address of a broker. It holds no user and no password, so it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerUrl {
    pub(super) server: Server,
    /// The path of a WebSocket, if it is one.
    pub(super) websocket: Option<String>,
}

/// Why a text is no [`BrokerUrl`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It cannot be read.
    #[error("url must look like mqtts://HOST, with :PORT behind it unless it is the usual one")]
    Unreadable,
    /// A scheme that is not one of MQTT's.
    #[error("url must begin with mqtts://, mqtt://, wss:// or ws://, not {0}://")]
    Scheme(String),
    /// Credentials in the URL.
    #[error("url must not hold a user name or password: use the keys username and password")]
    Credentials,
    /// A host that cannot be one.
    #[error("url has no usable host name (`{0}`)")]
    Host(String),
    /// A path where there is none.
    #[error("url ends with the port: topics are set with the key topic")]
    Path,
}

impl BrokerUrl {
    /// Whether it is encrypted.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.server.tls
    }

    fn usual_port(tls: bool, websocket: bool) -> u16 {
        match (tls, websocket) {
            (false, false) => 1883,
            (true, false) => 8883,
            (false, true) => 80,
            (true, true) => 443,
        }
    }

    fn scheme(&self) -> &'static str {
        match (self.server.tls, self.websocket.is_some()) {
            (false, false) => "mqtt",
            (true, false) => "mqtts",
            (false, true) => "ws",
            (true, true) => "wss",
        }
    }
}

impl FromStr for BrokerUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(BadUrl::Unreadable)?;
        let (tls, websocket) = match scheme {
            "mqtt" => (false, false),
            "mqtts" => (true, false),
            "ws" => (false, true),
            "wss" => (true, true),
            other => return Err(BadUrl::Scheme(other.to_owned())),
        };
        let as_web = format!("{}://{rest}", if tls { "https" } else { "http" });
        let (mut server, path) = Server::parse(&as_web).map_err(|bad| match bad {
            web::BadUrl::Unreadable | web::BadUrl::Scheme(_) => BadUrl::Unreadable,
            web::BadUrl::Credentials => BadUrl::Credentials,
            web::BadUrl::Host(host) => BadUrl::Host(host),
        })?;
        let uri: Uri = as_web.parse().map_err(|_| BadUrl::Unreadable)?;
        if uri.port().is_none() {
            server.port = Self::usual_port(tls, websocket);
        }
        let path = path.as_str();
        let websocket = match (websocket, path) {
            (true, "/") => Some(PATH.to_owned()),
            (true, path) => Some(path.to_owned()),
            (false, "/") => None,
            (false, _) => return Err(BadUrl::Path),
        };
        Ok(Self { server, websocket })
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Server { host, port, tls } = &self.server;
        write!(f, "{}://", self.scheme())?;
        if host.contains(':') {
            write!(f, "[{host}]")?;
        } else {
            f.write_str(host)?;
        }
        if *port != Self::usual_port(*tls, self.websocket.is_some()) {
            write!(f, ":{port}")?;
        }
        match self.websocket.as_deref() {
            None | Some(PATH) => Ok(()),
            Some(path) => f.write_str(path),
        }
    }
}

impl<'de> Deserialize<'de> for BrokerUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for BrokerUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for BrokerUrl {
    fn schema_name() -> Cow<'static, str> {
        "BrokerUrl".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(mqtts?|wss?)://",
            "examples": ["mqtts://broker.example.org", "mqtt://192.168.1.10", "wss://broker.example.org/mqtt"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> Result<(String, u16), BadUrl> {
        let url: BrokerUrl = url.parse()?;
        Ok((url.to_string(), url.server.port))
    }

    #[test]
    fn ports_are_the_usual_ones() {
        for (url, wanted, port) in [
            ("mqtt://Broker", "mqtt://broker", 1883),
            ("mqtts://broker", "mqtts://broker", 8883),
            ("mqtts://broker:443/", "mqtts://broker:443", 443),
            ("ws://broker:9001", "ws://broker:9001", 9001),
            ("wss://broker/mqtt", "wss://broker", 443),
            ("ws://broker/a?b=c", "ws://broker/a?b=c", 80),
            ("mqtt://[::1]:1884", "mqtt://[::1]:1884", 1884),
        ] {
            assert_eq!(shown(url), Ok((wanted.to_owned(), port)), "{url}");
        }
    }

    #[test]
    fn what_is_no_broker_is_refused() {
        for (url, wanted) in [
            ("broker", BadUrl::Unreadable),
            ("mqtt://", BadUrl::Unreadable),
            ("http://broker", BadUrl::Scheme("http".into())),
            ("mqtt://me:pw@broker", BadUrl::Credentials),
            ("mqtt://broker/topic", BadUrl::Path),
            ("mqtts://a..b", BadUrl::Host("a..b".into())),
        ] {
            assert_eq!(shown(url), Err(wanted), "{url}");
        }
    }
}
