//! The firmware's application, without a board: the board brings drivers, the clock and the network.
//!
//! - [`board`]: what the application asks of a board.
//! - [`app`]: starts all of it.
//! - [`url`], [`format`](mod@format), [`verdict`]: where readings go, what they look like, and what comes of it.
//! - [`rest`], [`mqtt`]: send readings.
//! - [`console`], [`improv`]: what is said over USB, by people, programs and browsers.
//! - [`outbox`]: readings that wait for delivery, in RAM and in flash.
//! - [`settings`]: what a person sets, checked before it is used.
//! - [`log`], [`ring`]: what happened, for who looks and for who comes later.
//!
//! Nothing here panics or knows a chip, so all of it runs in tests on the host. Buffers are taken from
//! the heap once, at the start; after that only the newest reading, an answer on the console and what
//! [`mqtt`] receives are allocated, each of them bounded.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod app;
pub mod board;
mod checksum;
mod clock;
pub mod console;
mod context;
mod deliver;
pub mod format;
pub mod improv;
mod keep;
pub mod log;
mod meter;
pub mod mqtt;
mod network;
pub mod outbox;
pub mod rest;
pub mod ring;
mod screen;
pub mod settings;
mod stream;
pub mod url;
pub mod verdict;
mod witnesses;

/// The longest telegram that is taken: the longest that is known has less than 700 bytes, and some
/// meters are said to send a kilobyte.
const LONGEST_TELEGRAM: usize = 2048;

/// The longest reading that is taken: what a telegram carries.
const LONGEST_BODY: usize = 1280;
