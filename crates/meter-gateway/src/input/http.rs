//! A Tibber Pulse, read from its bridge on the local network.
//!
//! The bridge's pages, as its own web page and the integrations that read it use them:
//! `/nodes.json` lists the radio nodes, `/data.json?node_id=N` is the last thing that node N sent.
//! With a meter that speaks SML that is one raw transport frame. Frames damaged on the radio are
//! normal. The meter mode is a setting that is often wrong, so the bytes decide what they are.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time;

use reqwest::{Client, StatusCode, Url};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::{Fault, Spoken, spoken};
use crate::config::{Duration, Interval, Secret};

/// The bridge's web server stumbles when it is asked more often.
const FASTEST: time::Duration = time::Duration::from_secs(2);

/// How long one question may take.
const ANSWER: time::Duration = time::Duration::from_secs(10);

/// A telegram is below 1 kB; whatever is longer than this is another page.
const LONGEST: usize = 64 * 1024;

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
            interval: super::INTERVAL,
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
pub struct BridgeUrl(String);

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
        let url = if text.contains("://") {
            Url::parse(text)
        } else {
            Url::parse(&format!("http://{text}"))
        };
        let url = url.map_err(|_| BadUrl::Unreadable)?;
        if url.scheme() != "http" {
            return Err(BadUrl::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadUrl::Credentials);
        }
        Ok(Self(url.origin().ascii_serialization()))
    }
}

impl Default for BridgeUrl {
    /// The name that the bridge gives itself on the network.
    fn default() -> Self {
        Self("http://tibber-bridge".to_owned())
    }
}

impl fmt::Display for BridgeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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

/// A bridge with its node found.
#[derive(Debug)]
pub(super) struct Bridge {
    client: Client,
    config: Config,
    node: u32,
    memory: Memory,
    /// How much of the last answer has been passed on.
    passed: usize,
}

/// What outlives one attempt at a bridge.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// When it may be asked for data again: finding the node anew is no reason to ask faster.
    next: Option<Instant>,
    /// The last answer. The bridge repeats it for ever when its Pulse is silent, and the same one
    /// again is no new telegram.
    last: Vec<u8>,
}

impl Bridge {
    /// Finds the node.
    pub(super) async fn open(config: &Config, memory: &mut Memory) -> Result<Self, Fault> {
        let mut bridge = Self {
            client: client()?,
            config: config.clone(),
            node: 0,
            passed: memory.last.len(),
            memory: std::mem::take(memory),
        };
        match bridge.find().await {
            Ok(node) => {
                bridge.node = node;
                Ok(bridge)
            }
            Err(fault) => {
                *memory = bridge.memory;
                Err(fault)
            }
        }
    }

