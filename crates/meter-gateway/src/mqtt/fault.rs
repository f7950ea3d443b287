use std::io;
use std::time::Duration;

use super::{Reason, Sort};
use crate::http::ConnectError;
use crate::tls;

/// Why there is no connection to a broker, or no longer one. Each is a sentence behind the broker's name.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The name, the connection or TLS.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// TLS ends after the handshake, as for a missing client certificate.
    #[error("{0}")]
    Tls(tls::Fault),
    /// The upgrade to a WebSocket is refused.
    #[error("it has no WebSocket for MQTT there ({0}): check host, port and path in url")]
    WebSocket(String),
    /// Nothing comes back.
    #[error("no answer within {} s", limit.as_secs_f32())]
    TimedOut {
        /// How long was waited.
        limit: Duration,
    },
    /// Something else listens there.
    #[error("it does not speak MQTT on this port: check the port and what url begins with")]
    NotMqtt,
    /// The broker does not let us in.
    #[error("it does not let us in: {reason}{advice}", reason = .0, advice = .0.advice())]
    Login(Reason),
    /// The broker ends the connection and says why.
    #[error("it ended the connection: {reason}{advice}", reason = .0, advice = .0.advice())]
    Ended(Reason),
    /// The broker does not pass on what was asked for.
    #[error("it does not let us subscribe to {filter}: {reason}{}", reason.advice())]
    Subscription {
        /// What was asked for.
        filter: String,
        /// Why not.
        reason: Reason,
    },
    /// The connection is closed without a word.
    #[error("it closed the connection{0}")]
    Closed(&'static str),
    /// The connection breaks.
    #[error("the connection broke ({0})")]
    Broken(io::Error),
    /// The broker breaks the rules of the protocol.
    #[error("it breaks the rules of MQTT ({0}): look at its log")]
    Protocol(String),
    /// An option cannot be said in MQTT.
    #[error("{0} is too long for MQTT, or holds what MQTT does not allow")]
    Option(&'static str),
}

impl Fault {
    /// From an error of the stream, which may be one of TLS.
    pub(super) fn of(error: io::Error) -> Self {
        match tls::Fault::behind(&error) {
            Some(fault) => Self::Tls(fault),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed(""),
            None => Self::Broken(error),
        }
    }

    /// Whether somebody has to mend something, rather than wait.
    #[must_use]
    pub fn lasts(&self) -> bool {
        match self {
            Self::Login(reason) | Self::Ended(reason) | Self::Subscription { reason, .. } => {
                reason.sort() == Sort::Check
            }
            Self::Option(_) => true,
            _ => false,
        }
    }
}
