//! Colours for a person at a terminal, and none for anybody else.

use std::fmt;
use std::io::IsTerminal;

/// When to use colours (`--color`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum When {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Paints text, or leaves it alone.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// Decides for one stream. `NO_COLOR` counts when it is set and not empty (no-color.org).
    pub fn new(when: When, stream: &impl IsTerminal) -> Self {
        let on = match when {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                stream.is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        Self { on }
    }

    /// Whether anything is painted.
    pub fn is_on(self) -> bool {
        self.on
    }

    /// What a heading looks like.
    pub fn heading<T>(self, text: T) -> Painted<T> {
        self.code("1", text)
    }

    /// What matters less.
    pub fn dim<T>(self, text: T) -> Painted<T> {
        self.code("2", text)
    }

    /// What is right.
    pub fn good<T>(self, text: T) -> Painted<T> {
        self.code("32", text)
    }

    /// What somebody should look at.
    pub fn warn<T>(self, text: T) -> Painted<T> {
        self.code("33", text)
    }

    /// What is wrong.
    pub fn bad<T>(self, text: T) -> Painted<T> {
        self.code("31", text)
    }

    fn code<T>(self, code: &'static str, text: T) -> Painted<T> {
        Painted {
            code: self.on.then_some(code),
            text,
        }
    }
}

/// Text with its colour; width and alignment of the format apply to the text alone.
#[derive(Debug)]
pub struct Painted<T> {
    code: Option<&'static str>,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            None => self.text.fmt(f),
            Some(code) => {
                write!(f, "\x1b[{code}m")?;
                self.text.fmt(f)?;
                f.write_str("\x1b[0m")
            }
        }
    }
}
