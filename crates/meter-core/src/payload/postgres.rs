//! Rows for `PostgreSQL`, in the text format of its COPY.
//!
//! ```text
//! 2026-11-22T17:53:00.123Z  1 DZG00 4208 2910  1-0:1.8.0*255  5430157.7  \N  Wh  1835268
//! ```
//!
//! Between two columns is a tab, here shown as spaces; `\N` is NULL. A number stands in `value`,
//! everything else in `text`.

use core::fmt::{self, Display, Write};

use super::{Hex, Octets, Shown};
use crate::reading::{Register, Value};

/// The columns, in the order of [`write()`].
pub const COLUMNS: &str = "time, meter, obis, value, text, unit, status";

/// Writes a row for each register of a reading.
pub fn write(shown: &impl Shown, out: &mut impl Write) -> fmt::Result {
    let mut registers = shown.registers();
    registers.try_for_each(|register| write!(out, "{}", Row { shown, register }))
}

struct Row<'a, S> {
    shown: &'a S,
    register: Register<'a>,
}

impl<S: Shown> Display for Row<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shown, register } = self;
        let meter = Escaped(shown.reading().meter_id());
        write!(f, "{}\t{meter}\t{}\t", shown.time(), register.obis)?;
        match register.value {
            Value::Number(number) => write!(f, "{number}\t\\N\t")?,
            Value::Time(time) => write!(f, "{}\t\\N\t", time.seconds())?,
            Value::Bool(value) => write!(f, "\\N\t{value}\t")?,
            Value::Octets(octets) => write!(f, "\\N\t{}\t", Escaped(Octets(octets)))?,
            Value::Unknown(bytes) => write!(f, "\\N\t{}\t", Hex(bytes))?,
            Value::Absent => f.write_str("\\N\t\\N\t")?,
        }
        let unit = register.unit.and_then(|unit| shown.symbol(unit));
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
