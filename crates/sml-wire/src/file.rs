//! A file: the messages of one telegram.

use crate::Integer;
use crate::body::Body;
use crate::crc::CrcKind;
use crate::element::{Error, ErrorKind, Full, Reader, Wire, Writer};

/// The payload of a frame: messages, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    payload: &'a [u8],
    crc: CrcKind,
}

impl<'a> File<'a> {
    /// The file in `payload`, whose messages carry the same kind of checksum as their frame.
    #[must_use]
    pub fn new(payload: &'a [u8], crc: CrcKind) -> Self {
        Self { payload, crc }
    }

    /// The messages in their order. One that is broken is an error and does not end the walk,
    /// unless it is impossible to tell where the next one begins.
    #[must_use]
    pub fn messages(&self) -> Messages<'a> {
        Messages {
            reader: Reader::new(self.payload),
            crc: self.crc,
        }
    }
}

/// Whether a message's own checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageCrc {
    /// It is right.
    Right(CrcKind),
    /// It is wrong: some byte of the message is not what the meter sent.
    Wrong,
}

/// `SML_Message` (SML 1.04, 6.1).
///
/// | element | content |
/// |---|---|
/// | `76` | list of six |
/// | octet string | transaction id |
/// | unsigned | group number |
/// | unsigned | what to do on an error |
/// | `72`, unsigned, any | tag and body |
/// | unsigned | CRC over everything before this element |
/// | `00` | end of the message |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message<'a> {
    /// Where it begins in the payload.
    pub offset: usize,
    /// Pairs an answer with its question.
    pub transaction_id: &'a [u8],
    /// Messages of one group may be handled side by side.
    pub group: Integer,
    /// What the receiver is to do with the rest when an error occurs: 0 go on.
    pub abort_on_error: Integer,
    /// How many bytes the tag takes, 1 to 4; most meters send two.
    pub tag_width: u8,
    /// What it says.
    pub body: Body<'a>,
    /// Whether its checksum is right.
    pub crc: MessageCrc,
    /// How many bytes the checksum takes: 1 where the meter leaves out a leading zero.
    pub crc_width: u8,
    /// Whether the byte is there that ends a message.
    pub ended: bool,
}

impl<'a> Message<'a> {
    /// A message that is to be written, in the way of most meters: two bytes for tag and checksum.
    #[must_use]
    pub fn new(transaction_id: &'a [u8], body: Body<'a>) -> Self {
        Self {
            offset: 0,
            transaction_id,
            group: Integer::unsigned(0),
            abort_on_error: Integer::unsigned(0),
            tag_width: 2,
            body,
            crc: MessageCrc::Right(CrcKind::X25),
            crc_width: 2,
            ended: true,
        }
    }

    /// Whether the checksum is right.
    #[must_use]
    pub fn intact(&self) -> bool {
        matches!(self.crc, MessageCrc::Right(_))
    }

    /// Appends the message with the right checksum: of its own kind if it had one, else X.25. With
    /// a `crc_width` of 1 a leading zero is left out, where there is one.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let start = writer.written().len();
        writer.list(6)?;
        self.transaction_id.emit(writer)?;
        self.group.emit(writer)?;
        self.abort_on_error.emit(writer)?;
        writer.list(2)?;
        Integer::unsigned(self.body.tag())
            .with_width(self.tag_width)
            .emit(writer)?;
        self.body.emit(writer)?;
        let kind = match self.crc {
            MessageCrc::Right(kind) => kind,
            MessageCrc::Wrong => CrcKind::X25,
        };
        let crc = kind.checksum(writer.written().get(start..).unwrap_or_default());
        Integer::unsigned(u16::from_be_bytes(crc).into())
            .with_width(self.crc_width)
            .emit(writer)?;
        if self.ended {
            writer.byte(0x00)
        } else {
            Ok(())
        }
    }

    /// Reads a message up to and with its checksum. `kinds` are the checksums to try.
    #[cfg_attr(not(feature = "small"), inline(always))]
    fn parse(reader: &mut Reader<'a>, kinds: &[CrcKind]) -> Result<Self, Error> {
        let offset = reader.offset();
        let start = reader.rest();
        reader.list(6)?;
        let transaction_id = Wire::parse(reader)?;
        let group = Integer::parse(reader)?;
        let abort_on_error = Integer::parse(reader)?;
        reader.list(2)?;
        let at = reader.offset();
        let tag = Integer::parse(reader)?;
        let body = match tag.as_u64() {
            Some(number) if tag.width() <= 4 => Body::parse(number, reader)?,
            _ => return Err(ErrorKind::Choice.at(at)),
        };
        let covered = start
            .get(..start.len() - reader.rest().len())
            .unwrap_or_default();
        let at = reader.offset();
        let stated = Integer::parse(reader)?;
        if stated.width() > 2 {
            return Err(ErrorKind::Width.at(at));
        }
        let crc = kinds
            .iter()
            .find(|kind| stated.as_u64() == Some(u16::from_be_bytes(kind.checksum(covered)).into()))
            .map_or(MessageCrc::Wrong, |kind| MessageCrc::Right(*kind));
        let ended = reader.peek() == Some(0x00);
        if ended {
            reader.pass(1);
        }
        Ok(Self {
            offset,
            transaction_id,
            group,
            abort_on_error,
            tag_width: tag.width(),
            body,
            crc,
            crc_width: stated.width(),
            ended,
        })
    }
}

/// The messages of a [`File`], in their order.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    reader: Reader<'a>,
    crc: CrcKind,
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // A copy, as nothing else refers to it, stays in the registers of the processor.
        let mut reader = self.reader;
        // Some meters pad between messages with zeros.
        while reader.peek()? == 0x00 {
            reader.pass(1);
        }
        let start = reader;
        let message = Message::parse(&mut reader, &[self.crc]);
        self.reader = reader;
        if message.is_err() {
            self.reader = start;
            if self.reader.skip().is_err() {
                self.reader = Reader::at(&[], start.offset());
            }
        }
        Some(message)
    }
}

/// The messages with a right checksum in the bytes of a frame that is broken, such as one that was
/// cut: [`Skipped::bytes`](crate::Skipped::bytes). Two checksums guard a message in a whole frame;
/// here it is one, so one in 32 768 broken ones passes. Do not mix what this finds with the rest.
pub fn salvage(bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut reader = Reader::new(bytes);
    core::iter::from_fn(move || {
        while let Some(skip) = memchr::memchr(0x76, reader.rest()) {
            let rest = reader.rest().get(skip..)?;
            reader = Reader::at(rest, reader.offset() + skip);
            let start = reader;
            match Message::parse(&mut reader, &[CrcKind::X25, CrcKind::Kermit]) {
                Ok(message) if message.intact() => return Some(message),
                _ => {
                    reader = start;
                    reader.pass(1);
                }
            }
        }
        None
    })
}
