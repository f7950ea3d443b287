//! The whole application in a simulated world, under a clock that is turned by hand: hours take
//! milliseconds, and whatever can go wrong does.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../outbox/flash.rs"]
mod flash;

mod delivery;
mod device;
mod server;
mod world;
