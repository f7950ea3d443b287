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

use crate::Integer;
use core::{fmt, marker::PhantomData};

/// How many bytes of type and length an element may begin with. Four lengthen it to 65 535, four
/// times what a frame holds.
const HEADER_BYTES_MAX: usize = 4;

/// How deeply elements may be nested where the reader has to follow them: SML's own structures need
/// seven levels, and its trees of parameters add two for each of theirs.
pub(crate) const DEPTH_MAX: u8 = 16;

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

/// Walks over bytes, element by element. Every length is checked against what is left.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Offset of the end of `rest`, so that moving on costs one subtraction, not two.
    end: usize,
    depth: u8,
}

impl<'a> Reader<'a> {
    /// A reader whose errors count bytes from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::at(bytes, 0)
    }

    /// A reader over a part that begins at `offset` of the whole.
    #[must_use]
    pub fn at(bytes: &'a [u8], offset: usize) -> Self {
        Self {
            rest: bytes,
            end: offset.saturating_add(bytes.len()),
            depth: 0,
        }
    }

    /// Where the next element begins.
    #[must_use]
    #[inline]
    pub fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    /// What has not been read.
    #[must_use]
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads type and length. A list is not longer than there are bytes left, since each of its
    /// elements takes at least one.
    #[inline]
    pub fn header(&mut self) -> Result<Header, Error> {
        let at = self.offset();
        let Some((&first, rest)) = self.rest.split_first() else {
            return Err(ErrorKind::Truncated.at(at));
        };
        let nibble = usize::from(first & 0x0f);
        let (total, used, rest) = if first & 0x80 == 0 {
            (nibble, 1, rest)
        } else {
            long_length(nibble, rest).map_err(|kind| kind.at(at))?
        };
        let kind = match first & 0x70 {
            0x00 if first == 0 => {
                self.rest = rest;
                return Ok(Header {
                    kind: Kind::End,
                    length: 0,
                });
            }
            0x00 => Kind::Octets,
            0x40 => Kind::Bool,
            0x50 => Kind::Signed,
            0x60 => Kind::Unsigned,
            0x70 => Kind::List,
            _ => return Err(ErrorKind::Reserved.at(at)),
        };
        let length = if kind == Kind::List {
            total
        } else {
            total.checked_sub(used).ok_or(ErrorKind::Length.at(at))?
        };
        if length > rest.len() {
            return Err(ErrorKind::Truncated.at(at));
        }
        self.rest = rest;
        Ok(Header { kind, length })
    }

    /// Takes an integer of the usual form: one byte of type and length, and at least eight bytes
    /// behind it, so that its value is one load and a shift.
    #[cfg_attr(not(feature = "small"), inline(always))]
    pub(crate) fn short_integer(&mut self) -> Option<Integer> {
        let [first, eight @ ..] = *self.rest.first_chunk::<9>()?;
        // 52 to 59 and 62 to 69, counted from 0.
        let width = (first & 0x0f).wrapping_sub(2);
        if !matches!(first & 0xf0, 0x50 | 0x60) || width >= 8 {
            return None;
        }
        self.rest = self.rest.get(usize::from(width) + 2..)?;
        Some(Integer::from_eight(eight, width + 1, first & 0x10 != 0))
    }

    /// Takes an octet string of up to 14 bytes.
    #[cfg_attr(not(feature = "small"), inline(always))]
    pub(crate) fn short_octets(&mut self) -> Option<&'a [u8]> {
        let (&first, content) = self.rest.split_first()?;
        if !(0x01..0x10).contains(&first) {
            return None;
        }
        let (octets, rest) = content.split_at_checked(usize::from(first - 1))?;
        self.rest = rest;
        Some(octets)
    }

    /// Takes `length` bytes of content.
    #[inline]
    fn take(&mut self, length: usize, at: usize) -> Result<&'a [u8], Error> {
        let Some((content, rest)) = self.rest.split_at_checked(length) else {
            return Err(ErrorKind::Truncated.at(at));
        };
        self.rest = rest;
        Ok(content)
    }

    #[expect(clippy::cast_possible_truncation, reason = "1 to 8")]
    pub(crate) fn integer(
        &mut self,
        width: usize,
        signed: bool,
        at: usize,
    ) -> Result<Integer, Error> {
        if !(1..=8).contains(&width) {
            return Err(ErrorKind::Width.at(at));
        }
        let mut eight = [0; 8];
        for (to, from) in eight.iter_mut().zip(self.take(width, at)?) {
            *to = *from;
        }
        Ok(Integer::from_eight(eight, width as u8, signed))
    }

    #[inline]
    pub(crate) fn boolean(&mut self, width: usize, at: usize) -> Result<bool, Error> {
        match self.take(width, at)? {
            &[byte] => Ok(byte != 0),
            _ => Err(ErrorKind::Width.at(at)),
        }
    }

    #[inline]
    pub(crate) fn octets(&mut self, length: usize, at: usize) -> Result<&'a [u8], Error> {
        self.take(length, at)
    }

    /// Enters a list of exactly `count` elements.
    #[cfg_attr(not(feature = "small"), inline(always))]
    pub fn list(&mut self, count: usize) -> Result<(), Error> {
        // Nearly all lists have this form.
        match self.rest.split_first() {
            Some((&first, rest))
                if count < 16 && usize::from(first) == 0x70 | count && rest.len() >= count =>
            {
                self.rest = rest;
                Ok(())
            }
            _ => self.list_long(count),
        }
    }

    /// Enters a list whose header may have any form.
    #[cold]
    fn list_long(&mut self, count: usize) -> Result<(), Error> {
        let at = self.offset();
        let found = self.any_list()?;
        if found == count {
            return Ok(());
        }
        Err(ErrorKind::Elements {
            expected: u8::try_from(count).unwrap_or(u8::MAX),
            found: u8::try_from(found).unwrap_or(u8::MAX),
        }
        .at(at))
    }

    /// Enters a list and says how many elements it has.
    #[inline]
    pub fn any_list(&mut self) -> Result<usize, Error> {
        let at = self.offset();
        let Header { kind, length } = self.header()?;
        if kind == Kind::List {
            Ok(length)
        } else {
            Err(ErrorKind::Type {
                expected: Kind::List,
                found: kind,
            }
            .at(at))
        }
    }

    /// The first byte of what comes next.
    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Passes over bytes that were looked at.
    #[inline]
    pub(crate) fn pass(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// Passes over one element with all that is in it, and returns its bytes. Takes time in
    /// proportion to them and no stack, however deeply they are nested.
    pub fn skip(&mut self) -> Result<&'a [u8], Error> {
        let start = self.rest;
        let mut open = 1_usize;
        while open > 0 {
            let at = self.offset();
            let Header { kind, length } = self.header()?;
            open -= 1;
            if kind == Kind::List {
                // Each open element takes a byte, so the sum is bounded by the bytes left.
                open += length;
                if open > self.rest.len() {
                    return Err(ErrorKind::Truncated.at(at));
                }
            } else {
                self.take(length, at)?;
            }
        }
        Ok(start
            .get(..start.len() - self.rest.len())
            .unwrap_or_default())
    }

    /// Reads with `parse` one level deeper, up to a bound.
    pub(crate) fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth >= DEPTH_MAX {
            return Err(ErrorKind::Depth.at(self.offset()));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }
}

