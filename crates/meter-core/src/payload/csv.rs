//! Comma-separated values (RFC 4180): one line for each register.
//!
//! ```csv
//! time,meter,obis,name,value,unit,status
//! 2026-11-22T17:53:00.123Z,1 DZG00 4208 2910,1-0:1.8.0*255,Import total (A+),5430157.7,Wh,1835268
//! ```

use core::fmt::{self, Display, Write};

use super::{Plain, Shown};
use crate::reading::Register;

/// The first line: the names of the columns.
pub const HEADER: &str = "time,meter,obis,name,value,unit,status\r\n";

/// Writes a line for each register of a reading. What a register does not have is left empty.
pub fn write(shown: &impl Shown, out: &mut impl Write) -> fmt::Result {
    for register in shown.registers() {
        write!(
            out,
            "{},{},",
            shown.time(),
            Field(shown.reading().meter_id())
        )?;
        write_register(shown, &register, out)?;
        out.write_str("\r\n")?;
    }
    Ok(())
}

fn write_register(
    shown: &impl Shown,
    register: &Register<'_>,
    out: &mut impl Write,
) -> fmt::Result {
    write!(out, "{},", register.obis)?;
    let known = || register.description().map(|known| known.name);
    if let Some(name) = shown.name(register.obis).or_else(known) {
        write!(out, "{}", Field(name))?;
    }
    write!(out, ",{},", Field(Plain(register.value)))?;
    if let Some(symbol) = register.unit.and_then(|unit| shown.symbol(unit)) {
        write!(out, "{}", Field(symbol))?;
    }
    out.write_char(',')?;
    register
        .status
        .map_or(Ok(()), |status| write!(out, "{status}"))
}

/// Prints something as a field, in quotes where it needs them.
struct Field<T>(T);

impl<T: Display> Display for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut needs = Needs(false);
        write!(needs, "{}", self.0)?;
        if !needs.0 {
            return self.0.fmt(f);
        }
        f.write_char('"')?;
        write!(Doubling(f), "{}", self.0)?;
        f.write_char('"')
    }
}

/// Finds out whether a text needs quotes.
struct Needs(bool);

impl Write for Needs {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 |= text.contains([',', '"', '\r', '\n']);
        Ok(())
    }
}

/// Passes text on with its quotes doubled.
struct Doubling<'f, 'a>(&'f mut fmt::Formatter<'a>);

impl Write for Doubling<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive('"') {
            self.0.write_str(part)?;
            if part.ends_with('"') {
                self.0.write_char('"')?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::string::{String, ToString};

    #[test]
    fn fields_as_rfc_4180_wants_them() {
        for (text, field) in [
            ("", ""),
            ("Wh", "Wh"),
            ("a b", "a b"),
            ("a,b", "\"a,b\""),
            ("5\"", "\"5\"\"\""),
            ("\"\"", "\"\"\"\"\"\""),
            ("a\nb", "\"a\nb\""),
        ] {
            assert_eq!(Field(text).to_string(), field);
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text in "[a,\"\\r\\n]{0,12}") {
            let field = Field(&text).to_string();
            let read: String = match field.strip_prefix('"').and_then(|field| field.strip_suffix('"')) {
                Some(quoted) => quoted.replace("\"\"", "\""),
                None => field.clone(),
            };
            prop_assert_eq!(read, text);
        }
    }
}
