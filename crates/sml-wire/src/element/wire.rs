//! What can stand on the wire, and the plainest of it.

use super::{Error, ErrorKind, Full, Header, Kind, Reader, Writer};

/// Something that has a form on the wire. What `parse` accepts, `emit` writes.
pub trait Wire<'a>: Sized {
    /// Reads one element.
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Error>;
    /// Passes over `count` elements of a [`Sequence`](crate::Sequence) and checks as much of them as
    /// [`Wire::parse_checked`] relies on.
    fn check(reader: &mut Reader<'a>, count: usize) -> Result<(), Error> {
        (0..count).try_for_each(|_| Self::parse(reader).map(drop))
    }
    /// Reads an element that [`Wire::check`] has passed over; `None` behind the last one.
    fn parse_checked(reader: &mut Reader<'a>) -> Option<Self> {
        Self::parse(reader).ok()
    }
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
        reader.rarely(|reader| {
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
        })
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

/// Declares a struct whose fields are the elements of a list, in the order of the wire, and with it
/// how it is read, written and shown.
macro_rules! wire_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident<'a> {
            $( $(#[$field_meta:meta])* pub $field:ident: $type:ty = $label:literal, )+
        }
        $( { $($extra:tt)* } )?
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

            $( $($extra)* )?

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
