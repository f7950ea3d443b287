//! Readings as rows, in the text format of COPY.

use std::fmt::{self, Display, Write};

use meter_core::payload::{Hex, Octets};
use meter_core::{Reading, Register, Unit, Value};

use crate::journal::Record;

/// The columns, in the order of [`write`].
pub(super) const COLUMNS: &str = "time, meter, obis, value, text, unit, status";

/// Writes a row for each register of a reading. The error says why there is none.
pub(super) fn write(record: &Record, out: &mut String) -> Result<(), String> {
    let reading = Reading::from_bytes(&record.body).map_err(|error| error.to_string())?;
    for register in reading.registers() {
        let row = Row {
            record,
            reading: &reading,
            register,
        };
        write!(out, "{row}").map_err(|error| error.to_string())?;
    }
    Ok(())
}

struct Row<'a> {
    record: &'a Record,
    reading: &'a Reading<'a>,
    register: Register<'a>,
}

impl Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            record,
            reading,
            register,
        } = self;
        let meter = Escaped(reading.meter_id());
        write!(f, "{}\t{meter}\t{}\t", record.time, register.obis)?;
        match register.value {
            Value::Number(number) => write!(f, "{number}\t\\N\t")?,
            Value::Time(time) => write!(f, "{}\t\\N\t", time.seconds())?,
            Value::Bool(value) => write!(f, "\\N\t{value}\t")?,
            Value::Octets(octets) => write!(f, "\\N\t{}\t", Escaped(Octets(octets)))?,
            Value::Unknown(bytes) => write!(f, "\\N\t{}\t", Hex(bytes))?,
            Value::Absent => f.write_str("\\N\t\\N\t")?,
        }
        let unit = register.unit.and_then(Unit::symbol);
        writeln!(f, "{}\t{}", OrNull(unit), OrNull(register.status))
    }
}

/// Prints something, or COPY's NULL.
struct OrNull<T>(Option<T>);

impl<T: Display> Display for OrNull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => write!(f, "{}", Escaped(value)),
            None => f.write_str("\\N"),
        }
    }
}

/// Prints something with the escapes of COPY.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'f, 'a>(&'f mut fmt::Formatter<'a>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| match character {
            '\\' => self.0.write_str("\\\\"),
            '\t' => self.0.write_str("\\t"),
            '\n' => self.0.write_str("\\n"),
            '\r' => self.0.write_str("\\r"),
            other => self.0.write_char(other),
        })
    }
}
