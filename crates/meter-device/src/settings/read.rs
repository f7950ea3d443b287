//! From JSON to settings, with the place and the reason of what does not fit.
//!
//! The parser says neither where it stopped nor what it missed: its messages would need a buffer that
//! it fills without looking. So the place is found by halving: the shortest beginning of the text that
//! is refused in the same way ends where the fault is.

use core::fmt;

use heapless::{String, Vec};
use serde::Deserialize;
use serde_json_core::de::{Error, from_slice_escaped};

use super::belongs::{belongs, needed};
use super::{Mistake, Settings, VERSION, WIFIS};

/// Longest string between two quotes: a certificate.
const STRING_BYTES: usize = 2_800;

/// Settings are not nested any deeper, and the parser's stack is not endless.
const DEPTH: usize = 6;

/// Settings that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The key, with those above it; empty for the whole.
    pub key: String<80>,
    /// What is wrong with it.
    pub reason: Reason,
}

/// Why settings cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is no JSON from this octet on.
    NotJson(usize),
    /// It ends before it is complete.
    Cut,
    /// There is no such key, or it stands there twice.
    Unknown,
    /// This key is missing in it.
    Missing(&'static str),
    /// This belongs there.
    Wrong(&'static str),
    /// They were written by a newer firmware, with this version.
    Newer(u16),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        match self.reason {
            Reason::NotJson(at) => write!(f, "this is no JSON from its byte {at} on"),
            Reason::Cut => f.write_str("the JSON ends too early"),
            Reason::Unknown => f.write_str("there is no such key here, or it stands here twice"),
            Reason::Missing(key) => write!(f, "the key `{key}` is missing"),
            Reason::Wrong(expected) => write!(f, "here belongs {expected}"),
            Reason::Newer(version) => write!(
                f,
                "the settings have version {version}, and this firmware knows {VERSION}: install a newer firmware, or configure again"
            ),
        }
    }
}

impl core::error::Error for Unreadable {}

/// Why settings are not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// They cannot be read.
    Unreadable(Unreadable),
    /// They can be read, and would not work.
    Mistake(Mistake),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(unreadable) => unreadable.fmt(f),
            Self::Mistake(mistake) => mistake.fmt(f),
        }
    }
}

impl core::error::Error for Refused {}

impl Settings {
    /// Reads settings and checks them.
    pub fn accept(json: &[u8]) -> Result<Self, Refused> {
        let settings = Self::from_json(json).map_err(Refused::Unreadable)?;
        settings.check().map_err(Refused::Mistake)?;
        Ok(settings)
    }

    /// Reads settings. What fits its type may be wrong all the same: see [`check`](Self::check).
    pub fn from_json(json: &[u8]) -> Result<Self, Unreadable> {
        let whole = Scan::of(json);
        if whole.too_deep {
            return Err(Unreadable {
                key: String::new(),
                reason: Reason::NotJson(whole.at),
            });
        }
        // A newer version has keys that nobody knows here, so its number comes first.
        if let Ok(Head { version }) = parse(json)
            && version > VERSION
        {
            return Err(Unreadable {
                key: String::new(),
                reason: Reason::Newer(version),
            });
        }
        parse(json).map_err(|error| explain(json, error))
    }
}

/// Of settings of any version.
#[derive(Deserialize)]
struct Head {
    version: u16,
}

fn parse<'j, T: Deserialize<'j>>(json: &'j [u8]) -> Result<T, Error> {
    let mut unescaped = [0; STRING_BYTES];
    from_slice_escaped(json, &mut unescaped).map(|(value, _)| value)
}

fn explain(json: &[u8], error: Error) -> Unreadable {
    let cut = matches!(
        error,
        Error::EofWhileParsingList
            | Error::EofWhileParsingNumber
            | Error::EofWhileParsingObject
            | Error::EofWhileParsingString
            | Error::EofWhileParsingValue
    );
    let end = if cut {
        json.len()
    } else {
        shortest(json, error)
    };
    let place = Scan::of(json.get(..end).unwrap_or(json));
    let reason = match error {
        _ if cut => Reason::Cut,
        Error::CustomError => match (place.last, place.key(json)) {
            (Token::Key, _) => Reason::Unknown,
            (Token::Close, key) if place.index().is_none_or(|index| index < WIFIS) => {
                needed(key).map_or(Reason::Wrong(belongs(key)), Reason::Missing)
            }
            (_, key) => Reason::Wrong(belongs(key)),
        },
        Error::InvalidType
        | Error::InvalidNumber
        | Error::ExpectedSomeIdent
        | Error::EscapedStringIsTooLong
            if place.last != Token::Key =>
        {
            Reason::Wrong(belongs(place.key(json)))
        }
        _ => Reason::NotJson(end.saturating_sub(1)),
    };
    let mut key = String::new();
    place.write(json, &mut key);
    Unreadable { key, reason }
}

