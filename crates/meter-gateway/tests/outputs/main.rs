//! Every output against its real server, or one that answers as it does.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod files;
mod gate;
mod influx;
mod mqtt;
mod postgres;
mod rest;
mod shape;
mod stage;
mod suite;
mod volkszaehler;
