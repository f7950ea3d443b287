//! The configuration: one TOML file, and the value types that its tables share.
//!
//! Every part of the program keeps its own `Config` beside its code; this module holds what several
//! of them need, and reads the file.
//!
//! # For those who write a part's `Config`
//!
//! Derive `Deserialize`, `JsonSchema`, `Debug`, `Clone` and `PartialEq` (a reload restarts only what
//! differs), with `#[serde(deny_unknown_fields)]`, and `#[serde(default)]` where every key has a
//! default. Doc comments become the comments of `meterline config example` and the descriptions of
//! the JSON Schema. An enum that is chosen by a `type` key has one newtype variant per kind and is
//! written `#[derive(Deserialize, JsonSchema)] #[serde(rename_all = "lowercase")]
//! #[schemars(tag = "type")]`: without `#[serde(tag = "type")]`, because serde then loses the
//! positions in the file, and our own deserializer reads `type` by itself. No `#[serde(flatten)]`
//! either, for the same reason.

mod duration;
mod interval;
mod secret;
mod size;

pub use duration::{BadDuration, Duration};
pub use interval::Interval;
pub use secret::{BadSecret, Secret};
pub use size::{BadSize, Size};
