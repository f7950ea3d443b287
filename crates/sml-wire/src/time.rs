//! Times, in all the forms that meters send.

use crate::Integer;
use crate::element::{Error, ErrorKind, Full, Kind, Reader, Wire, Writer};

/// `SML_Time` (SML 1.04, 6.2.10): a choice of three forms. Meters add a fourth.
///
/// | bytes | form |
/// |---|---|
/// | `72 62 01 65 ........` | seconds index: seconds since some start of the meter's own |
/// | `72 62 02 65 ........` | timestamp: seconds since 1970, UTC |
/// | `72 62 03 73 65 ........ 53 .... 53 ....` | the same, with two offsets from UTC in minutes |
/// | `65 ........` | a bare seconds index (Holley DTZ541) |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Seconds since some start of the meter's own.
    SecondsIndex(Integer),
    /// Seconds since 1970-01-01, UTC.
    Timestamp(Integer),
    /// A timestamp with the offset of the place and that of the season.
    Local {
        /// Seconds since 1970-01-01, UTC.
        timestamp: Integer,
        /// By how much the place is ahead of UTC.
        local_offset: Minutes,
        /// What summer time adds.
        season_offset: Minutes,
    },
    /// A seconds index that stands there without saying so.
    Bare(Integer),
}

/// An offset between clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minutes {
    /// Minutes, positive to the east.
    pub minutes: i16,
    /// Bytes on the wire, 1 or 2.
    pub width: u8,
}

impl<'a> Wire<'a> for Minutes {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let at = reader.offset();
        let integer = Integer::parse(reader)?;
        match integer.as_i64().map(i16::try_from) {
            Some(Ok(minutes)) if integer.is_signed() && integer.width() <= 2 => Ok(Self {
                minutes,
                width: integer.width(),
            }),
            _ => Err(ErrorKind::Width.at(at)),
        }
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        Integer::signed(self.minutes.into())
            .with_width(self.width)
            .emit(writer)
    }
}

impl Time {
    /// The seconds index, where it is one. `None` for times of day.
    #[must_use]
    pub fn seconds_index(self) -> Option<u64> {
        match self {
            Self::SecondsIndex(seconds) | Self::Bare(seconds) => seconds.as_u64(),
            Self::Timestamp(_) | Self::Local { .. } => None,
        }
    }

    /// Seconds since 1970, where it is a time of day.
    #[must_use]
    pub fn timestamp(self) -> Option<u64> {
        match self {
            Self::Timestamp(timestamp) | Self::Local { timestamp, .. } => timestamp.as_u64(),
            Self::SecondsIndex(_) | Self::Bare(_) => None,
        }
    }

    /// The number, whichever its form.
    #[must_use]
    pub fn seconds(self) -> Integer {
        match self {
            Self::SecondsIndex(seconds)
            | Self::Timestamp(seconds)
            | Self::Local {
                timestamp: seconds, ..
            }
            | Self::Bare(seconds) => seconds,
        }
    }
}

impl Time {
    /// Reads a time of any form.
    fn parse_long(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.offset();
        let header = reader.header()?;
        match header.kind {
            Kind::Unsigned | Kind::Signed => reader.integer(header, at).map(Self::Bare),
            Kind::List if header.length == 2 => {
                let at = reader.offset();
                match Integer::parse(reader)?.as_u64() {
                    Some(1) => Integer::parse(reader).map(Self::SecondsIndex),
                    Some(2) => Integer::parse(reader).map(Self::Timestamp),
                    Some(3) => {
                        reader.list(3)?;
                        Ok(Self::Local {
                            timestamp: Integer::parse(reader)?,
                            local_offset: Minutes::parse(reader)?,
                            season_offset: Minutes::parse(reader)?,
                        })
                    }
                    _ => Err(ErrorKind::Choice.at(at)),
                }
            }
            found => Err(ErrorKind::Type {
                expected: Kind::List,
                found,
            }
            .at(at)),
        }
    }
}

impl<'a> Wire<'a> for Time {
    #[cfg_attr(not(feature = "small"), inline(always))]
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let before = *reader;
        // What most meters send.
        if reader.rest().starts_with(&[0x72, 0x62, 0x01]) {
            reader.pass(3);
            if let Some(seconds) = reader.short_integer() {
                return Ok(Self::SecondsIndex(seconds));
            }
            *reader = before;
        }
        reader.rarely(Self::parse_long)
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        match self {
            Self::SecondsIndex(seconds) => {
                writer.raw(&[0x72, 0x62, 1])?;
                seconds.emit(writer)
            }
            Self::Timestamp(seconds) => {
                writer.raw(&[0x72, 0x62, 2])?;
                seconds.emit(writer)
            }
            Self::Local {
                timestamp,
                local_offset,
                season_offset,
            } => {
                writer.raw(&[0x72, 0x62, 3, 0x73])?;
                timestamp.emit(writer)?;
                local_offset.emit(writer)?;
                season_offset.emit(writer)
            }
            Self::Bare(seconds) => seconds.emit(writer),
        }
    }
}

impl core::fmt::Display for Time {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::SecondsIndex(seconds) => write!(f, "second {seconds} of the meter"),
            Self::Bare(seconds) => write!(f, "second {seconds} of the meter (bare)"),
            Self::Timestamp(seconds) => write!(f, "{seconds} s since 1970"),
            Self::Local {
                timestamp,
                local_offset,
                season_offset,
            } => write!(
                f,
                "{timestamp} s since 1970, offsets {} min and {} min",
                local_offset.minutes, season_offset.minutes
            ),
        }
    }
}
