//! Messages as an outline that a person can read.

use crate::element::{Any, Header, Kind, Nested, Reader, Sequence, Wire};
use crate::file::MessageCrc;
use crate::{File, Frame, Integer, Message, Obis, Time, Unit, Value};
use core::fmt::{self, Write};

/// How deeply elements without a name are followed.
const SHOWN_DEPTH_MAX: usize = 24;

/// Something that can stand in an outline behind its label.
pub(crate) trait Show {
    fn show(&self, out: &mut Outline<'_, '_>) -> fmt::Result;
    fn is_absent(&self) -> bool {
        false
    }
}

/// Writes labels and values, a line each, indented by their depth.
pub(crate) struct Outline<'o, 'f> {
    out: &'o mut fmt::Formatter<'f>,
    depth: usize,
    label: &'static str,
}

impl Outline<'_, '_> {
    /// A line with a label and what is behind it. What is absent gets none.
    pub(crate) fn field(&mut self, label: &'static str, value: &impl Show) -> fmt::Result {
        if value.is_absent() {
            return Ok(());
        }
        self.begin(label)?;
        self.label = label;
        value.show(self)
    }

    fn begin(&mut self, label: &str) -> fmt::Result {
        write!(self.out, "\n{:1$}{label}:", "", 2 * self.depth)
    }

    pub(crate) fn deeper(&mut self, show: impl FnOnce(&mut Self) -> fmt::Result) -> fmt::Result {
        self.depth += 1;
        let result = show(self);
        self.depth -= 1;
        result
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self, out: &mut Outline<'_, '_>) -> fmt::Result {
        self.as_ref().map_or(Ok(()), |value| value.show(out))
    }
    fn is_absent(&self) -> bool {
        self.as_ref().is_none_or(Show::is_absent)
    }
}

impl Show for bool {
    fn show(&self, out: &mut Outline<'_, '_>) -> fmt::Result {
        write!(out.out, " {self}")
    }
}

impl Show for Integer {
    fn show(&self, out: &mut Outline<'_, '_>) -> fmt::Result {
        match (out.label, self.as_u64()) {
            ("status", Some(bits)) => write!(out.out, " 0x{bits:x}"),
            ("unit", Some(code)) if code > 0 => match u8::try_from(code) {
                Ok(code) => write!(out.out, " {}", Unit(code)),
                Err(_) => write!(out.out, " {code}"),
            },
            _ => write!(out.out, " {self}"),
        }?;
        let kind = if self.is_signed() { 'i' } else { 'u' };
        write!(out.out, "  ({kind}{})", 8 * u32::from(self.width()))
    }
}

impl Show for Time {
    fn show(&self, out: &mut Outline<'_, '_>) -> fmt::Result {
        write!(out.out, " {self}")
    }
}

/// OBIS codes where the label says so, else hexadecimal, with the text where it is one.
impl Show for &[u8] {
    fn show(&self, out: &mut Outline<'_, '_>) -> fmt::Result {
        let is_code = matches!(
            out.label,
            "register" | "list name" | "path" | "parameter" | "attention"
        );
        if let (true, Ok(code)) = (is_code, <[u8; 6]>::try_from(*self)) {
            return write!(out.out, " {}", Obis(code));
        }
        write!(out.out, " {}", Hex(self))?;
        if !self.is_empty() && self.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            out.out.write_str("  \"")?;
            for byte in *self {
                out.out.write_char(char::from(*byte))?;
            }
            out.out.write_char('"')?;
        }
        Ok(())
    }
}

/// Bytes as hexadecimal digits with spaces between.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(f, "{gap}{byte:02x}")?;
        }
        Ok(())
    }
}

impl Show for Value<'_> {
    fn show(&self, out: &mut Outline<'_, '_>) -> fmt::Result {
        match self {
            Self::Absent => out.out.write_str(" absent"),
            Self::Bool(value) => value.show(out),
            Self::Octets(value) => value.show(out),
            Self::Integer(value) => value.show(out),
            Self::Time(value) => value.show(out),
            Self::Other(value) => value.show(out),
        }
    }
}

impl Show for Any<'_> {
    fn show(&self, out: &mut Outline<'_, '_>) -> fmt::Result {
        show_element(&mut Reader::new(self.bytes()), out)
    }
}

fn show_element(reader: &mut Reader<'_>, out: &mut Outline<'_, '_>) -> fmt::Result {
    let before = *reader;
    match reader.header() {
        Ok(Header {
            kind: Kind::List,
            length,
        }) if out.depth < SHOWN_DEPTH_MAX => {
            write!(out.out, " list of {length}")?;
            out.deeper(|out| {
                for _ in 0..length {
                    out.begin("-")?;
                    show_element(reader, out)?;
                }
                Ok(())
            })
        }
        _ => {
            *reader = before;
            match Value::parse(reader) {
                Ok(Value::Other(_)) => out.out.write_str(" …"),
                Ok(value) => value.show(out),
                Err(error) => write!(out.out, " {error}"),
            }
        }
    }
}

impl<'a, T: Show + Wire<'a> + Clone> Show for Nested<'a, T> {
    fn show(&self, out: &mut Outline<'_, '_>) -> fmt::Result {
        self.get().show(out)
    }
}

impl<'a, T: Show + Wire<'a> + Clone> Show for Sequence<'a, T> {
    fn show(&self, out: &mut Outline<'_, '_>) -> fmt::Result {
        if self.is_empty() {
            return out.out.write_str(" none");
        }
        let label = out.label;
        out.deeper(|out| {
            for (index, element) in self.iter().enumerate() {
                write!(out.out, "\n{:1$}{2}.", "", 2 * out.depth, index + 1)?;
                out.label = label;
                element.show(out)?;
            }
            Ok(())
        })
    }
}

/// The message as an outline, without a line break at the end.
impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.body.name(), self.offset)?;
        if let crate::Body::Unknown { tag, .. } = self.body {
            write!(f, ", tag {tag:04x}")?;
        }
        match self.crc {
            MessageCrc::Right(kind) => write!(f, ", CRC right ({kind})")?,
            MessageCrc::Wrong => f.write_str(", CRC WRONG")?,
        }
        let mut out = Outline {
            out: f,
            depth: 1,
            label: "",
        };
        out.field("transaction id", &self.transaction_id)?;
        out.field("group", &self.group)?;
        out.field("abort on error", &self.abort_on_error)?;
        out.begin("body")?;
        self.body.show(&mut out)
    }
}

/// All messages as an outline, a line break behind each; broken ones with what is wrong.
impl fmt::Display for File<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for message in self.messages() {
            match message {
                Ok(message) => writeln!(f, "{message}"),
                Err(error) => writeln!(f, "broken message: {error}"),
            }?;
        }
        Ok(())
    }
}

impl fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "frame at byte {}: {} bytes, CRC right ({}), {} fill bytes",
            self.offset, self.length, self.crc, self.fill
        )?;
        self.file().fmt(f)
    }
}
