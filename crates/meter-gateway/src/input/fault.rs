use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use super::http::{BridgeUrl, Node};
use super::tcp::Address;
use super::{MeterName, Spoken};
use crate::http::{self, ConnectError};
use crate::mqtt::{self, BrokerUrl};
use crate::ports::{OpenError, Report};
use crate::tls;

/// Why an input is not open. Each message is one line and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A serial port cannot be opened.
    #[error(transparent)]
    Port(#[from] OpenError),
    /// The head was pulled out.
    #[error("{} has gone: plug the head in again", .path.display())]
    Unplugged {
        /// The port.
        path: PathBuf,
    },
    /// `auto` has no port to listen to.
    #[error(
        "no serial port is plugged in: check the USB cable (in a container: pass the device in with --device)"
    )]
    NoPorts,
    /// `auto` heard no meter, or not the one that it looks for.
    #[error("{}", no_meter(.wanted.as_ref(), .heard))]
    NoMeter {
        /// The meter that was looked for.
        wanted: Option<MeterName>,
        /// What the ports had to say.
        heard: Vec<Report>,
    },
    /// `auto` heard several meters and does not know which one is meant.
    #[error("several meters speak ({}): say which one with meter = \"...\"", .meters.join(", "))]
    Ambiguous {
        /// The meters as printed on them.
        meters: Vec<String>,
    },

    /// The name of the server is not known.
    #[error("cannot find host {host}: {source}; check its name and this machine's network")]
    Unresolved {
        /// Host name.
        host: String,
        /// The resolver's words.
        source: io::Error,
    },
    /// The server refused, or cannot be reached.
    #[error(
        "cannot connect to {address}: {source}; check that the serial server runs, and its port"
    )]
    Unreachable {
        /// The server.
        address: Address,
        /// The system's words.
        source: io::Error,
    },
    /// Nobody answered the connection.
    #[error("no answer from {address}: check the address, and that a firewall lets it through")]
    NoAnswer {
        /// The server.
        address: Address,
    },
    /// The server has as many clients as it may.
    #[error(
        "{address} says that its port is in use: end the other client, or raise max-connections there"
    )]
    Busy {
        /// The server.
        address: Address,
    },
    /// The server closed the connection.
    #[error("{address} closed the connection: check the serial server and its head")]
    Closed {
        /// The server.
        address: Address,
    },
    /// The connection broke.
    #[error("the connection to {address} broke: {source}")]
    Lost {
        /// The server.
        address: Address,
        /// The system's words.
        source: io::Error,
    },

    /// The bridge did not answer properly.
    #[error("no answer from the bridge at {url}: {}; check that it is plugged in and has this address", no_answer(.source))]
    Bridge {
        /// The bridge.
        url: BridgeUrl,
        /// What went wrong.
        source: http::Fault,
    },
    /// User or password are wrong.
    #[error("the bridge at {url} {}", login(.user, *.given))]
    Login {
        /// The bridge.
        url: BridgeUrl,
        /// The user that was given.
        user: String,
        /// Whether a password was given at all.
        given: bool,
    },
    /// A page is missing.
    #[error("{}", no_data(.url, .page, *.node))]
    NoData {
        /// The bridge.
        url: BridgeUrl,
        /// The page.
        page: String,
        /// The node that was asked for.
        node: Option<u32>,
    },
    /// Some other status.
    #[error(
        "the bridge at {url} answers {status} to {page}: if it stays so, unplug it for a minute"
    )]
    Status {
        /// The bridge.
        url: BridgeUrl,
        /// The page.
        page: String,
        /// HTTP status.
        status: u16,
    },
    /// The node that is configured is not there, or none is.
    #[error("{}", no_node(.url, .wanted, .listed))]
    NoNode {
        /// The bridge.
        url: BridgeUrl,
        /// The node that was looked for.
        wanted: Node,
        /// The nodes that the bridge has.
        listed: Vec<u32>,
    },
    /// Something else answers at this address.
    #[error("what answers at {url} is no Tibber bridge: check the address")]
    NoBridge {
        /// The address.
        url: BridgeUrl,
    },
    /// The Pulse does not send SML.
    #[error("{}", mode(.url, *.node, *.seen))]
    Mode {
        /// The bridge.
        url: BridgeUrl,
        /// The node.
        node: u32,
        /// What it sends.
        seen: Spoken,
    },

    /// The broker cannot be reached, or does not let us in or subscribe.
    #[error("the broker at {url}: {source}")]
    Broker {
        /// The broker.
        url: BrokerUrl,
        /// What went wrong.
        source: Box<mqtt::Fault>,
    },
    /// What is published on the topic is something else.
    #[error("{}", no_reading(.topic, .keys))]
    NoReading {
        /// The topic.
        topic: String,
        /// The names in it, if it is JSON.
        keys: Vec<String>,
    },
    /// The certificate files are of no use.
    #[error(transparent)]
    Certificates(tls::Error),
    /// A certificate without its key, or the other way round.
    #[error("client_cert and client_key need each other")]
    HalfIdentity,

    /// A recording cannot be read.
    #[error("cannot read {}: {source}; check the path and its permissions", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

