//! Every output as a person meets it: the examples of the README and the demo, with real servers.

#[path = "../program/mod.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod program;

mod demo;
mod readme;
mod servers;
