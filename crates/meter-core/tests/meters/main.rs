//! What meters send and what comes of it, through the public interface.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, in the functions that tests share too"
)]

mod guard;
mod homeassistant;
mod made;
mod payload;
mod reading;
mod schema;
