//! The output `rest` against real servers: the simulated one with all its
//! faults, and nginx.

mod answers;
mod delivery;
mod nginx;
pub mod setup;
mod suite;
mod tls;
