use super::file::Recording;
use super::http::Bridge;
use super::mqtt::Subscription;
use super::serial::Head;
use super::tcp::Connection;
use super::{Config, Fault, http};

/// An open input, whatever its kind.
pub(super) enum Source {
    Serial(Head),
    Tcp(Connection),
    Http(Box<Bridge>),
    Mqtt(Box<Subscription>),
    File(Recording),
}

impl Source {
    /// Opens what the configuration names.
    pub(super) async fn open(config: &Config, memory: &mut Memory) -> Result<Self, Fault> {
        Ok(match config {
            Config::Serial(serial) => {
                Self::Serial(Head::open(serial, memory.meter.as_deref()).await?)
            }
            Config::Tcp(tcp) => Self::Tcp(Connection::open(tcp).await?),
            Config::Http(http) => {
                Self::Http(Box::new(Bridge::open(http, &mut memory.bridge).await?))
            }
            Config::Mqtt(mqtt) => Self::Mqtt(Box::new(Subscription::open(mqtt).await?)),
            Config::File(file) => Self::File(Recording::open(file).await?),
        })
    }

    /// Waits for bytes. Nought is the end of a recording; nothing else ends without a fault.
    ///
    /// Not to be dropped half-way, but for closing the source: an answer of a bridge would be lost.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        match self {
            Self::Serial(head) => head.read(buffer).await,
            Self::Tcp(connection) => connection.read(buffer).await,
            Self::Http(bridge) => bridge.read(buffer).await,
            Self::Mqtt(subscription) => subscription.read(buffer).await,
            Self::File(recording) => recording.read(buffer).await,
        }
    }

    /// Closes it, and keeps what the next one needs to know.
    pub(super) fn close(self, memory: &mut Memory) {
        if let Self::Http(bridge) = self {
            memory.bridge = bridge.close();
        }
    }

    /// What is open, for people.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Serial(head) => head.label(),
            Self::Tcp(connection) => connection.label(),
            Self::Http(bridge) => bridge.label(),
            Self::Mqtt(subscription) => subscription.label(),
            Self::File(recording) => recording.label(),
        }
    }

    /// How much of a recording was read, in hundredths.
    pub(super) fn percent(&self) -> Option<u64> {
        match self {
            Self::File(recording) => recording.percent(),
            _ => None,
        }
    }

    /// Whether opening it anew may help. What was read of standard input is gone.
    pub(super) fn reopens(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}

/// What outlives an open source.
#[derive(Default)]
pub(super) struct Memory {
    /// The meter that was read last.
    pub(super) meter: Option<Box<[u8]>>,
    /// What is known of a bridge.
    pub(super) bridge: http::Memory,
}
