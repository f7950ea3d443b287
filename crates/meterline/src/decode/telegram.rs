//! One list of values that was found, and where.

use meter_core::Reading;
use sml_wire::{Body, CrcKind, Frame, Message, MessageCrc, Skipped, file};

/// Where a list of values was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telegram {
    /// Number of the frame, from 1.
    pub number: u64,
    /// Where its frame begins, in bytes that the meter sent.
    pub offset: u64,
    /// How long the frame is.
    pub length: u64,
    /// The kind of checksum that was right.
    pub crc: CrcKind,
    /// The frame is broken; only the message's own checksum is right.
    pub salvaged: bool,
}

/// A message that cannot be believed or read, with the reason.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken(pub String);

/// What one message of a frame turned out to be.
pub type Found<'a> = Result<(Telegram, Reading<'a>), Broken>;

/// The lists of values in a good frame, and what is wrong with any of its messages.
pub fn of_frame<'a>(number: u64, frame: &Frame<'a>) -> impl Iterator<Item = Found<'a>> {
    let (offset, length, crc) = (frame.offset, frame.length as u64, frame.crc);
    let telegram = Telegram {
        number,
        offset,
        length,
        crc,
        salvaged: false,
    };
    frame
        .file()
        .messages()
        .filter_map(move |message| match message {
            Err(error) => Some(Err(Broken(format!("a message is broken: {error}")))),
            Ok(message) => found(telegram, &message),
        })
}

/// The lists of values that survive in a broken frame.
pub fn of_skipped<'a>(number: u64, skipped: &Skipped<'a>) -> impl Iterator<Item = Found<'a>> {
    let (offset, length) = (skipped.offset, skipped.length);
    file::salvage(skipped.bytes).filter_map(move |message| {
        let MessageCrc::Right(crc) = message.crc else {
            return None;
        };
        found(
            Telegram {
                number,
                offset,
                length,
                crc,
                salvaged: true,
            },
            &message,
        )
    })
}

fn found<'a>(telegram: Telegram, message: &Message<'a>) -> Option<Found<'a>> {
    if !message.intact() {
        let name = message.body.name();
        let text = format!("{name}: the CRC of the message is wrong, its frame's is right");
        return Some(Err(Broken(text)));
    }
    match message.body {
        Body::GetListRes(list) => Some(Ok((telegram, Reading::new(list)))),
        _ => None,
    }
}
