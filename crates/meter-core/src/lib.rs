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
#![no_std]

pub mod clock;
pub mod decimal;
pub mod guard;
pub mod meter_id;
pub mod names;
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
pub use payload::Stamped;
pub use quirks::{ReducedDetector, Rule};
pub use reading::{Reading, Register, Value};
pub use retry::{Retry, RetryConfig};
pub use schedule::Interval;
pub use sml_wire::{Obis, Unit};
pub use status::{Direction, StatusWord};
pub use time::UnixMillis;