impl Fault {
    /// One word for what is wrong, the same however the message reads.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Port(error) => error.kind(),
            Self::Unplugged { .. } => "unplugged",
            Self::NoPorts => "no-ports",
            Self::NoMeter { .. } => "no-meter",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Unresolved { .. } => "unresolved",
            Self::Unreachable { .. } => "unreachable",
            Self::NoAnswer { .. } => "no-answer",
            Self::Busy { .. } => "busy",
            Self::Closed { .. } => "closed",
            Self::Lost { .. } => "lost",
            Self::Bridge { .. } => "bridge",
            Self::Login { .. } => "login",
            Self::NoData { .. } => "no-data",
            Self::Status { .. } => "status",
            Self::NoNode { .. } => "no-node",
            Self::NoBridge { .. } => "no-bridge",
            Self::Mode { .. } => "mode",
            Self::Broker { .. } => "broker",
            Self::NoReading { .. } => "no-reading",
            Self::Certificates(_) | Self::HalfIdentity => "certificates",
            Self::File { .. } => "file",
        }
    }

    /// Heals by itself more often than not, so that it is worth a word only when it lasts: a
    /// server that restarts, a bridge that was busy.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        if let Self::Broker { source, .. } = self {
            return !source.lasts();
        }
        matches!(
            self,
            Self::Unresolved { .. }
                | Self::Unreachable { .. }
                | Self::NoAnswer { .. }
                | Self::Closed { .. }
                | Self::Lost { .. }
                | Self::Bridge { .. }
                | Self::Status { .. }
                | Self::NoData { .. }
        )
    }
}

/// The cause in a few words: which bridge, and what to do, is said around it.
fn no_answer(fault: &http::Fault) -> String {
    match fault {
        http::Fault::Connect(ConnectError::Name { reason, .. }) | http::Fault::Broken(reason) => {
            reason.clone()
        }
        http::Fault::Connect(ConnectError::Refused { .. }) => "Connection refused".to_owned(),
        http::Fault::Connect(ConnectError::Unreachable { reason, .. }) => reason.to_string(),
        http::Fault::Connect(ConnectError::NoAnswer { .. }) | http::Fault::TimedOut { .. } => {
            "it took too long".to_owned()
        }
        http::Fault::NotHttp => "it does not speak HTTP".to_owned(),
        other => other.to_string(),
    }
}

fn no_reading(topic: &str, keys: &[String]) -> String {
    let what = format!("a message on {topic} is neither an SML telegram nor Tasmota's JSON");
    if keys.is_empty() {
        format!("{what}: check topic")
    } else {
        let names = keys.join(", ");
        format!("{what} with names that are known: say in codes what they are ({names})")
    }
}

fn no_meter(wanted: Option<&MeterName>, heard: &[Report]) -> String {
    let mut text = match wanted {
        Some(meter) => format!("meter {meter} speaks on no port:"),
        None => "no meter speaks on any port:".to_owned(),
    };
    for (index, report) in heard.iter().enumerate() {
        let comma = if index == 0 { "" } else { ";" };
        // Writing into a String cannot fail.
        let _ = write!(text, "{comma} {report}");
    }
    text
}

fn login(user: &str, given: bool) -> String {
    if given {
        format!(
            "refuses user {user} with this password: it is the nine characters on the bridge's \
             label, with the dash"
        )
    } else {
        "wants a password: set password to the nine characters on its label, with the dash"
            .to_owned()
    }
}

fn no_data(url: &BridgeUrl, page: &str, node: Option<u32>) -> String {
    match node {
        Some(node) => format!(
            "the bridge at {url} has no {page} for node {node}: check node against {url}/nodes/; \
             newer bridges have no local data at all"
        ),
        None => {
            format!("the bridge at {url} has no {page}: newer bridges have no local data at all")
        }
    }
}

fn no_node(url: &BridgeUrl, wanted: &Node, listed: &[u32]) -> String {
    if listed.is_empty() {
        return format!("the bridge at {url} has no Pulse: pair one with it in the Tibber app");
    }
    let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
    format!(
        "the bridge at {url} has no node {wanted}: it has {}; set node to one of these or to \"auto\"",
        listed.join(", ")
    )
}

fn mode(url: &BridgeUrl, node: u32, seen: Spoken) -> String {
    let what = match seen {
        Spoken::Json => "counts of light pulses (JSON)",
        Spoken::D0 { .. } => "D0 (IEC 62056-21) text",
        Spoken::Html => {
            return format!("what answers at {url} is no Tibber bridge: check the address");
        }
        _ => "something else",
    };
    format!(
        "node {node} of the bridge at {url} sends {what}, not SML: set its meter mode to 3 (SML) at {url}/nodes/{node}/config"
    )
}
