//! What a meter's bytes mean, from the message to the payload.
//!
//! - [`Reading`]: one meter's registers at one time, a view of the bytes of its own `GetList.Res`
//!   with the [`quirks`] of meters corrected. It holds [`Register`]s, whose numbers are exact
//!   [`Decimal`]s; [`names`] says what they are called, [`meter_id`] whose they are, and [`status`]
//!   what the bits beside them say.
//! - [`payload`]: readings as text for backends.
//! - [`Guard`]: which readings are plausible.
//! - [`Clock`], [`Interval`], [`Retry`]: which time a reading gets, which readings are passed on, and
//!   when something is tried again.
//!
//! Nothing here allocates, panics, reads a clock or draws a random number: the time and the
//! randomness are arguments.
//!
//! ```
//! use meter_core::{Reading, Stamped, UnixMillis, payload};
//! use sml_wire::{GetListRes, Integer, ListEntry, Value};
//!
//! // What a DZG meter sends while 356.24 W are drawn. On a line, sml-wire takes it out of a frame.
//! let entry = ListEntry {
//!     name: &[1, 0, 1, 8, 0, 255],
//!     status: Some(Integer::unsigned(0x1c0104)),
//!     time: None,
//!     unit: Some(Integer::unsigned(30)),
//!     scaler: Some(Integer::signed(-1)),
//!     value: Value::Integer(Integer::unsigned(54_301_577)),
//!     signature: None,
//! };
//! let power = ListEntry {
//!     name: &[1, 0, 16, 7, 0, 255],
//!     status: None,
//!     unit: Some(Integer::unsigned(27)),
//!     scaler: Some(Integer::signed(-2)),
//!     value: Value::Integer(Integer::signed(-29_912)),
//!     ..entry
//! };
//! let entries = [entry, power];
//! let reading = Reading::new(GetListRes {
//!     client_id: None,
//!     server_id: &[0x0a, 0x01, b'D', b'Z', b'G', 0x00, 0x02, 0x82, 0x22, 0x5e],
//!     list_name: None,
//!     sensor_time: None,
//!     entries: entries[..].into(),
//!     signature: None,
//!     gateway_time: None,
//! });
//! assert_eq!(reading.meter_id().to_string(), "1 DZG00 4208 2910");
//!
//! let mut body = String::new();
//! let stamped = Stamped { time: UnixMillis(1_732_290_000_000), reading };
//! payload::thingsboard(&[stamped], &mut body)?;
//! assert_eq!(
//!     body,
//!     r#"{"ts":1732290000000,"values":{"devid":"1DZG00 42082910","1.8.0_Wh":5430157.7,"16.7.0_W":356.24}}"#
//! );
//! # Ok::<(), core::fmt::Error>(())
//! ```
#![no_std]

pub mod clock;
pub mod decimal;
pub mod guard;
pub mod meter_id;
pub mod names;
pub mod pattern;
pub mod payload;
pub mod quirks;
pub mod reading;
pub mod retry;
pub mod schedule;
pub mod status;
pub mod time;

pub use clock::Clock;
pub use decimal::Decimal;
pub use guard::{Guard, GuardConfig};
pub use meter_id::{MeterId, ServerId};
pub use pattern::Pattern;
pub use payload::{Shown, Stamped};
pub use quirks::{ReducedDetector, Rule};
pub use reading::{Reading, Register, Value};
pub use retry::{Retry, RetryConfig};
pub use schedule::Interval;
pub use sml_wire::{Obis, Unit};
pub use status::{Direction, StatusWord};
pub use time::UnixMillis;
