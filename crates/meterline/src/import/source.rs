//! A configuration in JSON, out of which one thing after the other is taken.

use serde_json::{Map, Value};

/// What a person has to know, in the order in which it was found.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    /// `place` is where it stands in the old configuration.
    pub(super) fn add(&mut self, place: &str, what: &str) {
        let line = format!("{place}: {what}");
        if !self.0.contains(&line) {
            self.0.push(line);
        }
    }

    pub(super) fn lines(&self) -> &[String] {
        &self.0
    }
}

/// A table, and what of it was not yet taken.
#[derive(Debug)]
pub(super) struct Table {
    path: String,
    left: Map<String, Value>,
}

impl Table {
    /// The table that a whole file is.
    pub(super) fn root(left: Map<String, Value>) -> Self {
        Self {
            path: String::new(),
            left,
        }
    }

    /// Where it stands: `meters[0]`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Where a key of it stands.
    pub(super) fn place(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.left.remove(key)? {
            Value::String(text) if !text.is_empty() => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A truth.
    pub(super) fn truth(&mut self, key: &str) -> Option<bool> {
        self.left.remove(key)?.as_bool()
    }

    /// A whole number; some write it as a text.
    pub(super) fn number(&mut self, key: &str) -> Option<i64> {
        match self.left.remove(key)? {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_i64(),
        }
    }

    /// A table in it.
    pub(super) fn table(&mut self, key: &str) -> Option<Self> {
        let path = self.place(key);
        match self.left.remove(key)? {
            Value::Object(left) => Some(Self { path, left }),
            _ => None,
        }
    }

    /// The tables of a list; one that stands alone is a list of one.
    pub(super) fn tables(&mut self, key: &str) -> Vec<Self> {
        let items = match self.left.remove(key) {
            Some(Value::Array(items)) => items,
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Vec::new(),
        };
        let tables = items.into_iter().enumerate();
        tables
            .filter_map(|(index, item)| match item {
                Value::Object(left) => {
                    let path = format!("{}[{index}]", self.place(key));
                    Some(Self { path, left })
                }
                _ => None,
            })
            .collect()
    }

    /// Takes keys that mean nothing here: they say what is so anyway, or what does not matter.
    pub(super) fn drop(&mut self, keys: &[&str]) {
        for key in keys {
            self.left.remove(*key);
        }
    }

    /// Takes a key that cannot be carried over, and says why, unless it has one of the values that
    /// change nothing.
    pub(super) fn refuse(&mut self, key: &str, harmless: &[Value], why: &str, notes: &mut Notes) {
        let place = self.place(key);
        match self.left.remove(key) {
            Some(value) if !value.is_null() && !harmless.contains(&value) => notes.add(&place, why),
            _ => {}
        }
    }

    /// Says what is left over.
    pub(super) fn finish(self, notes: &mut Notes) {
        for key in self.left.keys() {
            notes.add(&self.place(key), "meterline has nothing like it; left out");
        }
    }
}
