//! How everything is.

use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;

use meter_core::payload::JsonString;
use meter_core::{MeterId, UnixMillis};

use crate::board::{Memory, Start};
use crate::outbox::Status;
use crate::settings::{Settings, Shown};

/// How everything is: the answer to `info`.
#[derive(Clone, Copy, Debug)]
pub struct Info<'a> {
    /// The version of the firmware.
    pub firmware: &'a str,
    /// What the board is called.
    pub board: &'a str,
    /// Which run of the device this is, counted from its first.
    pub boot: u32,
    /// Why this run began.
    pub start: Start,
    /// How long it has lasted.
    pub uptime: Duration,
    /// The time, where it is known.
    pub time: Option<UnixMillis>,
    /// The network, while it is joined.
    pub network: Option<Network<'a>>,
    /// The meter, once it was heard.
    pub meter: Option<Meter<'a>>,
    /// Bytes of the meter's line that came when nobody had room for them.
    pub overrun: u32,
    /// The readings that wait.
    pub outbox: Status,
    /// Sending.
    pub delivery: Delivery<'a>,
    /// Memory.
    pub memory: Memory,
    /// What is set.
    pub settings: &'a Settings,
    /// Why the settings in flash are not in use, if they are not.
    pub settings_error: Option<&'a str>,
}

/// The network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network<'a> {
    /// The Wi-Fi's name; `None` for a cable.
    pub ssid: Option<&'a str>,
    /// Strength of its signal in dBm.
    pub signal_dbm: Option<i8>,
    /// The device's address.
    pub address: Ipv4Addr,
}

/// The meter.
#[derive(Clone, Copy, Debug)]
pub struct Meter<'a> {
    /// Its id, as on the nameplate.
    pub id: MeterId<'a>,
    /// How long ago its last reading was.
    pub age: Duration,
    /// Whether its readings are refused as implausible, so that somebody has to accept it.
    pub is_suspect: bool,
}

/// Sending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// How long ago the last delivery succeeded.
    pub last: Option<Duration>,
    /// What was wrong last; `None` once it works again.
    pub error: Option<&'a str>,
    /// Readings that were acknowledged since the start.
    pub delivered: u32,
    /// Those that were refused for good.
    pub refused: u32,
    /// Those that were sent again because nobody knew whether they had arrived.
    pub repeated: u32,
}

impl fmt::Display for Info<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{\"info\":{{\"node\":{},\"firmware\":{},\"board\":{},\"boot\":{},\"start\":\"{}\",\
             \"uptime_s\":{},\"time_ms\":",
            JsonString(&self.settings.name),
            JsonString(self.firmware),
            JsonString(self.board),
            self.boot,
            self.start.as_str(),
            self.uptime.as_secs(),
        )?;
        or_null(f, self.time.map(|UnixMillis(time)| time))?;
        f.write_str(",\"network\":")?;
        or_null(f, self.network)?;
        f.write_str(",\"meter\":")?;
        or_null(f, self.meter)?;
        write!(f, ",\"overrun\":{},", self.overrun)?;
        outbox(&self.outbox, f)?;
        f.write_str(",\"delivery\":{\"last_s\":")?;
        or_null(f, self.delivery.last.map(|last| last.as_secs()))?;
        f.write_str(",\"error\":")?;
        or_null(f, self.delivery.error.map(JsonString))?;
        write!(
            f,
            ",\"delivered\":{},\"refused\":{},\"repeated\":{}}},",
            self.delivery.delivered, self.delivery.refused, self.delivery.repeated
        )?;
        memory(self.memory, f)?;
        write!(
            f,
            ",\"settings\":{},\"settings_error\":",
            Shown(self.settings)
        )?;
        or_null(f, self.settings_error.map(JsonString))?;
        f.write_str("}}")
    }
}

impl fmt::Display for Network<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{\"ssid\":")?;
        or_null(f, self.ssid.map(JsonString))?;
        f.write_str(",\"signal_dbm\":")?;
        or_null(f, self.signal_dbm)?;
        write!(f, ",\"address\":\"{}\"}}", self.address)
    }
}

impl fmt::Display for Meter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{\"id\":{},\"age_s\":{},\"suspect\":{}}}",
            JsonString(self.id),
            self.age.as_secs(),
            self.is_suspect
        )
    }
}

fn outbox(status: &Status, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let counters = &status.counters;
    write!(
        f,
        "\"outbox\":{{\"in_memory\":{},\"in_flash\":{},\"spilled\":{},\"thinned\":{},\
         \"dropped\":{},\"corrupt\":{},\"erases\":{}}}",
        status.in_memory,
        status.in_flash,
        counters.spilled,
        counters.thinned,
        counters.dropped,
        counters.corrupt,
        status.erases
    )
}

fn memory(memory: Memory, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "\"memory\":{{\"heap\":{},\"heap_used\":{},\"heap_peak\":{},\"stack\":{},\"stack_peak\":{}}}",
        memory.heap, memory.heap_used, memory.heap_peak, memory.stack, memory.stack_peak
    )
}

fn or_null(f: &mut fmt::Formatter<'_>, value: Option<impl fmt::Display>) -> fmt::Result {
    match value {
        Some(value) => value.fmt(f),
        None => f.write_str("null"),
    }
}
