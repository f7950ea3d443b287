//! The payload of a frame: messages, their entries, and what a person is shown of them.
#![no_main]

#[path = "../properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::file(bytes));
