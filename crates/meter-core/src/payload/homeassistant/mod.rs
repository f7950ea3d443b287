//! Discovery and state for Home Assistant, over MQTT.
//!
//! A meter is one device. Its [`discovery`] is published, retained, on [`Topic`], and says which
//! entities there are; its [`state`] is published on the topic that the discovery names. Discovery is
//! sent again when Home Assistant says `online` on [`BIRTH_TOPIC`], and when [`fingerprint`] has changed,
//! as when the PIN was entered and the meter shows more.
//!
//! ```json
//! {"time":"2026-11-22T17:53:00.123Z","1.8.0":5430.1577,"16.7.0":356.24,"crc_errors":0}
//! ```
//!
//! The keys of the state are the codes of the registers without the usual `1-0:` and `*255`. Numbers are
//! exact. Energy is in kWh, which is what people and bills talk of; everything else in the unit of the
//! meter. The key `power` is there for a meter that sends its power under another code than `16.7.0`.
//!
//! | register | device class | state class | |
//! |---|---|---|---|
//! | energy drawn, energy fed in | `energy` | `total_increasing` | kWh |
//! | other energy | `energy` | `total` | kWh |
//! | power | `power` | `measurement` | W, expires |
//! | voltage, current, frequency | `voltage`, `current`, `frequency` | `measurement` | V, A, Hz, expires |
//! | angle | | `measurement` | °, expires |
//! | status, numbers, versions | | | diagnostic |
//! | public key, checksum, the maker's own, unknown | | | diagnostic, not enabled |
//!
//! Home Assistant refuses a state class that does not fit the class, and units that it does not know for
//! it, so a register with an unusual unit counts as unknown.

mod entity;

use core::fmt::{self, Display, Write};

use self::entity::{Entity, entities};
use super::{JsonString, Shown};
use crate::names::{Quantity, describe};
use crate::reading::{Reading, Register};

/// The topic on which Home Assistant says `online` when it has started.
pub const BIRTH_TOPIC: &str = "homeassistant/status";

/// What is said about a meter besides its registers.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Where the state is published.
    pub state_topic: &'a str,
    /// Where `online` and `offline` are published, the latter as last will. The meter is there when all
    /// of them say so.
    pub availability_topics: &'a [&'a str],
    /// After so many seconds without a new state, what was measured counts as unavailable. Counters
    /// stay. Three or four times the interval of the states is right; 0 is never.
    pub expire_after: u32,
    /// Who publishes it.
    pub origin: Origin<'a>,
    /// Entities that tell how the reader itself is doing.
    pub statistics: &'a [Statistic<'a>],
}

/// Who publishes.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The program.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Where it is described.
    pub url: &'a str,
}

/// A number that tells how the reader itself is doing.
#[derive(Clone, Copy, Debug)]
pub struct Statistic<'a> {
    /// Its key in the state: letters, digits and underscores, beginning with a letter.
    pub key: &'a str,
    /// What a person calls it.
    pub name: &'a str,
    /// Its value now.
    pub value: i64,
    /// Its unit.
    pub unit: Option<&'a str>,
    /// Its device class in Home Assistant: `signal_strength`.
    pub class: Option<&'a str>,
    /// Whether it only ever grows, until it starts at 0 again.
    pub counts: bool,
}

/// Prints the topic of a meter's discovery: `homeassistant/device/meterline_1EMH0010599732/config`.
#[derive(Clone, Copy, Debug)]
pub struct Topic<'r, 'a>(pub &'r Reading<'a>);

impl Display for Topic<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "homeassistant/device/{}/config", Device(self.0))
    }
}

/// The name of a meter among Home Assistant's devices. It must never change.
struct Device<'r, 'a>(&'r Reading<'a>);

impl Display for Device<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "meterline_{}", self.0.meter_id().compact())
    }
}

