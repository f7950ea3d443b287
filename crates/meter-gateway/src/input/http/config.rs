//! The settings of one bridge.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::config::{Duration, Interval, Secret};
use crate::http::{self, Server};
use crate::input::INTERVAL;

/// The bridge's web server stumbles when it is asked more often.
pub(super) const FASTEST: time::Duration = time::Duration::from_secs(2);

/// A Tibber Pulse on its bridge, without the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The bridge's address.
    pub url: BridgeUrl,
    /// User name; every bridge has `admin`.
    pub user: String,
    /// The nine characters on the bridge's label, with the dash.
    pub password: Option<Secret>,
    /// Which Pulse: `"auto"` takes the first that sends SML, otherwise its number or its EUI as
    /// the bridge's web page shows them.
    pub node: Node,
    /// How often the bridge is asked, `"2s"` at the least.
    #[serde(deserialize_with = "poll")]
    pub poll: Duration,
    /// The newest complete reading of each interval is kept; `"every"` keeps them all.
    pub interval: Interval,
    /// How long no reading may come before something is said and the node is looked for anew.
    #[serde(deserialize_with = "crate::config::a_second_or_more")]
    pub silence: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: BridgeUrl::default(),
            user: "admin".to_owned(),
            password: None,
            node: Node::default(),
            poll: Duration::from_secs(2),
            interval: INTERVAL,
            silence: Duration::from_secs(60),
        }
    }
}

fn poll<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let poll = Duration::deserialize(deserializer)?;
    if poll.get() < FASTEST {
        return Err(de::Error::custom(format!(
            "poll = \"{poll}\" is too fast for the bridge: \"2s\" at the least"
        )));
    }
    Ok(poll)
}

/// Address of a bridge: plain HTTP, without user and password in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeUrl(Server);

/// Why a text is no [`BridgeUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It cannot be read.
    #[error("this is no address of a bridge: write for example \"http://tibber-bridge\"")]
    Unreadable,
    /// The bridge has no TLS.
    #[error("the bridge speaks plain HTTP only: write \"http://\" in front of its name")]
    Scheme,
    /// Credentials in an address end up in logs.
    #[error("no user or password in the address: set `user` and `password` instead")]
    Credentials,
}

impl FromStr for BridgeUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let text = text.trim();
        let parsed = if text.contains("://") {
            Server::parse(text)
        } else {
            Server::parse(&format!("http://{text}"))
        };
        match parsed {
            Ok((server, _)) if server.tls => Err(BadUrl::Scheme),
            Ok((server, _)) => Ok(Self(server)),
            Err(http::BadUrl::Scheme(_)) => Err(BadUrl::Scheme),
            Err(http::BadUrl::Credentials) => Err(BadUrl::Credentials),
            Err(http::BadUrl::Unreadable | http::BadUrl::Host(_)) => Err(BadUrl::Unreadable),
        }
    }
}

impl BridgeUrl {
    pub(super) fn server(&self) -> &Server {
        &self.0
    }
}

impl Default for BridgeUrl {
    /// The name that the bridge gives itself on the network.
    fn default() -> Self {
        Self(Server {
            tls: false,
            host: "tibber-bridge".to_owned(),
            port: 80,
        })
    }
}

impl fmt::Display for BridgeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for BridgeUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for BridgeUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for BridgeUrl {
    fn schema_name() -> Cow<'static, str> {
        "BridgeUrl".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "examples": ["http://tibber-bridge", "192.168.1.30"],
        })
    }
}

/// Which of a bridge's radio nodes to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Node {
    /// The first that sends SML.
    #[default]
    Auto,
    /// The one with this number.
    Id(u32),
    /// The one with this EUI.
    Eui(String),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// Takes a number or a text.
struct NodeVisitor;

impl de::Visitor<'_> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"auto\", a node's number or its EUI")
    }

    fn visit_u64<E: de::Error>(self, id: u64) -> Result<Node, E> {
        let wrong = |_| E::custom(format!("there is no node {id}"));
        u32::try_from(id).map(Node::Id).map_err(wrong)
    }

    fn visit_i64<E: de::Error>(self, id: i64) -> Result<Node, E> {
        let wrong = |_| E::custom(format!("there is no node {id}"));
        u32::try_from(id).map(Node::Id).map_err(wrong)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        if text == "auto" {
            return Ok(Node::Auto);
        }
        Ok(text
            .parse()
            .map_or_else(|_| Node::Eui(text.to_owned()), Node::Id))
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Id(id) => write!(f, "{id}"),
            Self::Eui(eui) => f.write_str(eui),
        }
    }
}

impl JsonSchema for Node {
    fn schema_name() -> Cow<'static, str> {
        "Node".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "examples": ["auto", 2, "1a2b3c4d5e6f7081"],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn addresses_may_be_short_and_hold_no_password() {
        let url = |text: &str| text.parse::<BridgeUrl>().map(|url| url.to_string());
        assert_eq!(url("192.168.1.30"), Ok("http://192.168.1.30".into()));
        assert_eq!(
            url("http://tibber-bridge/nodes/1"),
            Ok("http://tibber-bridge".into())
        );
        assert_eq!(url("http://bridge:8080"), Ok("http://bridge:8080".into()));
        assert_eq!(url("https://bridge"), Err(BadUrl::Scheme));
        assert_eq!(
            url("http://admin:AB12-CD34@bridge"),
            Err(BadUrl::Credentials)
        );
        assert_eq!(url(""), Err(BadUrl::Unreadable));
        assert_eq!(BridgeUrl::default().to_string(), "http://tibber-bridge");
    }

    #[test]
    fn a_node_is_a_number_or_an_eui() {
        let node = |value: Value| serde_json::from_value::<Node>(value).ok();
        assert_eq!(node(json!("auto")), Some(Node::Auto));
        assert_eq!(node(json!(2)), Some(Node::Id(2)));
        assert_eq!(node(json!("3")), Some(Node::Id(3)));
        assert_eq!(node(json!("1a2b")), Some(Node::Eui("1a2b".into())));
    }

    #[test]
    fn polling_too_fast_is_refused() {
        let config = serde_json::from_value::<Config>(json!({"poll": "1s"}));
        let message = config.map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(
            message,
            Err("poll = \"1s\" is too fast for the bridge: \"2s\" at the least".to_owned())
        );
    }
}
