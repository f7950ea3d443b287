//! SML, the Smart Message Language of German electricity meters: bytes to messages and back.
//!
//! The crate reads in the order in which a telegram is taken apart:
//!
//! 1. [`transport`]: a [`Decoder`] finds frames in a stream of bytes, checks the CRC and takes the
//!    escapes out. A [`Frame`] holds the payload.
//! 2. [`file`](mod@file): a [`File`] walks over the [`Message`]s of a payload and checks the CRC of each.
//! 3. [`body`]: what a message says, one plain struct for each kind, with the fields in the order
//!    of the wire. [`list`] holds the one that meters send, [`GetListRes`].
//! 4. [`element`]: the type-length encoding below it all, and the [`Writer`] that goes the other way.
//!
//! A [`Message`] is checked once, as a whole; iterating over what is inside it cannot fail. One that
//! is broken or unknown is passed over by its structure, so that its neighbours survive.
//!
//! Nothing here allocates, panics or recurses over untrusted depth, and `unsafe` is forbidden.
//!
//! ```
//! use sml_wire::{Body, CrcKind, Decoder, Event, Frame, GetListRes, Integer, ListEntry, Message};
//! use sml_wire::{Obis, Unit, Value, Writer};
//!
//! // A telegram with one register, as a meter would send it.
//! let name = Obis::electricity(1, 8, 0).0;
//! let entries = [ListEntry {
//!     name: &name,
//!     status: None,
//!     time: None,
//!     unit: Some(Integer::unsigned(Unit::WATT_HOUR.0.into())),
//!     scaler: Some(Integer::signed(-1)),
//!     value: Value::Integer(Integer::unsigned(29_416_459)),
//!     signature: None,
//! }];
//! let list = GetListRes { entries: entries.as_slice().into(), ..GetListRes::of(b"my meter") };
//! let (mut file, mut telegram) = ([0; 256], [0; 256]);
//! let mut payload = Writer::new(&mut file);
//! Message::new(b"1", Body::GetListRes(list)).emit(&mut payload)?;
//! let mut wire = Writer::new(&mut telegram);
//! Frame::new(payload.written(), CrcKind::X25).emit(&mut wire)?;
//!
//! // The way back. `input` may come in any pieces.
//! let mut decoder = Decoder::new([0; 1024]);
//! let mut input = wire.written();
//! let mut seen = 0;
//! while let Some(event) = decoder.next(&mut input) {
//!     let Event::Frame(frame) = event else { continue };
//!     for message in frame.file().messages() {
//!         let Body::GetListRes(list) = message?.body else { continue };
//!         for entry in list.entries {
//!             assert_eq!(entry, entries[0]);
//!             seen += 1;
//!         }
//!     }
//! }
//! assert_eq!(seen, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! References: BSI TR-03109-1, Anlage IV "Feinspezifikation Drahtgebundene LMN-Schnittstelle",
//! Teil b "SML – Smart Message Language" (SML 1.04), chapters 6 (encoding), 7 (messages) and 8
//! (transport).
#![no_std]
#![cfg_attr(
    not(feature = "small"),
    expect(
        clippy::inline_always,
        reason = "calls for elements of a few bytes cost more than reading them: half of the time"
    )
)]

pub mod body;
mod crc;
pub mod element;
pub mod file;
mod integer;
pub mod list;
pub mod obis;
pub mod pretty;
mod time;
pub mod transport;
pub mod unit;
mod value;

pub use body::Body;
pub use crc::CrcKind;
pub use element::{Error, ErrorKind, Full, Nested, Reader, Sequence, Wire, Writer};
pub use file::{File, Message, MessageCrc};
pub use integer::Integer;
pub use list::{GetListRes, ListEntry};
pub use obis::Obis;
pub use time::{Minutes, Time};
pub use transport::{Cause, Counts, Decoder, Event, Frame, Skipped};
pub use unit::Unit;
pub use value::Value;