    pub(super) fn close(self) -> Memory {
        self.memory
    }

    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        loop {
            let rest = &self.memory.last[self.passed..];
            if !rest.is_empty() {
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                self.passed += count;
                return Ok(count);
            }
            let body = self.data(self.node).await?;
            let seen = spoken(&body);
            if matches!(seen, Spoken::Json | Spoken::Html | Spoken::D0 { .. }) {
                return Err(self.mode(seen));
            }
            self.keep(body);
        }
    }

    /// Keeps an answer to be passed on, if it is a new one.
    fn keep(&mut self, body: Vec<u8>) {
        if body != self.memory.last {
            self.memory.last = body;
            self.passed = 0;
        }
    }

    /// The bridge and its node, for people.
    pub(super) fn label(&self) -> String {
        format!("{} node {}", self.config.url, self.node)
    }

    async fn find(&mut self) -> Result<u32, Fault> {
        let nodes = self.nodes().await?;
        let listed = || nodes.iter().map(|(id, _)| *id).collect::<Vec<_>>();
        let missing = || Fault::NoNode {
            url: self.config.url.clone(),
            wanted: self.config.node.clone(),
            listed: listed(),
        };
        match &self.config.node {
            Node::Id(id) => Ok(*id),
            Node::Eui(wanted) => nodes
                .iter()
                .find(|(_, eui)| eui.as_deref().is_some_and(|eui| same_eui(eui, wanted)))
                .map(|(id, _)| *id)
                .ok_or_else(missing),
            Node::Auto if nodes.is_empty() => Err(missing()),
            Node::Auto => self.first_with_sml(&listed()).await,
        }
    }

    /// The first node that sends SML; if none does, the first that sends anything, so that what is
    /// wrong with it can be said.
    async fn first_with_sml(&mut self, nodes: &[u32]) -> Result<u32, Fault> {
        let mut fallback = None;
        let mut failed = None;
        for &node in nodes {
            match self.data(node).await {
                Ok(body) => match spoken(&body) {
                    Spoken::Sml => {
                        self.keep(body);
                        return Ok(node);
                    }
                    _ if body.is_empty() => {}
                    _ => fallback = fallback.or(Some(node)),
                },
                Err(fault @ Fault::NoData { .. }) => failed = Some(fault),
                Err(other) => return Err(other),
            }
        }
        match (fallback, failed, nodes.first()) {
            (Some(node), _, _) => Ok(node),
            (None, Some(fault), _) => Err(fault),
            (None, None, Some(node)) => Ok(*node),
            (None, None, None) => Err(Fault::NoNode {
                url: self.config.url.clone(),
                wanted: Node::Auto,
                listed: Vec::new(),
            }),
        }
    }

    /// The nodes that the bridge lists, by number and EUI. A bridge without the page is tried with
    /// the numbers that have been seen.
    async fn nodes(&self) -> Result<Vec<(u32, Option<String>)>, Fault> {
        match self.get("nodes.json", None).await {
            Ok(body) => match serde_json::from_slice(&body) {
                Ok(json) => Ok(nodes_of(&json)),
                Err(_) => Err(Fault::NoBridge {
                    url: self.config.url.clone(),
                }),
            },
            Err(Fault::NoData { .. }) => Ok((1..=5).map(|id| (id, None)).collect()),
            Err(other) => Err(other),
        }
    }

    async fn data(&mut self, node: u32) -> Result<Vec<u8>, Fault> {
        if let Some(next) = self.memory.next {
            sleep_until(next).await;
        }
        self.memory.next = Some(Instant::now() + self.config.poll.get().max(FASTEST));
        self.get("data.json", Some(node)).await
    }

    async fn get(&self, page: &str, node: Option<u32>) -> Result<Vec<u8>, Fault> {
        let url = || self.config.url.clone();
        let failed = |error: reqwest::Error| Fault::Bridge {
            url: url(),
            // The address is in our own message already.
            source: error.without_url(),
        };
        let address = match node {
            Some(node) => format!("{}/{page}?node_id={node}", self.config.url),
            None => format!("{}/{page}", self.config.url),
        };
        let mut request = self.client.get(address);
        if let Some(password) = &self.config.password {
            request = request.basic_auth(&self.config.user, Some(password.expose()));
        }
        let mut answer = request.send().await.map_err(failed)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(Fault::Login {
                    url: url(),
                    user: self.config.user.clone(),
                    given: self.config.password.is_some(),
                });
            }
            StatusCode::NOT_FOUND => {
                return Err(Fault::NoData {
                    url: url(),
                    page: page.to_owned(),
                    node,
                });
            }
            status => {
                return Err(Fault::Status {
                    url: url(),
                    page: page.to_owned(),
                    status: status.as_u16(),
                });
            }
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                return Err(Fault::NoBridge { url: url() });
            }
        }
        Ok(body)
    }

    fn mode(&self, seen: Spoken) -> Fault {
        Fault::Mode {
            url: self.config.url.clone(),
            node: self.node,
            seen,
        }
    }
}

/// Node numbers and EUIs wherever they stand in `nodes.json`: its shape differs by firmware, a list
/// of objects or an object that holds one. Nodes that are not available come last.
fn nodes_of(json: &Value) -> Vec<(u32, Option<String>)> {
    let list = match json {
        Value::Array(list) => list.as_slice(),
        Value::Object(fields) => fields
            .values()
            .find_map(Value::as_array)
            .map_or(&[][..], Vec::as_slice),
        _ => &[],
    };
    let mut nodes: Vec<_> = list
        .iter()
        .filter_map(|node| {
            let id = ["node_id", "id"]
                .iter()
                .find_map(|key| node.get(key)?.as_u64())?;
            let eui = node.get("eui").and_then(Value::as_str).map(str::to_owned);
            let available = node.get("available").and_then(Value::as_bool) != Some(false);
            Some((!available, u32::try_from(id).ok()?, eui))
        })
        .collect();
    nodes.sort_by_key(|(absent, _, _)| *absent);
    nodes.into_iter().map(|(_, id, eui)| (id, eui)).collect()
}

/// EUIs are written with and without separators, in either case.
fn same_eui(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        let digits = text.chars().filter(char::is_ascii_alphanumeric);
        digits.collect::<String>().to_ascii_lowercase()
    };
    plain(one) == plain(other)
}

/// A client for plain HTTP. It wants to know how to do TLS all the same, and is told to trust nobody.
fn client() -> Result<Client, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| Fault::Client {
            reason: source.to_string(),
        })?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        // The bridge is in the same house.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER)
        .build()
        .map_err(|source| Fault::Client {
            reason: source.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
    fn nodes_are_found_in_any_shape_of_the_page() {
        let list = json!([
            {"node_id": 1, "eui": "aa", "available": false},
            {"node_id": 3, "eui": "bb", "available": true},
            {"node_id": 5},
            {"eui": "cc"},
        ]);
        let wanted = vec![
            (3, Some("bb".to_owned())),
            (5, None),
            (1, Some("aa".to_owned())),
        ];
        assert_eq!(nodes_of(&list), wanted);
        assert_eq!(
            nodes_of(&json!({"count": 1, "nodes": [{"id": 2}]})),
            vec![(2, None)]
        );
        assert_eq!(nodes_of(&json!("nothing")), vec![]);
    }

    #[test]
    fn euis_are_the_same_however_they_are_written() {
        assert!(same_eui("1A:2B:3C", "1a2b3c"));
        assert!(!same_eui("1a2b3c", "1a2b3d"));
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
