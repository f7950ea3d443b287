//! Readings as CSV (RFC 4180): one line for each register.

use std::fmt::{Display, Write as _};

use meter_core::payload::{Hex, Octets};
use meter_core::{Reading, Unit, Value};

use crate::journal::Record;

/// The first line.
pub(super) const HEAD: &str = "time,meter,obis,value,unit\r\n";

/// Writes the registers of a reading; nothing for one that cannot be read back.
pub(super) fn write(record: &Record, out: &mut String) {
    let Ok(reading) = Reading::from_bytes(&record.body) else {
        return;
    };
    let meter = reading.meter_id().compact().to_string();
    for register in reading.registers() {
        let value = match register.value {
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Time(time) => time.seconds().to_string(),
            Value::Octets(octets) => Octets(octets).to_string(),
            Value::Unknown(bytes) => Hex(bytes).to_string(),
            Value::Absent => String::new(),
        };
        let unit = register.unit.and_then(Unit::symbol).unwrap_or_default();
        let _ = write!(out, "{},{},{},", record.time, quoted(&meter), register.obis);
        let _ = write!(out, "{},{}\r\n", quoted(&value), quoted(unit));
    }
}

/// A field, in quotes where it needs them.
fn quoted(field: &(impl Display + ?Sized)) -> String {
    let text = field.to_string();
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn fields_are_quoted_where_they_have_to_be() {
        assert_eq!(quoted("1-0:1.8.0*255"), "1-0:1.8.0*255");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
