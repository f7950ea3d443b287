//! A line that was typed.

use core::fmt;

use super::LINE_BYTES;

/// What the device is asked to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Tell how everything is.
    Info,
    /// Take these settings, in JSON: [`Settings::accept`](crate::settings::Settings::accept).
    Configure(&'a [u8]),
    /// Tell the last crashes and errors.
    Log,
    /// Accept the meter whose readings are refused as implausible.
    Accept,
    /// Start anew.
    Restart,
    /// Erase the settings.
    Forget,
    /// Tell which commands there are.
    Help,
}

/// Every command with what it does.
pub(super) const COMMANDS: [(&str, &str); 7] = [
    ("info", "tells how everything is"),
    ("configure", "followed by settings in JSON: takes them"),
    ("log", "tells the last crashes and errors"),
    ("accept", "accepts a meter whose readings are refused"),
    ("restart", "starts anew"),
    ("forget", "erases the settings"),
    ("help", "tells this"),
];

impl<'a> Command<'a> {
    /// Its name, which its answer begins with.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Configure(_) => "configure",
            Self::Log => "log",
            Self::Accept => "accept",
            Self::Restart => "restart",
            Self::Forget => "forget",
            Self::Help => "help",
        }
    }

    /// Reads a line without its end.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, BadLine> {
        let line = core::str::from_utf8(line).map_err(|_| BadLine::NotText)?;
        if line.chars().any(char::is_control) {
            return Err(BadLine::NotText);
        }
        let line = line.trim();
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let command = match name {
            "info" => Self::Info,
            "configure" if rest.is_empty() => return Err(BadLine::NoSettings),
            "configure" => return Ok(Self::Configure(rest.trim().as_bytes())),
            "log" => Self::Log,
            "accept" => Self::Accept,
            "restart" => Self::Restart,
            "forget" => Self::Forget,
            "help" | "?" => Self::Help,
            _ => return Err(BadLine::Unknown),
        };
        match rest {
            "" => Ok(command),
            _ => Err(BadLine::Alone(command.name())),
        }
    }
}

/// Without the settings, which hold secrets.
impl fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A line that is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLine {
    /// It is longer than [`LINE_BYTES`].
    TooLong,
    /// It is no text: noise, or another speed of the line.
    NotText,
    /// It begins with no command.
    Unknown,
    /// `configure` without settings.
    NoSettings,
    /// Something follows this command, which stands alone.
    Alone(&'static str),
}

impl BadLine {
    /// The name that the answer begins with: that of the command where it is known.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooLong | Self::NotText | Self::Unknown => "line",
            Self::NoSettings => "configure",
            Self::Alone(name) => name,
        }
    }
}

/// Never repeats the line, which may hold a secret.
impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the line is longer than {LINE_BYTES} bytes"),
            Self::NotText => {
                f.write_str("the line is no text: check that the speed is 115200 bit/s")
            }
            Self::Unknown => f.write_str("there is no such command: `help` lists them"),
            Self::NoSettings => f.write_str("settings in JSON must follow on the same line"),
            Self::Alone(name) => write!(f, "nothing may follow `{name}`"),
        }
    }
}

impl core::error::Error for BadLine {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_read_and_listed() {
        for (name, _) in COMMANDS {
            let command = match name {
                "configure" => Command::parse(b"configure {}"),
                name => Command::parse(name.as_bytes()),
            };
            assert_eq!(command.map(|command| command.name()), Ok(name));
        }
    }

    #[test]
    fn reads_what_people_type() {
        for (line, command) in [
            (&b" info "[..], Ok(Command::Info)),
            (
                b"configure  {\"a\": 1} ",
                Ok(Command::Configure(b"{\"a\": 1}")),
            ),
            (b"?", Ok(Command::Help)),
            (b"configure", Err(BadLine::NoSettings)),
            (b"info all", Err(BadLine::Alone("info"))),
            (b"Info", Err(BadLine::Unknown)),
            (b"\xff\xfe", Err(BadLine::NotText)),
            (b"in\x07fo", Err(BadLine::NotText)),
        ] {
            assert_eq!(Command::parse(line), command, "{line:?}");
        }
    }
}
