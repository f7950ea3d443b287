//! The whole application in a simulated world, under a clock that is turned by hand: hours take
//! milliseconds, and whatever can go wrong does.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[expect(dead_code, reason = "the tests of the outbox alone use the rest of it")]
#[path = "../outbox/flash.rs"]
mod flash;

mod delivery;
mod device;
mod house;
mod server;
mod time;
mod world;
