//! A configuration of ours while it is put together.

use std::fmt::Write as _;

use toml::Value;

/// One table of the file.
#[derive(Debug, PartialEq)]
pub(super) struct Section {
    /// What stands between the brackets: `input.meter1`.
    pub(super) name: String,
    /// Lines above it, for people.
    remarks: Vec<String>,
    keys: Vec<(&'static str, Value)>,
}

impl Section {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            remarks: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// Adds a key.
    pub(super) fn key(&mut self, key: &'static str, value: impl Into<Value>) -> &mut Self {
        self.keys.push((key, value.into()));
        self
    }

    /// Adds a key if there is something to stand for it.
    pub(super) fn maybe(
        &mut self,
        key: &'static str,
        value: Option<impl Into<Value>>,
    ) -> &mut Self {
        if let Some(value) = value {
            self.key(key, value);
        }
        self
    }

    /// Adds a line above it.
    pub(super) fn remark(&mut self, remark: impl Into<String>) -> &mut Self {
        self.remarks.push(remark.into());
        self
    }

    /// Whether it says the same under another name.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.keys == other.keys
    }
}

/// The file.
pub(super) fn write(head: &str, sections: &[Section]) -> String {
    let mut text = String::new();
    for line in head.lines() {
        let _ = writeln!(text, "# {line}");
    }
    for section in sections {
        text.push('\n');
        for remark in &section.remarks {
            let _ = writeln!(text, "# {remark}");
        }
        let _ = writeln!(text, "[{}]", section.name);
        for (key, value) in &section.keys {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    text
}
