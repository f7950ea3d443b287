//! What is sent to backends, as pure functions from readings to text.
//!
//! | format | for | one reading |
//! |---|---|---|
//! | [`thingsboard()`] | `ThingsBoard` and what speaks like it | `{"ts":1732290000000,"values":{"1.8.0_Wh":2941645.9}}` |
//! | [`classic()`] | dashboards made for this program's predecessor | `{"devid":"1ESY11 62232997","1.8.0_Wh":"2941645.9"}` |
//! | [`json()`] | everything else | described by `schema/reading.schema.json` |
//! | [`influx::Line`] | `InfluxDB` and what reads its line protocol | `electricity,meter=1ESY1162232997 1.8.0_Wh=2941645.9 1732290000000` |
//! | [`volkszaehler`] | volkszaehler's middleware and vzlogger's push servers | `[[1732290000000,2941645.9]]` |
//! | [`csv()`] | spreadsheets and scripts | a line for each register |
//! | [`postgres()`] | `PostgreSQL`, by COPY | a row for each register |
//! | [`homeassistant`] | Home Assistant | discovery and a flat state |
//!
//! Numbers are written exactly, with every digit that the meter sent.

pub mod classic;
pub mod csv;
mod escape;
pub mod homeassistant;
pub mod influx;
pub mod json;
pub mod postgres;
pub mod thingsboard;
pub mod volkszaehler;

pub use self::classic::write as classic;
pub use self::csv::write as csv;
pub use self::escape::{Hex, JsonString, Octets};
pub use self::json::write as json;
pub use self::postgres::write as postgres;
pub use self::thingsboard::write as thingsboard;

use core::fmt::{self, Write};

use crate::reading::{Reading, Register, Value};
use crate::time::UnixMillis;
use crate::{Obis, Unit};

/// A reading and when it was taken.
#[derive(Clone, Copy, Debug)]
pub struct Stamped<'a> {
    /// The time of the host or the device.
    pub time: UnixMillis,
    /// What the meter said.
    pub reading: Reading<'a>,
}

/// The key of a register in a flat object: `1.8.0_Wh`, `16.7.0_W`, `96.1.0`.
///
/// The parts of the code that are not the usual `1-0:` and `*255` are written: `1-1:1.8.0_Wh`,
/// `1.8.0*96_Wh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which register.
    pub obis: Obis,
    /// Its unit.
    pub unit: Option<Unit>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [medium, channel, _, _, _, storage] = self.obis.0;
        let (c, d, e) = self.obis.quantity();
        if (medium, channel) != (1, 0) {
            write!(f, "{medium}-{channel}:")?;
        }
        write!(f, "{c}.{d}.{e}")?;
        if storage != 255 {
            write!(f, "*{storage}")?;
        }
        match self.unit.and_then(Unit::symbol) {
            Some(symbol) => write!(f, "_{symbol}"),
            None => Ok(()),
        }
    }
}

/// A value by itself, without quotes: an exact number, text, hex, a truth, seconds, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a>(pub Value<'a>);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Number(number) => number.fmt(f),
            Value::Bool(value) => value.fmt(f),
            Value::Time(time) => time.seconds().fmt(f),
            Value::Octets(octets) => Octets(octets).fmt(f),
            Value::Unknown(bytes) => Hex(bytes).fmt(f),
            Value::Absent => Ok(()),
        }
    }
}

/// The registers under their keys. Of those with the same key the first is there: a second one would
/// be replaced or refused at the other end.
fn keyed<'a>(reading: &Reading<'a>) -> impl Iterator<Item = (Key, Register<'a>)> {
    let key = |register: &Register<'a>| Key {
        obis: register.obis,
        unit: register.unit,
    };
    let before = *reading;
    reading
        .registers()
        .enumerate()
        .filter(move |(index, register)| {
            let mut before = before.registers().take(*index);
            !before.any(|other| key(&other) == key(register))
        })
        .map(move |(_, register)| (key(&register), register))
}

/// Writes one object as it is, and several as an array.
fn one_or_array<'a, W: Write>(
    readings: &[Stamped<'a>],
    out: &mut W,
    mut write: impl FnMut(&Stamped<'a>, &mut W) -> fmt::Result,
) -> fmt::Result {
    if let [reading] = readings {
        return write(reading, out);
    }
    array(readings, out, write)
}

/// Writes an array.
fn array<T, W: Write>(
    items: &[T],
    out: &mut W,
    mut write: impl FnMut(&T, &mut W) -> fmt::Result,
) -> fmt::Result {
    out.write_char('[')?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        write(item, out)?;
    }
    out.write_char(']')
}
