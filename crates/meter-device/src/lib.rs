//! The firmware's application, without a board: the board brings drivers, the clock and the network.
//!
//! - [`board`]: what the application asks of a board.
//! - [`url`], [`format`](mod@format), [`verdict`]: where readings go, what they look like, and what comes of it.
//! - [`rest`], [`mqtt`]: send readings.
//! - [`console`], [`improv`]: what is said over USB, by people, programs and browsers.
//! - [`outbox`]: readings that wait for delivery, in RAM and in flash.
//! - [`settings`]: what a person sets, checked before it is used.
//!
//! Nothing here panics or knows a chip, so all of it runs in tests on the host. Nothing allocates but
//! [`mqtt`], in pieces that are bounded.
#![no_std]

pub mod board;
pub mod console;
pub mod format;
pub mod improv;
pub mod mqtt;
pub mod outbox;
pub mod rest;
pub mod settings;
mod stream;
pub mod url;
pub mod verdict;
