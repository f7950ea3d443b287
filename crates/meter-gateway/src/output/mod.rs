//! Where readings go.
//!
//! Each output has a name, a cursor in the journal, and a [`Status`] that the
//! terminal and the service manager show. A new one is a file here, a variant
//! of [`Config`], an arm in its matches, and a test against a real server.

pub mod rest;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One output's settings, chosen by the key `type`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(tag = "type")]
pub enum Config {
    /// To an HTTP API.
    Rest(rest::Config),
}
