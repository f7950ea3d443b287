//! What the device answers. Each is one line, without its end.

use core::fmt;

use meter_core::payload::JsonString;

use super::command::COMMANDS;

/// A command was carried out: `{"restart":"now"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The settings are in flash. The device starts anew with them after this.
    Configured,
    /// The meter is accepted.
    Accepted,
    /// The device starts anew after this.
    Restarting,
    /// The settings are erased. The device starts anew after this.
    Forgotten,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configured => r#"{"configure":"stored"}"#,
            Self::Accepted => r#"{"accept":"accepted"}"#,
            Self::Restarting => r#"{"restart":"now"}"#,
            Self::Forgotten => r#"{"forget":"forgotten"}"#,
        })
    }
}

/// A command, by its name, was not carried out: `{"configure":null,"error":"…"}`.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a, E>(pub &'a str, pub E);

impl<E: fmt::Display> fmt::Display for Refused<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = JsonString(&self.1);
        write!(f, "{{\"{}\":null,\"error\":{error}}}", self.0)
    }
}

/// The commands: `{"help":{"info":"…"}}`.
#[derive(Clone, Copy, Debug)]
pub struct Help;

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{\"help\":{")?;
        for (index, (name, meaning)) in COMMANDS.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}\"{name}\":{}", JsonString(meaning))?;
        }
        f.write_str("}}")
    }
}
