//! Reading elements.

use super::{Error, ErrorKind, HEADER_BYTES_MAX, Header, Kind};
use crate::Integer;

/// How deeply elements may be nested where the reader has to follow them: SML's own structures need
/// seven levels, and its trees of parameters add two for each of theirs.
pub(crate) const DEPTH_MAX: u8 = 16;

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

    /// Takes an integer of the usual form, with one byte of type and length: its value is one load
    /// and a shift, or only a load for the commonest of all, unsigned ones of a byte.
    #[cfg_attr(not(feature = "small"), inline(always))]
    pub(crate) fn short_integer(&mut self) -> Option<Integer> {
        #[cfg(not(feature = "small"))]
        if let [0x62, byte, rest @ ..] = self.rest {
            self.rest = rest;
            return Some(Integer::new((*byte).into(), 1, false));
        }
        let (&first, content) = self.rest.split_first()?;
        if let Some(eight) = content.first_chunk::<8>() {
            let integer = Integer::from_eight(first, *eight)?;
            self.rest = self.rest.get(usize::from(first & 0x0f)..)?;
            return Some(integer);
        }
        let integer = Integer::from_eight(first, padded(content))?;
        self.rest = self.rest.get(usize::from(first & 0x0f)..)?;
        Some(integer)
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

    /// Takes the content of an integer that begins at `at`.
    pub(crate) fn integer(&mut self, header: Header, at: usize) -> Result<Integer, Error> {
        let first = if header.kind == Kind::Signed {
            0x51
        } else {
            0x61
        };
        let content = self.take(header.length, at)?;
        u8::try_from(header.length)
            .ok()
            .filter(|length| *length <= 8)
            .and_then(|length| Integer::from_eight(first + length, padded(content)))
            .ok_or(ErrorKind::Width.at(at))
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
            _ => self.rarely(|reader| reader.list_long(count)),
        }
    }

    /// Enters a list whose header may have any form.
    fn list_long(&mut self, count: usize) -> Result<(), Error> {
        let at = self.offset();
        let found = self.any_list_long()?;
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
        match self.rest.split_first() {
            Some((&first @ 0x70..=0x7f, rest)) if usize::from(first & 0x0f) <= rest.len() => {
                self.rest = rest;
                Ok(usize::from(first & 0x0f))
            }
            _ => self.rarely(Self::any_list_long),
        }
    }

    /// Enters a list whose header may have any form.
    fn any_list_long(&mut self) -> Result<usize, Error> {
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
        self.skip_all(1)?;
        Ok(start
            .get(..start.len() - self.rest.len())
            .unwrap_or_default())
    }

    /// Passes over `count` elements.
    #[cfg_attr(not(feature = "small"), inline(always))]
    pub(crate) fn skip_all(&mut self, count: usize) -> Result<(), Error> {
        // Each step takes a byte at least, so that this ends, and adds no more elements than there
        // are bytes left.
        let mut open = count;
        while open > 0 {
            open = self.skip_short(open);
            if open > 0 {
                open = open - 1 + self.rarely(Self::step)?;
            }
        }
        Ok(())
    }

    /// Passes over a list entry as nearly all are: a list of seven, of which the first is an octet
    /// string of six bytes.
    #[cfg(not(feature = "small"))]
    #[inline(always)]
    pub(crate) fn skip_usual_entry(&mut self) -> Option<()> {
        // The processor foresees which way a branch goes, but waits for a length that it must read
        // and add: so the usual forms of an element are branches.
        let [0x77, 0x07, _, _, _, _, _, _, rest @ ..] = self.rest else {
            return None;
        };
        let after_status = behind_optional(rest)?;
        let after_time = match after_status {
            [0x72, time @ ..] => behind_short(behind_short(time)?)?,
            _ => behind_optional(after_status)?,
        };
        let after_scaler = match after_time {
            [0x62, _, 0x52, _, behind @ ..] => behind,
            _ => behind_optional(behind_optional(after_time)?)?,
        };
        let after_value = match after_scaler {
            [0x72, time @ ..] => behind_short(behind_short(time)?)?,
            _ => behind_short(after_scaler)?,
        };
        self.rest = behind_optional(after_value)?;
        Some(())
    }

    /// Passes over up to `count` elements with one byte of type and length, and returns how many are
    /// left to pass over: those of lists count, too.
    #[cfg_attr(not(feature = "small"), inline(always))]
    fn skip_short(&mut self, mut count: usize) -> usize {
        let bytes = self.rest;
        let mut at = 0;
        while count > 0
            && let Some(&first) = bytes.get(at)
        {
            let length = usize::from(first & 0x0f);
            match first {
                0x01 => at += 1,
                0x02..=0x0f | 0x52..=0x59 | 0x62..=0x69 if length <= bytes.len() - at => {
                    at += length;
                }
                0x71..=0x7f => {
                    at += 1;
                    count += length;
                }
                _ => break,
            }
            count -= 1;
        }
        self.rest = bytes.get(at..).unwrap_or_default();
        count
    }

    /// Passes over one element, of a list only over type and length, and returns how many there are
    /// in it.
    fn step(&mut self) -> Result<usize, Error> {
        let at = self.offset();
        let Header { kind, length } = self.header()?;
        if kind == Kind::List {
            return Ok(length);
        }
        self.take(length, at)?;
        Ok(0)
    }

    /// Reads what is rarely there, out of line and with a copy of the reader. One that no other
    /// function holds a reference to stays in the registers of the processor, and reading what is
    /// usually there costs half as much.
    #[inline]
    pub(crate) fn rarely<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if cfg!(feature = "small") {
            return parse(self);
        }
        let (result, behind) = parse_apart(*self, parse);
        *self = behind;
        result
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

/// The same of one that is often absent.
#[cfg(not(feature = "small"))]
#[inline(always)]
fn behind_optional(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [0x01, behind @ ..] => Some(behind),
        _ => behind_short(bytes),
    }
}

/// What is behind an octet string or an integer with one byte of type and length.
#[cfg(not(feature = "small"))]
#[inline(always)]
fn behind_short(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.first()? {
        first @ (0x01..=0x0f | 0x52..=0x59 | 0x62..=0x69) => bytes.get(usize::from(first & 0x0f)..),
        _ => None,
    }
}

#[cold]
#[inline(never)]
fn parse_apart<'a, T>(
    mut reader: Reader<'a>,
    parse: impl FnOnce(&mut Reader<'a>) -> Result<T, Error>,
) -> (Result<T, Error>, Reader<'a>) {
    let result = parse(&mut reader);
    (result, reader)
}

/// The first eight of some bytes, with zeros behind fewer.
#[inline(never)]
fn padded(bytes: &[u8]) -> [u8; 8] {
    core::array::from_fn(|at| bytes.get(at).copied().unwrap_or_default())
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