/// Writes the discovery of a meter.
pub fn discovery(shown: &impl Shown, about: &About<'_>, out: &mut impl Write) -> fmt::Result {
    let reading = shown.reading();
    let id = reading.meter_id();
    let device = Device(reading);
    write!(
        out,
        "{{\"dev\":{{\"ids\":[\"{device}\"],\"name\":{},\"sn\":{}",
        JsonString(format_args!("Meter {id}")),
        JsonString(id)
    )?;
    if let Some(manufacturer) = reading.manufacturer() {
        write!(out, ",\"mf\":{}", JsonString(manufacturer))?;
    }
    if let Some(version) = firmware(reading) {
        write!(out, ",\"sw\":{}", JsonString(version))?;
    }
    write!(
        out,
        "}},\"o\":{{\"name\":{},\"sw\":{},\"url\":{}}},\"stat_t\":{},",
        JsonString(about.origin.name),
        JsonString(about.origin.version),
        JsonString(about.origin.url),
        JsonString(about.state_topic),
    )?;
    write_availability(about.availability_topics, out)?;
    out.write_str("\"qos\":1,\"cmps\":{")?;
    let mut comma = "";
    for entity in entities(shown) {
        out.write_str(comma)?;
        entity.write(&device, about.expire_after, out)?;
        comma = ",";
    }
    for statistic in about.statistics {
        out.write_str(comma)?;
        write_statistic(statistic, &device, out)?;
        comma = ",";
    }
    out.write_str("}}")
}

fn write_availability(topics: &[&str], out: &mut impl Write) -> fmt::Result {
    if let [topic] = topics {
        return write!(out, "\"avty_t\":{},", JsonString(topic));
    }
    let mut before = "\"avty\":[";
    for topic in topics {
        write!(out, "{before}{{\"t\":{}}}", JsonString(topic))?;
        before = ",";
    }
    match topics {
        [] => Ok(()),
        _ => out.write_str("],\"avty_mode\":\"all\","),
    }
}

/// Writes the state that a discovery promised.
pub fn state(
    shown: &impl Shown,
    statistics: &[Statistic<'_>],
    out: &mut impl Write,
) -> fmt::Result {
    write!(out, "{{\"time\":\"{}\"", shown.time())?;
    for Entity { key, state, .. } in entities(shown) {
        write!(out, ",{}:{state}", JsonString(key))?;
    }
    for statistic in statistics {
        write!(out, ",\"{}\":{}", statistic.key, statistic.value)?;
    }
    out.write_char('}')
}

/// A number that is another one when a meter needs another discovery: for another meter, or other
/// registers. FNV-1a over the meter's id and its codes.
#[must_use]
pub fn fingerprint(shown: &impl Shown) -> u32 {
    let server = shown.reading().server_id();
    let registers = shown.registers().flat_map(|register| {
        let unit = register.unit.map_or(0, |unit| unit.0);
        let number = u8::from(register.number().is_some());
        register.obis.0.into_iter().chain([unit, number])
    });
    let octets = server.as_bytes().iter().copied().chain(registers);
    octets.fold(0x811c_9dc5, |hash: u32, octet| {
        (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193)
    })
}

fn write_statistic(
    statistic: &Statistic<'_>,
    device: &impl Display,
    out: &mut impl Write,
) -> fmt::Result {
    let Statistic { key, name, .. } = statistic;
    write!(
        out,
        "\"{key}\":{{\"p\":\"sensor\",\"unique_id\":\"{device}_{key}\",\"name\":{},\
         \"val_tpl\":\"{{{{ value_json.get('{key}') }}}}\",\"ent_cat\":\"diagnostic\",\"stat_cla\":\"{}\"",
        JsonString(name),
        if statistic.counts {
            "total_increasing"
        } else {
            "measurement"
        },
    )?;
    if let Some(class) = statistic.class {
        write!(out, ",\"dev_cla\":{}", JsonString(class))?;
    }
    if let Some(unit) = statistic.unit {
        write!(out, ",\"unit_of_meas\":{}", JsonString(unit))?;
    }
    out.write_char('}')
}

/// What the meter says of its own software.
fn firmware<'a>(reading: &Reading<'a>) -> Option<&'a str> {
    let version = |register: &Register<'_>| {
        describe(register.obis).is_some_and(|known| known.quantity == Quantity::Version)
    };
    reading
        .registers()
        .filter(version)
        .find_map(|register| register.text())
}
