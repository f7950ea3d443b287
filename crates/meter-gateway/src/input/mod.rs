//! Inputs: where the meter's bytes come from.
//!
//! Each kind has its own file with its own `Config`: [`serial`], [`tcp`], [`http`], [`mqtt`],
//! [`file`](mod@file).
//! [`run`] reads any of them for as long as the program lives. It opens again for ever, takes the
//! newest reading of each interval, and says once, in one line, what is wrong and what to do.
//!
//! What is wrong is told in two ways: a [`Fault`] while the source cannot be opened or breaks, and a
//! [`Finding`] while it is open and brings no readings.

mod auto;
mod diagnosis;
mod fault;
pub mod file;
pub mod http;
mod meter_name;
mod moment;
pub mod mqtt;
mod quality;
mod run;
pub mod serial;
mod source;
mod spoken;
mod status;
pub mod tcp;
mod telegrams;

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use sml_wire::CrcKind;

use crate::config::{Duration, Interval};

pub use diagnosis::{Evidence, Finding, Medium};
pub use fault::Fault;
pub use meter_name::{MeterName, NoName};
pub use moment::{Moment, awake, monotonic};
pub use quality::SignalQuality;
pub use run::{End, TURN, run};
pub use spoken::{Spoken, spoken};
pub use status::{State, Status, Trouble, called};
pub(crate) use telegrams::Telegrams;

/// One reading of each interval is kept unless the configuration says otherwise.
const INTERVAL: Interval = Interval::from_secs(10);

/// So long nothing may come before it is said: meters send every one to four seconds.
const SILENCE: Duration = Duration::from_secs(30);

fn interval() -> Interval {
    INTERVAL
}

fn silence() -> Duration {
    SILENCE
}

/// Where a meter is read.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(tag = "type")]
pub enum Config {
    /// A read head on a serial port.
    Serial(serial::Config),
    /// A serial server on the network.
    Tcp(tcp::Config),
    /// A Tibber Pulse on its bridge.
    Http(http::Config),
    /// A topic of a broker.
    Mqtt(Box<mqtt::Config>),
    /// A recording, or standard input.
    File(file::Config),
}

impl Config {
    /// Which readings are kept.
    #[must_use]
    pub fn interval(&self) -> Interval {
        match self {
            Self::Serial(serial) => serial.interval,
            Self::Tcp(tcp) => tcp.interval,
            Self::Http(http) => http.interval,
            Self::Mqtt(mqtt) => mqtt.interval,
            Self::File(file) => file.interval,
        }
    }

    /// How long no reading may come before something is said.
    #[must_use]
    pub fn silence(&self) -> std::time::Duration {
        let silence = match self {
            Self::Serial(serial) => serial.silence,
            Self::Tcp(tcp) => tcp.silence,
            Self::Http(http) => http.silence,
            Self::Mqtt(mqtt) => mqtt.silence,
            Self::File(file) => file.silence,
        };
        silence.get()
    }

    /// What the bytes come through, which changes the advice.
    #[must_use]
    pub fn medium(&self) -> Medium {
        match self {
            Self::Serial(serial) => Medium::Head(serial.line()),
            Self::Tcp(_) => Medium::Network,
            Self::Http(_) => Medium::Pulse,
            Self::Mqtt(_) => Medium::Broker,
            Self::File(_) => Medium::Recording,
        }
    }

    /// The meter that is to be read, where one is named.
    #[must_use]
    pub fn meter(&self) -> Option<&MeterName> {
        match self {
            Self::Serial(serial) => serial.meter.as_ref(),
            _ => None,
        }
    }

    /// The serial port that it always reads, which no other input can.
    #[must_use]
    pub fn fixed_port(&self) -> Option<&str> {
        match self {
            Self::Serial(serial) if serial.port != serial::AUTO => Some(&serial.port),
            _ => None,
        }
    }

    /// Whether it reads standard input, which only one input can.
    #[must_use]
    pub fn is_stdin(&self) -> bool {
        matches!(self, Self::File(file) if file.path == Path::new("-"))
    }
}

/// A reading as it came in: the meter's own bytes, and when the last of them arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Name of the input.
    pub input: Arc<str>,
    /// When the last byte of the telegram arrived.
    pub at: Moment,
    /// Server id of the meter.
    pub server_id: Box<[u8]>,
    /// The `GetList.Res` body as on the wire, out of a frame and a message whose checksums are right.
    pub body: Vec<u8>,
    /// The kind of checksum that the meter uses.
    pub crc: CrcKind,
}