/// Length of the shortest beginning that is refused in the same way.
fn shortest(json: &[u8], error: Error) -> usize {
    let (mut fine, mut refused) = (0, json.len());
    while fine + 1 < refused {
        let middle = fine.midpoint(refused);
        let beginning = json.get(..middle).unwrap_or(json);
        if parse::<Settings>(beginning).is_err_and(|other| other == error) {
            refused = middle;
        } else {
            fine = middle;
        }
    }
    refused
}

/// What stands in JSON at one place, as far as its brackets and quotes tell.
struct Scan {
    levels: Vec<Level, DEPTH>,
    last: Token,
    too_deep: bool,
    at: usize,
}

/// An object with its key as far as it is known, or a list with an index.
#[derive(Clone, Copy)]
enum Level {
    Object { key: Option<(usize, usize)> },
    List { index: usize },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Key,
    Close,
    Other,
}

impl Scan {
    fn of(json: &[u8]) -> Self {
        let mut scan = Self {
            levels: Vec::new(),
            last: Token::Other,
            too_deep: false,
            at: 0,
        };
        while let Some(&byte) = json.get(scan.at) {
            let start = scan.at;
            scan.at += 1;
            match byte {
                b'"' => scan.string(json, start),
                b'{' => scan.open(Level::Object { key: None }),
                b'[' => scan.open(Level::List { index: 0 }),
                b'}' | b']' => {
                    scan.last = Token::Close;
                    // The last one closes what the fault is in.
                    if scan.at < json.len() {
                        scan.levels.pop();
                    } else if let Some(Level::Object { key }) = scan.levels.last_mut() {
                        *key = None;
                    }
                }
                b',' => scan.next(),
                b' ' | b'\n' | b'\r' | b'\t' => {}
                _ => scan.last = Token::Other,
            }
            if scan.too_deep {
                break;
            }
        }
        scan
    }

    fn open(&mut self, level: Level) {
        self.last = Token::Other;
        self.too_deep |= self.levels.push(level).is_err();
    }

    fn next(&mut self) {
        self.last = Token::Other;
        match self.levels.last_mut() {
            Some(Level::Object { key }) => *key = None,
            Some(Level::List { index }) => *index += 1,
            None => {}
        }
    }

    fn string(&mut self, json: &[u8], start: usize) {
        while let Some(&byte) = json.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'"' => break,
                _ => {}
            }
        }
        self.last = match self.levels.last_mut() {
            Some(Level::Object { key: key @ None }) => {
                *key = Some((start + 1, self.at.saturating_sub(1)));
                Token::Key
            }
            _ => Token::Other,
        };
    }

    /// The innermost key.
    fn key<'j>(&self, json: &'j [u8]) -> &'j str {
        let keys = self.levels.iter().rev().filter_map(|level| match level {
            Level::Object { key } => *key,
            Level::List { .. } => None,
        });
        keys.take(1)
            .find_map(|(start, end)| core::str::from_utf8(json.get(start..end)?).ok())
            .unwrap_or_default()
    }

    /// The innermost place in a list.
    fn index(&self) -> Option<usize> {
        self.levels.iter().rev().find_map(|level| match level {
            Level::Object { .. } => None,
            Level::List { index } => Some(*index),
        })
    }

    /// Writes the keys from the outermost on, as far as there is room.
    fn write(&self, json: &[u8], out: &mut String<80>) {
        use fmt::Write;
        for level in &self.levels {
            let written = match *level {
                Level::Object { key: None } => Ok(()),
                Level::Object {
                    key: Some((start, end)),
                } => {
                    let key = json.get(start..end).unwrap_or_default();
                    let key = core::str::from_utf8(key).unwrap_or_default();
                    let dot = if out.is_empty() { "" } else { "." };
                    // As in the file of the host, where `type` says which of them it is.
                    if out == "output" && matches!(key, "rest" | "mqtt") {
                        Ok(())
                    } else {
                        write!(out, "{dot}{key}")
                    }
                }
                Level::List { index } => write!(out, "[{index}]"),
            };
            if written.is_err() {
                return;
            }
        }
    }
}