/// The length of an element whose first byte has its top bit set, the bytes that gave it, and what
/// follows them.
#[cold]
fn long_length(first: usize, mut rest: &[u8]) -> Result<(usize, usize, &[u8]), ErrorKind> {
    let mut total = first;
    for used in 2..=HEADER_BYTES_MAX {
        let Some((&byte, behind)) = rest.split_first() else {
            return Err(ErrorKind::Truncated);
        };
        total = total << 4 | usize::from(byte & 0x0f);
        rest = behind;
        if byte & 0x80 == 0 {
            return Ok((total, used, rest));
        }
    }
    Err(ErrorKind::Length)
}

/// The space for what is to be written is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the space for the encoded bytes is too small")
    }
}

impl core::error::Error for Full {}

/// Writes elements into bytes that the caller gives.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

impl<'b> Writer<'b> {
    /// A writer that begins at the start of `buffer`.
    #[must_use]
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// What has been written.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.length.checked_add(bytes.len()).ok_or(Full)?;
        self.buffer
            .get_mut(self.length..end)
            .ok_or(Full)?
            .copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }

    /// Appends one byte as it is.
    pub fn byte(&mut self, byte: u8) -> Result<(), Full> {
        self.raw(&[byte])
    }

    /// Begins a list of `count` elements.
    pub fn list(&mut self, count: usize) -> Result<(), Full> {
        self.header(0x70, count, false)
    }

    /// Appends an octet string.
    pub fn octets(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.header(0x00, bytes.len(), true)?;
        self.raw(bytes)
    }

    /// Appends an absent optional element.
    pub fn absent(&mut self) -> Result<(), Full> {
        self.byte(0x01)
    }

    /// Appends type and length in as few bytes as they need.
    #[expect(clippy::cast_possible_truncation, reason = "four bits each")]
    fn header(&mut self, kind: u8, length: usize, counts_itself: bool) -> Result<(), Full> {
        let total = |bytes: usize| length + if counts_itself { bytes } else { 0 };
        let bytes = (1..=HEADER_BYTES_MAX)
            .find(|&bytes| total(bytes) >> (4 * bytes) == 0)
            .ok_or(Full)?;
        for index in (0..bytes).rev() {
            let more = if index > 0 { 0x80 } else { 0 };
            let kind = if index + 1 == bytes { kind } else { 0 };
            self.byte(more | kind | (total(bytes) >> (4 * index)) as u8 & 0x0f)?;
        }
        Ok(())
    }
}

