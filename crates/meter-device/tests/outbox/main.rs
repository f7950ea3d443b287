//! The outbox on a simulated flash chip, under all that can happen to it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod delivery;
mod device;
mod flash;
mod power;
mod random;
mod room;
mod wear;
