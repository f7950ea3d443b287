//! The console: what is taken out of its stream, and what is answered.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod stream;
