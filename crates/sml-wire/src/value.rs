//! The value of a register.

use crate::element::{Any, Error, ErrorKind, Full, Header, Kind, Reader, Wire, Writer};
use crate::{Integer, Time};

/// `SML_Value` (SML 1.04, 6.2.9): its type is the type of the element.
///
/// | bytes | value |
/// |---|---|
/// | `01` | absent |
/// | `0n ...`, `42 ..`, `5n ...`, `6n ...` | octet string, boolean, integer |
/// | `72 62 01` and an `SML_Time` | `SML_ListType`, whose only choice is a time |
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// The register has no value at this time.
    Absent,
    /// True or false.
    Bool(bool),
    /// Text, an id, a key: whatever the register says it is.
    Octets(&'a [u8]),
    /// A number that the scaler beside it completes.
    Integer(Integer),
    /// A time.
    Time(Time),
    /// A list that SML does not define here.
    Other(Any<'a>),
}

impl<'a> Value<'a> {
    /// Reads a value of any form.
    fn parse_long(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let before = *reader;
        let at = reader.offset();
        let header = reader.header()?;
        let Header { kind, length } = header;
        match kind {
            Kind::Octets if length == 0 => Ok(Self::Absent),
            Kind::Octets => reader.octets(length, at).map(Self::Octets),
            Kind::Bool => reader.boolean(length, at).map(Self::Bool),
            Kind::Signed | Kind::Unsigned => reader.integer(header, at).map(Self::Integer),
            Kind::End => Err(ErrorKind::Type {
                expected: Kind::Octets,
                found: kind,
            }
            .at(at)),
            Kind::List => {
                *reader = before;
                if let Some(time) = listed_time(reader) {
                    return Ok(Self::Time(time));
                }
                *reader = before;
                Any::parse(reader).map(Self::Other)
            }
        }
    }
}

impl<'a> Wire<'a> for Value<'a> {
    #[cfg_attr(not(feature = "small"), inline(always))]
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        if let Some(integer) = reader.short_integer() {
            return Ok(Self::Integer(integer));
        }
        match reader.short_octets() {
            Some([]) => Ok(Self::Absent),
            Some(octets) => Ok(Self::Octets(octets)),
            None => reader.rarely(Self::parse_long),
        }
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        match self {
            Self::Absent => writer.absent(),
            Self::Bool(value) => value.emit(writer),
            Self::Octets(value) => value.emit(writer),
            Self::Integer(value) => value.emit(writer),
            Self::Time(value) => {
                writer.raw(&[0x72, 0x62, 1])?;
                value.emit(writer)
            }
            Self::Other(value) => value.emit(writer),
        }
    }
}

/// `SML_ListType` with its only choice. A bare time inside it is none: it could be anything.
fn listed_time(reader: &mut Reader<'_>) -> Option<Time> {
    reader.list(2).ok()?;
    (Integer::parse(reader).ok()?.as_u64() == Some(1)).then_some(())?;
    match Time::parse(reader).ok()? {
        Time::Bare(_) => None,
        time => Some(time),
    }
}
