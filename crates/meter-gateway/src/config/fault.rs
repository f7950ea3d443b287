//! What can be wrong in a configuration file, and how it is told.

use std::fmt::{self, Write as _};
use std::ops::Range;

use serde::de::{self, Expected, Unexpected};

use super::value::REST;

/// One thing that is wrong, with its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: Box<Kind>,
    /// Bytes of the file to point at.
    pub(super) span: Option<Range<usize>>,
    /// The keys from the top of the file to what is wrong, outermost last while it is built.
    path: Vec<String>,
    /// The key itself is wrong, not what it stands for.
    key: Option<String>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    UnknownKey {
        key: String,
        allowed: Vec<&'static str>,
    },
    UnknownValue {
        value: String,
        allowed: Vec<&'static str>,
    },
    Missing {
        key: &'static str,
        allowed: Vec<&'static str>,
    },
    WrongType {
        expected: String,
        found: &'static str,
    },
    Syntax(String),
    Refused(String),
}

impl Fault {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind: Box::new(kind),
            span: None,
            path: Vec::new(),
            key: None,
        }
    }

    pub(super) fn syntax(error: &toml::de::Error) -> Self {
        Self {
            span: error.span(),
            ..Self::new(Kind::Syntax(error.message().to_owned()))
        }
    }

    /// A value that its part of the program refuses after it was read.
    pub(super) fn refused(path: &[&str], span: Option<Range<usize>>, message: String) -> Self {
        let path = path.iter().rev().map(|&key| key.to_owned()).collect();
        Self {
            span,
            path,
            ..Self::new(Kind::Refused(message))
        }
    }

    /// Sets the place, unless one nearer to the cause is known.
    pub(super) fn at(mut self, span: &Range<usize>) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }

    /// Says that the key itself is at fault.
    pub(super) fn at_key(mut self, key: &str) -> Self {
        self.key.get_or_insert_with(|| key.to_owned());
        self
    }

    /// Says that these keys are allowed in the same table.
    pub(super) fn beside(mut self, keys: &[&'static str]) -> Self {
        if self.path.is_empty()
            && let Kind::UnknownKey { allowed, .. } = &mut *self.kind
        {
            allowed.retain(|key| *key != REST);
            allowed.splice(..0, keys.iter().copied());
        }
        self
    }

    /// Says that it was found below `key`.
    pub(super) fn within(mut self, key: String) -> Self {
        self.path.push(key);
        self
    }

    /// The keys to the entry that has to go before the rest of the file can be judged.
    pub(super) fn entry(&self) -> Vec<&str> {
        self.path
            .iter()
            .rev()
            .map(String::as_str)
            .chain(self.key.as_deref())
            .collect()
    }

    /// Whether `other`, which was found without the entry of this one, may be but a consequence of that:
    /// something was said in their table, and could not be read. A key that is unknown says nothing.
    pub(super) fn casts_doubt_on(&self, other: &Self) -> bool {
        let entry = self.entry();
        let said = !matches!(*self.kind, Kind::UnknownKey { .. } | Kind::Missing { .. });
        match entry.split_last() {
            Some((_, table)) if said && !table.is_empty() => other.entry().starts_with(table),
            _ => false,
        }
    }

    fn message(&self) -> String {
        match &*self.kind {
            Kind::UnknownKey { key, allowed } => {
                let hint = hint(key, allowed, "allowed here");
                format!("unknown key `{key}`{}{hint}", self.place())
            }
            Kind::UnknownValue { value, allowed } => {
                format!(
                    "`{value}` is not allowed here{}",
                    hint(value, allowed, "allowed")
                )
            }
            Kind::Missing { key, allowed } => {
                let hint = if allowed.is_empty() {
                    String::new()
                } else {
                    format!(" (one of {})", list(allowed))
                };
                format!("the key `{key}` is missing{}{hint}", self.place())
            }
            Kind::WrongType { expected, found } => {
                format!("{expected} belongs here, but this is {}", article(found))
            }
            Kind::Syntax(message) | Kind::Refused(message) => message.clone(),
        }
    }

    /// ` in [input.house]`, or nothing at the top of the file.
    fn place(&self) -> String {
        if self.path.is_empty() {
            return String::new();
        }
        let path: Vec<_> = self.path.iter().rev().map(String::as_str).collect();
        format!(" in [{}]", path.join("."))
    }

    /// Whether the text of the line may be shown as it stands.
    ///
    /// A misspelt key may be a misspelt password, and a broken line may hold one, so that values
    /// are only shown where they cannot.
    fn may_show_values(&self, line: &str) -> bool {
        const SECRET: [&str; 9] = [
            "auth", "cookie", "cred", "header", "key", "pass", "secret", "token", "url",
        ];
        let shown = match *self.kind {
            Kind::UnknownValue { .. } | Kind::WrongType { .. } | Kind::Refused(_) => true,
            Kind::Missing { .. } | Kind::UnknownKey { .. } | Kind::Syntax(_) => false,
        };
        let keys = self.entry().join(".").to_lowercase();
        let written = line.split('=').next().unwrap_or_default().to_lowercase();
        shown
            && !line.contains("://")
            && !SECRET
                .iter()
                .any(|word| keys.contains(word) || written.contains(word))
    }

    /// Writes it as `file:line:column: message`, with the line and a caret below.
    pub(super) fn render(&self, file: &str, text: &str) -> String {
        let mut out = String::new();
        let Some(span) = &self.span else {
            return format!("{file}: {}", self.message());
        };
        let position = Position::of(text, span);
        let shown = if self.may_show_values(position.line) {
            position.line.to_owned()
        } else {
            masked(position.line)
        };
        let gutter = " ".repeat(position.number.to_string().len());
        let length = shown.chars().count();
        let before = position.column.saturating_sub(1).min(length);
        let carets = position.width.clamp(1, (length - before).max(1));
        let _ = write!(
            out,
            "{file}:{}:{}: {}\n{gutter} |\n{} | {shown}\n{gutter} | {}{}",
            position.number,
            position.column,
            self.message(),
            position.number,
            " ".repeat(before),
            "^".repeat(carets),
        );
        out
    }
}

