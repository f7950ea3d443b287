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

use crate::decimal::Decimal;
use crate::names::Conductor;
use crate::reading::{Reading, Register, Value, power_among};
use crate::time::UnixMillis;
use crate::{Obis, Unit};

/// A reading as it is shown to whoever gets a payload. A [`Stamped`] shows all of it, as the meter sent
/// it.
pub trait Shown {
    /// The time of the host or the device.
    fn time(&self) -> UnixMillis;

    /// The whole reading, which says what meter it is and how it is doing.
    fn reading(&self) -> &Reading<'_>;

    /// The registers that are shown, in the meter's order.
    fn registers(&self) -> impl Iterator<Item = Register<'_>>;

    /// What a register is called instead of by its code.
    fn name(&self, obis: Obis) -> Option<&str> {
        let _ = obis;
        None
    }

    /// The unit in which the registers with this unit are shown.
    fn symbol(&self, unit: Unit) -> Option<&'static str> {
        unit.symbol()
    }

    /// The power through a conductor, as [`Reading::power_of`] has it, of the registers that are shown.
    fn power_of(&self, conductor: Conductor) -> Option<Decimal> {
        power_among(self.registers(), self.reading().status(), conductor)
    }

    /// The key of a register.
    fn key(&self, register: &Register<'_>) -> Key<'_> {
        Key {
            name: self.name(register.obis),
            obis: register.obis,
            unit: register.unit.and_then(|unit| self.symbol(unit)),
        }
    }
}

/// A reading and when it was taken.
#[derive(Clone, Copy, Debug)]
pub struct Stamped<'a> {
    /// The time of the host or the device.
    pub time: UnixMillis,
    /// What the meter said.
    pub reading: Reading<'a>,
}

impl Shown for Stamped<'_> {
    fn time(&self) -> UnixMillis {
        self.time
    }

    fn reading(&self) -> &Reading<'_> {
        &self.reading
    }

    fn registers(&self) -> impl Iterator<Item = Register<'_>> {
        self.reading.registers()
    }
}

/// The key of a register in a flat object: `1.8.0_Wh`, `16.7.0_W`, `96.1.0`.
///
/// The parts of the code that are not the usual `1-0:` and `*255` are written: `1-1:1.8.0_Wh`,
/// `1.8.0*96_Wh`. A name stands for all of it.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// What it is called instead of by its code.
    pub name: Option<&'a str>,
    /// Which register.
    pub obis: Obis,
    /// The symbol of its unit.
    pub unit: Option<&'static str>,
}

impl Key<'_> {
    /// The key of a register with this unit.
    #[must_use]
    pub fn new(obis: Obis, unit: Option<Unit>) -> Self {
        Self {
            unit: unit.and_then(Unit::symbol),
            ..Self::code(obis)
        }
    }

    /// The key of a register without a unit and a name.
    #[must_use]
    pub const fn code(obis: Obis) -> Self {
        Self {
            name: None,
            obis,
            unit: None,
        }
    }
}

/// Keys are equal that are printed in the same way.
impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.name, other.name) {
            (None, None) => self.obis == other.obis && self.unit == other.unit,
            (name, other) => name == other,
        }
    }
}

impl Eq for Key<'_> {}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name {
            return f.write_str(name);
        }
        let [medium, channel, _, _, _, storage] = self.obis.0;
        let (c, d, e) = self.obis.quantity();
        if (medium, channel) != (1, 0) {
            write!(f, "{medium}-{channel}:")?;
        }
        write!(f, "{c}.{d}.{e}")?;
        if storage != 255 {
            write!(f, "*{storage}")?;
        }
        match self.unit {
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
fn keyed<S: Shown>(shown: &S) -> impl Iterator<Item = (Key<'_>, Register<'_>)> {
    shown
        .registers()
        .enumerate()
        .map(|(index, register)| (index, shown.key(&register), register))
        .filter(|(index, key, _)| {
            let mut before = shown.registers().take(*index);
            !before.any(|other| shown.key(&other) == *key)
        })
        .map(|(_, key, register)| (key, register))
}

/// Writes one object as it is, and several as an array.
fn one_or_array<S: Shown, W: Write>(
    readings: &[S],
    out: &mut W,
    mut write: impl FnMut(&S, &mut W) -> fmt::Result,
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
