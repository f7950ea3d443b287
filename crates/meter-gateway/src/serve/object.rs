//! JSON objects with exact numbers in a fixed order, as the devices write them.

use std::fmt::{Display, Write as _};

use meter_core::payload::JsonString;

/// An object that grows.
#[derive(Debug)]
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    /// A value that is JSON already: a number, or something nested.
    pub(super) fn raw(mut self, key: &str, value: impl Display) -> Self {
        let comma = if self.0.len() > 1 { "," } else { "" };
        let _ = write!(self.0, "{comma}\"{key}\":{value}");
        self
    }

    pub(super) fn text(self, key: &str, value: impl Display) -> Self {
        self.raw(key, JsonString(value))
    }

    /// A value, or `null`.
    pub(super) fn or_null(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.raw(key, value),
            None => self.raw(key, "null"),
        }
    }

    /// A value, or nothing at all.
    pub(super) fn if_there(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.raw(key, value),
            None => self,
        }
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