/// Something that has a form on the wire. What `parse` accepts, `emit` writes.
pub trait Wire<'a>: Sized {
    /// Reads one element.
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error>;
    /// Writes one element.
    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full>;
}

/// An octet string that must be there. One that is absent reads as empty.
impl<'a> Wire<'a> for &'a [u8] {
    #[cfg_attr(not(feature = "small"), inline(always))]
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        if let Some(octets) = reader.short_octets() {
            return Ok(octets);
        }
        let at = reader.offset();
        match reader.header()? {
            Header {
                kind: Kind::Octets,
                length,
            } => reader.octets(length, at),
            Header { kind: found, .. } => Err(ErrorKind::Type {
                expected: Kind::Octets,
                found,
            }
            .at(at)),
        }
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.octets(self)
    }
}

impl<'a> Wire<'a> for bool {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let at = reader.offset();
        match reader.header()? {
            Header {
                kind: Kind::Bool,
                length,
            } => reader.boolean(length, at),
            Header { kind: found, .. } => Err(ErrorKind::Type {
                expected: Kind::Bool,
                found,
            }
            .at(at)),
        }
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.raw(&[0x42, u8::from(*self)])
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Option<T> {
    #[cfg_attr(not(feature = "small"), inline(always))]
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        if reader.peek() == Some(0x01) {
            reader.pass(1);
            Ok(None)
        } else {
            T::parse(reader).map(Some)
        }
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        match self {
            Some(value) => value.emit(writer),
            None => writer.absent(),
        }
    }
}

/// An element of any type, as its bytes, checked to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Any<'a>(pub(crate) &'a [u8]);

impl<'a> Any<'a> {
    /// The element with its type and length.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Wire<'a> for Any<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        reader.skip().map(Self)
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.raw(self.0)
    }
}

/// A large element that is rarely there: checked, and read when it is asked for, so that what
/// holds it stays small.
#[derive(Clone, Copy)]
pub struct Nested<'a, T> {
    source: Source<'a, T>,
}

impl<'a, T: Wire<'a> + Clone> Nested<'a, T> {
    /// The element. `None` never comes out of a message that was read.
    #[must_use]
    pub fn get(&self) -> Option<T> {
        match self.source {
            Source::Wire { bytes, .. } => T::parse(&mut Reader::new(bytes)).ok(),
            Source::Slice(slice) => slice.first().cloned(),
        }
    }
}

impl<'a, T> From<&'a T> for Nested<'a, T> {
    fn from(element: &'a T) -> Self {
        Self {
            source: Source::Slice(core::slice::from_ref(element)),
        }
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Nested<'a, T> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let start = reader.rest();
        reader.deeper(|reader| T::parse(reader))?;
        let bytes = start
            .get(..start.len() - reader.rest().len())
            .unwrap_or_default();
        Ok(Self {
            source: Source::Wire {
                count: 1,
                bytes,
                marker: PhantomData,
            },
        })
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        match self.source {
            Source::Wire { bytes, .. } => writer.raw(bytes),
            Source::Slice(slice) => slice.iter().try_for_each(|element| element.emit(writer)),
        }
    }
}

impl<'a, T: Wire<'a> + Clone + fmt::Debug> fmt::Debug for Nested<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// The same element, whether read or to be written.
impl<'a, T: Wire<'a> + Clone + PartialEq> PartialEq for Nested<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

/// A list whose elements are all of one type: either as it stands on the wire, checked, or a slice
/// that is to be written.
#[derive(Clone, Copy)]
pub struct Sequence<'a, T> {
    source: Source<'a, T>,
}

