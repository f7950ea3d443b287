//! What other programs read: a real server on a port of its own, behind the whole program.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
#[expect(dead_code, reason = "the tests of the run loop need more of it")]
#[path = "../run_loop/bench.rs"]
mod bench;
mod bounds;
mod client;
mod documents;
mod emulations;
mod metrics;
mod reload;
