//! The line protocol of `InfluxDB`, which `VictoriaMetrics` and others read too.
//!
//! ```text
//! electricity,meter=1EMH0010599732 1.8.0_Wh=428896.4,16.7.0_W=2623 1732290000000
//! ```
//!
//! One line for each reading, with its time in milliseconds. The fields are the registers under
//! their [`Key`]s, each with every digit that the meter sent.
//!
//! Numbers are written without the `i` of an integer, so that the server takes all of them for
//! floats. A field keeps the type of its first value and refuses others, and a meter may send
//! `2623` in one telegram and `2623.5` in the next.

use core::fmt::{self, Display, Write};

use super::{Hex, Key, Octets, Shown, keyed};
use crate::reading::{Register, Value};

/// The tag that says which meter it is.
pub const METER_TAG: &str = "meter";

/// What all lines of one series have in common.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The name in front.
    pub measurement: &'a str,
    /// Tags beside that of the meter, sorted by their keys. None of them is empty.
    pub tags: &'a [(&'a str, &'a str)],
    /// Whether registers that hold text or octets are written, as string fields.
    pub texts: bool,
}

impl Line<'_> {
    /// Writes a reading and ends the line. A reading that has no field is no line: then nothing is
    /// written and `false` returned.
    pub fn write(&self, shown: &impl Shown, out: &mut impl Write) -> Result<bool, fmt::Error> {
        let mut fields = keyed(shown).filter(|(_, register)| self.has(register));
        let Some(first) = fields.next() else {
            return Ok(false);
        };
        write!(out, "{}", Name(self.measurement, &[',', ' ']))?;
        let (before, behind) = self
            .tags
            .split_at(self.tags.partition_point(|(key, _)| *key < METER_TAG));
        for (key, value) in before {
            write!(out, ",{}={}", name(key), name(value))?;
        }
        write!(
            out,
            ",{METER_TAG}={}",
            name(shown.reading().meter_id().compact())
        )?;
        for (key, value) in behind {
            write!(out, ",{}={}", name(key), name(value))?;
        }
        out.write_char(' ')?;
        write_field(&first, out)?;
        for field in fields {
            out.write_char(',')?;
            write_field(&field, out)?;
        }
        writeln!(out, " {}", shown.time().0)?;
        Ok(true)
    }

    fn has(&self, register: &Register<'_>) -> bool {
        match register.value {
            Value::Number(_) | Value::Bool(_) | Value::Time(_) => true,
            Value::Octets(_) | Value::Unknown(_) => self.texts,
            Value::Absent => false,
        }
    }
}

fn write_field((key, register): &(Key<'_>, Register<'_>), out: &mut impl Write) -> fmt::Result {
    write!(out, "{}=", name(key))?;
    match register.value {
        Value::Number(number) => write!(out, "{number}"),
        Value::Bool(value) => write!(out, "{value}"),
        Value::Time(time) => write!(out, "{}", time.seconds()),
        Value::Octets(octets) => write!(out, "{}", Text(Octets(octets))),
        Value::Unknown(bytes) => write!(out, "{}", Text(Hex(bytes))),
        Value::Absent => Ok(()),
    }
}

/// A tag's key or value, or a field's key.
fn name<T: Display>(text: T) -> Name<T> {
    Name(text, &[',', ' ', '='])
}

/// Whether a name can be written as it is. The line protocol has no way to write a backslash
/// safely, nor the end of a line; such characters become `_`.
#[must_use]
pub fn is_writable(name: &str) -> bool {
    !name.contains(is_unwritable)
}

fn is_unwritable(character: char) -> bool {
    character == '\\' || character.is_control()
}

/// A name with a backslash in front of these characters.
struct Name<T>(T, &'static [char]);

impl<T: Display> Display for Name<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let special = self.1;
        let escape = move |character| match character {
            character if is_unwritable(character) => (false, '_'),
            character => (special.contains(&character), character),
        };
        write!(Escaping { out: f, escape }, "{}", self.0)
    }
}

/// A string field with its quotes.
struct Text<T>(T);

impl<T: Display> Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let escape = |character| (matches!(character, '"' | '\\'), character);
        write!(Escaping { out: f, escape }, "{}", self.0)?;
        f.write_char('"')
    }
}

/// Passes text on; `escape` says of each character whether a backslash goes before it, and what it
/// becomes.
struct Escaping<'f, 'a, E> {
    out: &'f mut fmt::Formatter<'a>,
    escape: E,
}

impl<E: Fn(char) -> (bool, char)> Write for Escaping<'_, '_, E> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| {
            let (escaped, character) = (self.escape)(character);
            if escaped {
                self.out.write_char('\\')?;
            }
            self.out.write_char(character)
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    /// Cuts at each `at` that no backslash and no quote protects, as `InfluxDB` does.
    fn cut(text: &str, at: char) -> Vec<String> {
        let (mut parts, mut quoted) = (std::vec![String::new()], false);
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            if character == at && !quoted {
                parts.push(String::new());
                continue;
            }
            quoted ^= character == '"';
            let last = parts.last_mut().unwrap();
            last.push(character);
            if character == '\\' {
                last.extend(characters.next());
            }
        }
        parts
    }

    fn plain(text: &str) -> String {
        let mut characters = text.chars();
        let mut plain = String::new();
        while let Some(character) = characters.next() {
            plain.extend(if character == '\\' {
                characters.next()
            } else {
                Some(character)
            });
        }
        plain
    }

    #[test]
    fn names_and_texts() {
        assert_eq!(name("a b,c=d").to_string(), r"a\ b\,c\=d");
        assert_eq!(Name("a b,c=d", &[',', ' ']).to_string(), r"a\ b\,c=d");
        assert_eq!(name("a\\\n\tb").to_string(), "a___b");
        assert_eq!(Text(r#"a "b" \ c"#).to_string(), r#""a \"b\" \\ c""#);
        assert!(is_writable("Zähler 1, Keller") && !is_writable("a\\") && !is_writable("a\n"));
    }

    proptest! {
        #[test]
        fn any_name_reads_back(measurement in "\\PC{1,9}", key in "\\PC{1,9}", value: String) {
            let measurement = measurement.replace(['\\', '"'], "/");
            let [key, value] = [key, value].map(|text| text.replace('"', "/"));
            let line = std::format!(
                "{},{}={} x=1 2",
                Name(&measurement, &[',', ' ']),
                name(&key),
                name(&value)
            );
            let parts = cut(&line, ' ');
            prop_assert_eq!(parts.len(), 3, "{}", line);
            let series = cut(&parts[0], ',');
            prop_assert_eq!(series.len(), 2, "{}", line);
            prop_assert_eq!(plain(&series[0]), measurement);
            let tag = cut(&series[1], '=');
            prop_assert_eq!(tag.len(), 2, "{}", line);
            let written = |text: &str| text.replace(is_unwritable, "_");
            prop_assert_eq!([plain(&tag[0]), plain(&tag[1])], [written(&key), written(&value)]);
        }

        #[test]
        fn any_text_reads_back(text: String) {
            let quoted = Text(&text).to_string();
            prop_assert_eq!(cut(&quoted, ' ').len(), 1);
            let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            prop_assert_eq!(plain(inner.unwrap()), text);
        }
    }
}