#[derive(Clone, Copy)]
enum Source<'a, T> {
    Wire {
        count: usize,
        bytes: &'a [u8],
        marker: PhantomData<T>,
    },
    Slice(&'a [T]),
}

impl<T> Sequence<'_, T> {
    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.source {
            Source::Wire { count, .. } => count,
            Source::Slice(slice) => slice.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a, T: Wire<'a> + Clone> Sequence<'a, T> {
    /// The elements in their order.
    #[must_use]
    pub fn iter(&self) -> Elements<'a, T> {
        Elements {
            source: match self.source {
                Source::Wire { bytes, .. } => Walk::Wire(Reader::new(bytes)),
                Source::Slice(slice) => Walk::Slice(slice.iter()),
            },
        }
    }
}

impl<'a, T> From<&'a [T]> for Sequence<'a, T> {
    fn from(slice: &'a [T]) -> Self {
        Self {
            source: Source::Slice(slice),
        }
    }
}

impl<T> Default for Sequence<'_, T> {
    fn default() -> Self {
        Self {
            source: Source::Slice(&[]),
        }
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Sequence<'a, T> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let count = reader.any_list()?;
        let start = reader.rest();
        reader.deeper(|reader| {
            for _ in 0..count {
                T::parse(reader)?;
            }
            Ok(())
        })?;
        let bytes = start
            .get(..start.len() - reader.rest().len())
            .unwrap_or_default();
        Ok(Self {
            source: Source::Wire {
                count,
                bytes,
                marker: PhantomData,
            },
        })
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.list(self.len())?;
        match self.source {
            Source::Wire { bytes, .. } => writer.raw(bytes),
            Source::Slice(slice) => slice.iter().try_for_each(|element| element.emit(writer)),
        }
    }
}

/// The elements of a [`Sequence`], in their order.
#[derive(Clone)]
pub struct Elements<'a, T> {
    source: Walk<'a, T>,
}

#[derive(Clone)]
enum Walk<'a, T> {
    Wire(Reader<'a>),
    Slice(core::slice::Iter<'a, T>),
}

impl<'a, T: Wire<'a> + Clone> Iterator for Elements<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match &mut self.source {
            // The bytes were read once before, so an error is the end of them.
            Walk::Wire(reader) => T::parse(reader).ok(),
            Walk::Slice(slice) => slice.next().cloned(),
        }
    }
}

impl<'a, T: Wire<'a> + Clone> IntoIterator for Sequence<'a, T> {
    type Item = T;
    type IntoIter = Elements<'a, T>;

    fn into_iter(self) -> Elements<'a, T> {
        self.iter()
    }
}

impl<'a, T: Wire<'a> + Clone> IntoIterator for &Sequence<'a, T> {
    type Item = T;
    type IntoIter = Elements<'a, T>;

    fn into_iter(self) -> Elements<'a, T> {
        self.iter()
    }
}

impl<'a, T: Wire<'a> + Clone + fmt::Debug> fmt::Debug for Sequence<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The same elements, whether read or to be written.
impl<'a, T: Wire<'a> + Clone + PartialEq> PartialEq for Sequence<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

/// Declares a struct whose fields are the elements of a list, in the order of the wire, and with it
/// how it is read, written and shown.
macro_rules! wire_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident<'a> {
            $( $(#[$field_meta:meta])* pub $field:ident: $type:ty = $label:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name<'a> {
            $( $(#[$field_meta])* pub $field: $type, )+
        }

        impl<'a> $crate::Wire<'a> for $name<'a> {
            #[cfg_attr(not(feature = "small"), inline(always))]
            fn parse(reader: &mut $crate::Reader<'a>) -> Result<Self, $crate::Error> {
                reader.list([$($label),+].len())?;
                Ok(Self { $( $field: $crate::Wire::parse(reader)?, )+ })
            }

            fn emit(&self, writer: &mut $crate::Writer<'_>) -> Result<(), $crate::Full> {
                writer.list([$($label),+].len())?;
                $( self.$field.emit(writer)?; )+
                Ok(())
            }
        }

        impl $crate::pretty::Show for $name<'_> {
            fn show(&self, out: &mut $crate::pretty::Outline<'_, '_>) -> core::fmt::Result {
                out.deeper(|out| {
                    $( out.field($label, &self.$field)?; )+
                    Ok(())
                })
            }
        }
    };
}
pub(crate) use wire_struct;
