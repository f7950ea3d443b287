//! This program's own JSON: everything there is to know about a reading.
//!
//! Described by `schema/reading.schema.json` in this crate.
//!
//! ```json
//! {"meter_id":"1 DZG00 4208 2910","server_id":"0a01445a47000282225e","time":"2026-11-22T17:53:00.123Z",
//!  "seconds_index":99043543,"direction":"import","reduced":false,"registers":[
//!   {"obis":"1-0:1.8.0*255","value":5430157.7,"unit":"Wh","status":1835268},
//!   {"obis":"1-0:16.7.0*255","value":356.24,"unit":"W","status":null,"quirk":"dzg_unsigned_power","raw":-29912}]}
//! ```

use core::fmt::{self, Display, Write};

use super::{Hex, JsonString, Octets, Shown, one_or_array};
use crate::Unit;
use crate::reading::{Register, Value};
use crate::status::Direction;

/// The JSON Schema of one reading.
pub const SCHEMA: &str = include_str!("../../schema/reading.schema.json");

/// Writes one reading as an object and several as an array.
pub fn write(readings: &[impl Shown], out: &mut impl Write) -> fmt::Result {
    one_or_array(readings, out, write_one)
}

fn write_one(shown: &impl Shown, out: &mut impl Write) -> fmt::Result {
    let reading = shown.reading();
    write!(
        out,
        "{{\"meter_id\":{},\"server_id\":\"{}\",\"time\":\"{}\",\"seconds_index\":{},\"direction\":{},\"reduced\":{},\"registers\":[",
        JsonString(reading.meter_id()),
        reading.server_id(),
        shown.time(),
        OrNull(reading.seconds_index()),
        OrNull(reading.direction().map(Direction::as_str).map(JsonString)),
        reading.reduced(),
    )?;
    for (index, register) in shown.registers().enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        let name = shown.name(register.obis);
        let unit = register.unit.and_then(|unit| shown.symbol(unit));
        write_parts(&register, name, unit, Detail::Published, out)?;
    }
    out.write_str("]}")
}

/// How much of a register is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What it means; what the meter sent only where a rule corrected it.
    Published,
    /// What the meter sent as well: `raw`, `scaler` and `type`.
    Decoded,
}

/// Writes one register as an object.
///
/// With [`Detail::Decoded`] it has the keys `obis`, `value`, `unit`, `raw`, `scaler`, `type`,
/// `status` and, where a rule was applied, `quirk`. `raw` is the integer before scaler and
/// correction, or the octets as lower-case hex; `type` is that of the value on the wire: `u32`, `i16`,
/// `o10` for ten octets, `bool`, `time`, `list`, or `none`.
pub fn write_register(
    register: &Register<'_>,
    detail: Detail,
    out: &mut impl Write,
) -> fmt::Result {
    let unit = register.unit.and_then(Unit::symbol);
    write_parts(register, None, unit, detail, out)
}

fn write_parts(
    register: &Register<'_>,
    name: Option<&str>,
    unit: Option<&str>,
    detail: Detail,
    out: &mut impl Write,
) -> fmt::Result {
    write!(out, "{{\"obis\":\"{}\"", register.obis)?;
    if let Some(name) = name {
        write!(out, ",\"name\":{}", JsonString(name))?;
    }
    write!(
        out,
        ",\"value\":{},\"unit\":{}",
        JsonValue(register.value),
        OrNull(unit.map(JsonString)),
    )?;
    if detail == Detail::Decoded {
        write!(
            out,
            ",\"raw\":{},\"scaler\":{},\"type\":\"{}\"",
            Raw(register.raw.value),
            OrNull(register.raw.scaler),
            WireType(register.raw.value)
        )?;
    }
    write!(out, ",\"status\":{}", OrNull(register.status))?;
    if let Some(rule) = register.rule {
        write!(out, ",\"quirk\":\"{rule}\"")?;
        if detail == Detail::Published {
            write!(out, ",\"raw\":{}", Raw(register.raw.value))?;
        }
    }
    out.write_char('}')
}

/// Prints something, or `null`.
struct OrNull<T>(Option<T>);

impl<T: Display> Display for OrNull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// A value: an exact number, text, a truth, seconds, or `null`.
struct JsonValue<'a>(Value<'a>);

impl Display for JsonValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Number(number) => number.fmt(f),
            Value::Bool(value) => value.fmt(f),
            Value::Time(time) => time.seconds().fmt(f),
            Value::Octets(octets) => JsonString(Octets(octets)).fmt(f),
            Value::Unknown(bytes) => JsonString(Hex(bytes)).fmt(f),
            Value::Absent => f.write_str("null"),
        }
    }
}

/// A value as encoded.
struct Raw<'a>(sml_wire::Value<'a>);

impl Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            sml_wire::Value::Integer(integer) => integer.fmt(f),
            sml_wire::Value::Bool(value) => value.fmt(f),
            sml_wire::Value::Time(time) => time.seconds().fmt(f),
            sml_wire::Value::Octets(octets) => write!(f, "\"{}\"", Hex(octets)),
            sml_wire::Value::Other(element) => write!(f, "\"{}\"", Hex(element.bytes())),
            sml_wire::Value::Absent => f.write_str("null"),
        }
    }
}

/// The type of a value on the wire.
struct WireType<'a>(sml_wire::Value<'a>);

impl Display for WireType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            sml_wire::Value::Integer(integer) => {
                let sign = if integer.is_signed() { 'i' } else { 'u' };
                write!(f, "{sign}{}", 8 * u32::from(integer.width()))
            }
            sml_wire::Value::Octets(octets) => write!(f, "o{}", octets.len()),
            sml_wire::Value::Bool(_) => f.write_str("bool"),
            sml_wire::Value::Time(_) => f.write_str("time"),
            sml_wire::Value::Other(_) => f.write_str("list"),
            sml_wire::Value::Absent => f.write_str("none"),
        }
    }
}
