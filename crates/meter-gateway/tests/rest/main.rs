//! The output `rest` against real servers: the simulated one with all its
//! faults, and nginx.

mod answers;
#[allow(dead_code, reason = "the tests of other outputs need more of it")]
#[path = "../delivering/mod.rs"]
mod delivering;
mod delivery;
mod nginx;
mod setup;
mod tls;
