//! The encoding below everything: a type and a length, then the content (SML 1.04, 6.3).
//!
//! | first byte | what follows |
//! |---|---|
//! | `00` | nothing: the end of a message |
//! | `01` | nothing: an optional element that is absent (an octet string of no bytes) |
//! | `0n` | octet string of n - 1 bytes |
//! | `42` | boolean, one byte, 00 is false |
//! | `5n` | signed integer of n - 1 bytes |
//! | `6n` | unsigned integer of n - 1 bytes |
//! | `7n` | list of n elements |
//!
//! With the top bit set a further byte follows, whose low four bits are appended to the length. The
//! length counts the bytes of the type and length too, except in lists.

mod reader;
mod sequence;
mod wire;
mod writer;

pub use reader::Reader;
pub use sequence::{Elements, Nested, Sequence};
pub(crate) use wire::wire_struct;
pub use wire::{Any, Wire};
pub use writer::{Full, Writer};

use core::fmt;

/// How many bytes of type and length an element may begin with. Four lengthen it to 65 535, four
/// times what a frame holds.
const HEADER_BYTES_MAX: usize = 4;

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Octet string; one of no bytes means "absent".
    Octets,
    /// Boolean.
    Bool,
    /// Signed integer.
    Signed,
    /// Unsigned integer.
    Unsigned,
    /// List of elements.
    List,
    /// End of a message.
    End,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Octets => "an octet string",
            Self::Bool => "a boolean",
            Self::Signed | Self::Unsigned => "an integer",
            Self::List => "a list",
            Self::End => "the end of a message",
        })
    }
}

/// What is wrong with some bytes, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// The byte at which the element begins that is wrong, counted from the start of the payload.
    // Errors are small so that results stay in registers: reading is mostly passing them up.
    pub offset: u32,
    /// What is wrong with it.
    pub kind: ErrorKind,
}

/// What is wrong with an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// It is longer than what is left.
    Truncated,
    /// Its length is less than the bytes that give it, or takes too many bytes to give.
    Length,
    /// It has a type that SML does not define.
    Reserved,
    /// It is of another type than must stand here.
    Type {
        /// What must stand here.
        expected: Kind,
        /// What stands here.
        found: Kind,
    },
    /// It is a list of another number of elements than must stand here.
    Elements {
        /// How many must stand here.
        expected: u8,
        /// How many the list says it has; 255 also for more.
        found: u8,
    },
    /// It is a boolean or an integer of a width that there is not.
    Width,
    /// It chooses among forms that SML defines, but none of them.
    Choice,
    /// It is nested more deeply than this library follows.
    Depth,
}

impl ErrorKind {
    /// The error at a byte of the payload.
    #[cold]
    #[must_use]
    pub fn at(self, offset: usize) -> Error {
        Error {
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
            kind: self,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Truncated => f.write_str("element longer than what is left"),
            ErrorKind::Length => f.write_str("impossible length"),
            ErrorKind::Reserved => f.write_str("type that SML does not define"),
            ErrorKind::Type { expected, found } => {
                write!(f, "{expected} must stand here, not {found}")
            }
            ErrorKind::Elements { expected, found } => {
                write!(f, "list of {expected} must stand here, not of {found}")
            }
            ErrorKind::Width => f.write_str("integer or boolean of impossible width"),
            ErrorKind::Choice => f.write_str("unknown choice"),
            ErrorKind::Depth => f.write_str("nested too deeply"),
        }?;
        write!(f, " at byte {}", self.offset)
    }
}

impl core::error::Error for Error {}

/// Type and length of an element.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Its type.
    pub kind: Kind,
    /// Bytes of content, or elements of a list.
    pub length: usize,
}
