//! Simulated electricity meters.
//!
//! | module | what it does |
//! |---|---|
//! | [`model`] | meters as data: what each model sends, to the last byte; how to add one |
//! | [`household`] | who lives behind the meter: a load curve, with a roof that feeds in |
//! | [`energy`] | counters that add up exactly |
//! | [`Meter`] | a model in front of a household, in virtual time: an iterator of [`Telegram`]s |
//! | [`backend`] | a REST server that fails on demand, with certificates of its own |
//! | [`Line`] | noise, lost, doubled and flipped bytes, cuts, silence |
//! | [`serve`] | a meter that a reader can reach: pseudo terminal, TCP, Tibber Pulse bridge, file |
//!
//! Everything is reproduced by its seed, to the byte. Each [`Telegram`] carries the truth about
//! itself: what a correct reader must make of it, after correcting what the meter encodes wrongly.

pub mod backend;
pub mod dice;
mod encode;
pub mod energy;
pub mod household;
mod line;
mod meter;
pub mod model;
pub mod serve;
mod telegram;

pub use line::{Faults, Line, Passed};
pub use meter::{Meter, MeterConfig};
pub use model::{Model, ModelError};
pub use telegram::{Telegram, TrueRegister, TrueValue};
