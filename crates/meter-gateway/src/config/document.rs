//! A file in the language of the configuration that configures something else.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Fault;
use super::read::{Faults, place, read_table};

/// A TOML file that is read into a type of somebody else, with the same messages as the
/// configuration's own.
pub struct Document<'t> {
    file: &'t str,
    text: &'t str,
    table: DeTable<'t>,
    span: Range<usize>,
}

/// What becomes of a text in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// It stays.
    Kept,
    /// This stands there instead.
    Text(String),
    /// It stands under this key instead, with this text.
    Under(&'static str, String),
}

impl<'t> Document<'t> {
    /// Takes the text of a file, which is called `file` in what is said about it.
    pub fn parse(file: &'t str, text: &'t str) -> Result<Self, Faults> {
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let faults = errors.iter().map(Fault::syntax).collect();
            return Err(Faults::new(file, text, faults));
        }
        Ok(Self {
            file,
            text,
            span: document.span(),
            table: document.into_inner(),
        })
    }

    /// Replaces texts, such as the names of files by what is in them. `change` gets the keys from the
    /// top, without places in lists, and the text; what it refuses is told at its place.
    pub fn replace(
        &mut self,
        mut change: impl FnMut(&[&str], &str) -> Result<Given, String>,
    ) -> Result<(), Faults> {
        let mut faults = Vec::new();
        walk(&mut self.table, &[], &mut change, &mut faults);
        if faults.is_empty() {
            return Ok(());
        }
        Err(Faults::new(self.file, self.text, faults))
    }

    /// Reads it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Faults> {
        read_table(self.file, self.text, self.table.clone(), self.span.clone())
    }

    /// Says that the value at `path` fits its type and is wrong all the same.
    #[must_use]
    pub fn refuse(&self, path: &[&str], message: String) -> Faults {
        let fault = Fault::refused(path, place(self.text, path), message);
        Faults::new(self.file, self.text, vec![fault])
    }
}

type Change<'c> = dyn FnMut(&[&str], &str) -> Result<Given, String> + 'c;

fn walk(table: &mut DeTable<'_>, above: &[&str], change: &mut Change<'_>, faults: &mut Vec<Fault>) {
    let mut moved = Vec::new();
    for (key, value) in table.iter_mut() {
        let mut path = above.to_vec();
        path.push(key.get_ref());
        let span = value.span();
        let under = match value.get_mut() {
            DeValue::Table(inner) => {
                walk(inner, &path, change, faults);
                None
            }
            DeValue::Array(items) => {
                for item in items.iter_mut() {
                    if let DeValue::Table(inner) = item.get_mut() {
                        walk(inner, &path, change, faults);
                    }
                }
                None
            }
            DeValue::String(text) => match change(&path, text) {
                Ok(Given::Kept) => None,
                Ok(Given::Text(new)) => {
                    *text = Cow::Owned(new);
                    None
                }
                Ok(Given::Under(name, new)) => Some((name, new)),
                Err(message) => {
                    faults.push(Fault::refused(&path, Some(span.clone()), message));
                    None
                }
            },
            _ => None,
        };
        if let Some((name, new)) = under {
            let place = Spanned::new(key.span(), Cow::Borrowed(name));
            let value = Spanned::new(span, DeValue::String(Cow::Owned(new)));
            moved.push((key.get_ref().to_string(), place, value));
        }
    }
    for (old, key, value) in moved {
        table.remove(old.as_str());
        table.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct File {
        list: Vec<Item>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Item {
        name: String,
        bytes: String,
    }

    const TEXT: &str = "[[list]]\nname = \"a\"\nbytes_file = \"x\"\n";

    fn change(path: &[&str], text: &str) -> Result<Given, String> {
        match path {
            ["list", "name"] => Ok(Given::Text(text.to_uppercase())),
            ["list", "bytes_file"] if text == "x" => {
                Ok(Given::Under("bytes", "content".to_owned()))
            }
            ["list", "bytes_file"] => Err(format!("there is no {text}")),
            _ => Ok(Given::Kept),
        }
    }

    #[test]
    fn texts_are_replaced_and_moved() {
        let mut document = Document::parse("a.toml", TEXT).unwrap();
        document.replace(change).unwrap();
        let file: File = document.read().unwrap();
        let item = Item {
            name: "A".to_owned(),
            bytes: "content".to_owned(),
        };
        assert_eq!(file, File { list: vec![item] });
    }

    #[test]
    fn what_is_refused_is_told_at_its_place() {
        let text = TEXT.replace("\"x\"", "\"y\"");
        let mut document = Document::parse("a.toml", &text).unwrap();
        let faults = document.replace(change).unwrap_err().to_string();
        assert!(
            faults.starts_with("a.toml:3:14: there is no y\n"),
            "{faults}"
        );
        let faults = document.refuse(&["list"], "too many".to_owned());
        assert!(faults.summary().starts_with("a.toml:1:"), "{faults}");
    }
}
