//! Readings to volkszaehler's middleware, or to a server for the push data of vzlogger.
//!
//! A channel holds the values of one register of one meter, so the middleware gets a POST for each
//! channel. Readings are delivered when all channels have taken their values. Those that have had
//! some before leave them out (`skipduplicates`). What answers lead to is said in
//! [`post`](super::post).

mod answer;
mod config;
mod probe;
mod sender;
mod values;

pub use config::{Config, ConfigError, Format};
pub use probe::{ProbeError, probe};
pub(super) use sender::Volkszaehler;

/// What of a reading's shape is not for it.
pub(super) const FIXED: super::shape::Fixed = super::shape::Fixed {
    keys: &["registers", "rename"],
    why: "each of channels says which register it is for: remove it",
};
