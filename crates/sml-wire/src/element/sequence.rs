//! Elements that are checked when the message is read, and read when they are asked for.

use super::{Error, Full, Reader, Wire, Writer};
use core::{fmt, marker::PhantomData};

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
    #[inline]
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let count = reader.any_list()?;
        let start = reader.rest();
        reader.deeper(|reader| T::check(reader, count))?;
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
            Walk::Wire(reader) => T::parse_checked(reader),
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
