//! What a meter's bytes mean: exact numbers, ids, and the rules of time that go with them.
//!
//! - [`decimal`]: exact decimal numbers.
//! - [`meter_id`]: server ids and the ids on nameplates.
//! - [`clock`], [`schedule`], [`retry`]: which time a reading gets, which readings are passed on,
//!   and when something is tried again.
//!
//! Nothing here allocates, panics, reads a clock or draws a random number: the time and the
//! randomness are arguments.
#![no_std]

pub mod clock;
pub mod decimal;
pub mod meter_id;
pub mod retry;
pub mod schedule;
pub mod time;

pub use clock::Clock;
pub use decimal::Decimal;
pub use meter_id::{MeterId, ServerId};
pub use retry::{Retry, RetryConfig};
pub use schedule::Interval;
pub use time::UnixMillis;
