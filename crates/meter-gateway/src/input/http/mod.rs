//! A Tibber Pulse, read from its bridge on the local network.
//!
//! The bridge's pages, as its own web page and the integrations that read it use them:
//! `/nodes.json` lists the radio nodes, `/data.json?node_id=N` is the last thing that node N sent.
//! With a meter that speaks SML that is one raw transport frame. Frames damaged on the radio are
//! normal. The meter mode is a setting that is often wrong, so the bytes decide what they are.

mod config;
mod nodes;

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, StatusCode};
use tokio::time::{Instant, sleep_until};

use super::{Fault, Spoken, spoken};
use crate::http::{Client, End, Limits, basic, sensitive};

pub use config::{BadUrl, BridgeUrl, Config, Node};

use config::FASTEST;
use nodes::{nodes_of, same_eui};

/// How long it may take until an answer begins.
const ANSWER: Duration = Duration::from_secs(10);

/// A telegram is below 1 kB; whatever is longer than this is another page.
const LONGEST: usize = 64 * 1024;

/// A bridge with its node found.
#[derive(Debug)]
pub(super) struct Bridge {
    client: Client,
    authorization: Option<HeaderValue>,
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
        let limits = Limits {
            answer: ANSWER,
            body: LONGEST,
        };
        let mut bridge = Self {
            client: Client::new(None, limits),
            authorization: authorization(config)?,
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
    async fn nodes(&mut self) -> Result<Vec<(u32, Option<String>)>, Fault> {
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

    async fn get(&mut self, page: &str, node: Option<u32>) -> Result<Vec<u8>, Fault> {
        let url = || self.config.url.clone();
        let failed = |source| Fault::Bridge { url: url(), source };
        let path = match node {
            Some(node) => format!("/{page}?node_id={node}"),
            None => format!("/{page}"),
        };
        let mut request = Request::get(path);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request
            .body(Bytes::new())
            .map_err(|error| failed(error.into()))?;
        let deadline = self.client.deadline();
        let answer = self
            .client
            .exchange(self.config.url.server(), request, deadline)
            .await
            .map_err(failed)?;
        match answer.status {
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
        match answer.end {
            End::Whole => Ok(answer.body),
            End::TooLong => Err(Fault::NoBridge { url: url() }),
            End::Cut(fault) => Err(failed(fault)),
        }
    }

    fn mode(&self, seen: Spoken) -> Fault {
        Fault::Mode {
            url: self.config.url.clone(),
            node: self.node,
            seen,
        }
    }
}

fn authorization(config: &Config) -> Result<Option<HeaderValue>, Fault> {
    let Some(password) = &config.password else {
        return Ok(None);
    };
    let value = sensitive(&basic(&config.user, password.expose()));
    value.map(Some).map_err(|error| Fault::Bridge {
        url: config.url.clone(),
        source: http::Error::from(error).into(),
    })
}