/// A place in the file as people count: from 1, in characters.
struct Position<'t> {
    number: usize,
    column: usize,
    line: &'t str,
    width: usize,
}

impl<'t> Position<'t> {
    fn of(text: &'t str, span: &Range<usize>) -> Self {
        let start = floor(text, span.start);
        let end = floor(text, span.end.max(span.start));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        Self {
            number: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            line: text[line_start..line_end].trim_end_matches('\r'),
            width: text[start..end.min(line_end).max(start)].chars().count(),
        }
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The line up to its first value: `token = …`.
fn masked(line: &str) -> String {
    match line.split_once('=') {
        Some((key, _)) => format!("{key}= …"),
        None if line.trim_start().starts_with('[') => line.to_owned(),
        None => "…".to_owned(),
    }
}

fn hint(given: &str, allowed: &[&'static str], intro: &str) -> String {
    match nearest(given, allowed) {
        Some(near) => format!(": did you mean `{near}`?"),
        None if allowed.is_empty() => ": nothing is allowed here".to_owned(),
        None => format!(
            ": {intro} {} {}",
            if allowed.len() == 1 { "is" } else { "are" },
            list(allowed)
        ),
    }
}

/// The word that was probably meant.
fn nearest<'a>(given: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let given = given.to_lowercase().replace('-', "_");
    let distance = |word: &str| strsim::damerau_levenshtein(&given, word);
    let bound = (given.chars().count() / 3).max(1);
    allowed
        .iter()
        .copied()
        .filter(|word| distance(word) <= bound)
        .min_by_key(|word| distance(word))
}

fn list(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Refused(message.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Kind::WrongType {
            expected: expectation(expected),
            found: type_of(unexpected),
        })
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = type_of(unexpected);
        Self::custom(format_args!(
            "this {found} does not fit: {} belongs here",
            expectation(expected)
        ))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownKey {
            key: field.to_owned(),
            allowed: expected.to_vec(),
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownValue {
            value: variant.to_owned(),
            allowed: expected.to_vec(),
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::Missing {
            key: field,
            allowed: Vec::new(),
        })
    }
}

/// Serde's words for what it expected, in words for people who write TOML.
fn expectation(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "a string" | "string" | "path string" => "a text in quotes".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a map" => "a table".to_owned(),
        "a sequence" => "a list".to_owned(),
        "f64" | "f32" => "a number".to_owned(),
        "u64" | "usize" => "a whole number from 0".to_owned(),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u8" => format!("a whole number from 0 to {}", u8::MAX),
        "a nonzero u32" => format!("a whole number from 1 to {}", u32::MAX),
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        other if other.starts_with("struct ") || other.starts_with("enum ") => "a table".to_owned(),
        _ => words,
    }
}

/// The type only: the value may be a secret.
fn type_of(unexpected: Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "number",
        Unexpected::Float(_) => "number with a fraction",
        Unexpected::Str(_) | Unexpected::Char(_) => "text",
        Unexpected::Seq => "list",
        Unexpected::Map => "table",
        Unexpected::Other("date or time") => "date or time",
        _ => "value of another type",
    }
}
