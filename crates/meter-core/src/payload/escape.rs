//! Strings in JSON.

use core::fmt::{self, Display, Write};

use crate::meter_id::text;

/// Prints something as a JSON string, with quotes and escapes (RFC 8259, section 7).
#[derive(Clone, Copy, Debug)]
pub struct JsonString<T>(pub T);

impl<T: Display> Display for JsonString<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escaping(f), "{}", self.0)?;
        f.write_char('"')
    }
}

/// Passes text on with JSON's escapes.
struct Escaping<'f, 'a>(&'f mut fmt::Formatter<'a>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(needs_escape) {
            let mut characters = part.chars();
            match characters.next_back() {
                Some(last) if needs_escape(last) => {
                    self.0.write_str(characters.as_str())?;
                    escape(self.0, last)?;
                }
                _ => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

fn needs_escape(character: char) -> bool {
    matches!(character, '"' | '\\' | '\0'..='\x1f')
}

fn escape(out: &mut impl Write, character: char) -> fmt::Result {
    match character {
        '"' => out.write_str("\\\""),
        '\\' => out.write_str("\\\\"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        other => write!(out, "\\u{:04x}", u32::from(other)),
    }
}

/// Prints octets as lower-case hex.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// Prints octets as text when all of them are printable ASCII, else as lower-case hex.
#[derive(Clone, Copy, Debug)]
pub struct Octets<'a>(pub &'a [u8]);

impl Display for Octets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match text(self.0) {
            Some(text) => f.write_str(text),
            None => Hex(self.0).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::string::{String, ToString};

    #[test]
    fn octets_as_text_or_hex() {
        assert_eq!(Octets(b"EMH").to_string(), "EMH");
        assert_eq!(Octets(&[0x0a, 0x01, 0xff]).to_string(), "0a01ff");
        assert_eq!(Octets(b"a\n").to_string(), "610a");
        assert_eq!(Octets(b"").to_string(), "");
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text: String) {
            let json = JsonString(&text).to_string();
            prop_assert_eq!(serde_json::from_str::<String>(&json)?, text);
        }

        #[test]
        fn control_characters_too(text in "[\\x00-\\x22\\\\\\x5b-\\x7f]{0,20}") {
            let json = JsonString(&text).to_string();
            prop_assert_eq!(serde_json::from_str::<String>(&json)?, text);
        }
    }
}
