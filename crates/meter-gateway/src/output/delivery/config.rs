//! The settings that outputs share.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::OnChange;
use crate::config::{Duration, Interval};
use crate::input::MeterName;
use crate::output::shape::{Fixed, OfInterval, Shape, ShapeError};
use crate::tls;

/// Which readings are sent, how fast, and what happens when they are not taken.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// Only these meters, as printed on them or by their server ids in hexadecimal; all if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub meters: Vec<MeterName>,
    /// `"every"` reading, or the newest of each interval and meter.
    pub interval: Interval,
    /// Only readings that differ from the one that was sent last: by so many W in a power, by so many
    /// Wh in a counter (1 each unless set), or by so much time. All unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [{ "power": 20, "energy": 10, "heartbeat": "5m" }]))]
    pub on_change: Option<OnChange>,
    /// What of each reading is sent, and how.
    #[serde(rename = "*")]
    #[schemars(flatten)]
    pub shape: Shape,
    /// Whether a fresh reading goes before a backlog.
    pub newest_first: bool,
    /// Most readings per second, averaged over a second; bounds the batch too.
    /// No limit unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<NonZeroU32>,
    /// The longest wait after a first failure; it doubles with each further one.
    #[serde(deserialize_with = "crate::config::a_tenth_or_more")]
    pub retry_first: Duration,
    /// The longest wait between two tries, unless the server asks for more.
    #[serde(deserialize_with = "crate::config::a_tenth_or_more")]
    pub retry_max: Duration,
    /// The wait between two tries while somebody has to mend something first: a password, a right,
    /// an address, or whatever makes the server refuse every reading.
    #[serde(deserialize_with = "crate::config::a_second_or_more")]
    pub recheck: Duration,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            meters: Vec::new(),
            interval: Interval::Every,
            on_change: None,
            shape: Shape::default(),
            newest_first: false,
            max_rate: None,
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
            recheck: Duration::from_secs(60),
        }
    }
}

impl Delivery {
    /// Finds what is wrong. `fixed` are the keys that make no sense with the output.
    pub(in crate::output) fn validate(&self, fixed: Fixed) -> Result<(), ShapeError> {
        self.shape.validate(fixed)?;
        match self.shape.power_of_interval {
            OfInterval::Last => Ok(()),
            _ if self.interval.span().is_none() => Err(ShapeError::NoInterval),
            _ if self.newest_first => Err(ShapeError::NewestFirst),
            _ => Ok(()),
        }
    }
}

/// What outputs share that reach a server by TLS.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Remote {
    /// The longest that one answer may take, from the connection on.
    #[serde(deserialize_with = "crate::config::a_second_or_more")]
    pub timeout: Duration,
    /// PEM file of the authorities to trust, instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// PEM file of a client certificate and its chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<PathBuf>,
    /// PEM file of the client certificate's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key: Option<PathBuf>,
    /// Allows a connection without TLS, where anybody on the way reads and writes.
    pub allow_insecure: bool,
    /// Which readings, and how fast.
    #[serde(rename = "*")]
    #[schemars(flatten)]
    pub delivery: Delivery,
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            ca_file: None,
            client_cert: None,
            client_key: None,
            allow_insecure: false,
            delivery: Delivery::default(),
        }
    }
}

/// What is wrong with the settings of [`Remote`].
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// A key that needs another one.
    #[error("{0} needs {1} beside it")]
    Lonely(&'static str, &'static str),
    /// The certificate files.
    #[error(transparent)]
    Tls(#[from] tls::Error),
}

impl RemoteError {
    /// The key that is wrong.
    pub(in crate::output) fn key(&self) -> Option<&'static str> {
        match self {
            Self::Lonely(key, _) => Some(key),
            Self::Tls(error) => match error {
                tls::Error::Unreadable { what, .. }
                | tls::Error::Empty { what, .. }
                | tls::Error::Damaged { what, .. } => Some(what),
                tls::Error::KeyMismatch { .. } => Some("client_key"),
                tls::Error::NoSystemRoots { .. } | tls::Error::Setup(_) => None,
            },
        }
    }
}

impl Remote {
    /// The files that are read when the output starts.
    pub(in crate::output) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.ca_file, &self.client_cert, &self.client_key]
            .into_iter()
            .filter_map(Option::as_deref)
    }

    /// The same, by what they are for.
    pub(in crate::output) fn tls_files(&self) -> Result<tls::Files<'_>, RemoteError> {
        let client = match (&self.client_cert, &self.client_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate.as_path(), key.as_path())),
            (Some(_), None) => return Err(RemoteError::Lonely("client_cert", "client_key")),
            (None, Some(_)) => return Err(RemoteError::Lonely("client_key", "client_cert")),
        };
        Ok(tls::Files {
            ca_file: self.ca_file.as_deref(),
            client,
        })
    }
}
