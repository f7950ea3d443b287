//! What became of a delivery.

use core::fmt;
use core::time::Duration;

/// What a server says to readings, named by what is done next.
///
/// `status` is HTTP's status code, or MQTT's reason code, which is below 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has them.
    Delivered,
    /// It is busy or out of order: the same again later.
    Later {
        /// Its code.
        status: u16,
        /// How long it asks to wait.
        after: Option<Duration>,
    },
    /// Somebody has to mend the settings or the server. The readings are kept.
    Check {
        /// Its code.
        status: u16,
    },
    /// It does not want these readings, whereas it may take others.
    Refused {
        /// Its code.
        status: u16,
    },
}

impl Verdict {
    /// The server's code, where it is not content.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::Delivered => None,
            Self::Later { status, .. } | Self::Check { status } | Self::Refused { status } => {
                Some(status)
            }
        }
    }
}

/// The code, and what to do.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(status) = self.status() else {
            return f.write_str("the server has it");
        };
        let advice = advice(status);
        if status < 256 {
            write!(f, "the server says {status:#x}: {advice}")
        } else {
            write!(f, "the server answers {status}: {advice}")
        }
    }
}

/// HTTP's status codes, and MQTT's reason codes, which are below 256.
const fn advice(status: u16) -> &'static str {
    match status {
        0x84 => "it does not speak MQTT 5",
        0x85 => "it does not like the client id; set another `client_id`",
        0x86 => "check user and password",
        0x87 => "check user and password, and whether this user may write to the topic",
        0x8a => "this device is banned; ask who runs it",
        0x8e => "another client has the same id; set another `name` or `client_id`",
        0x8f | 0x90 => "it does not want this topic; check `topic`",
        0x95 | 413 => "the message is longer than it takes",
        0x99 => "it does not want this format; check `format`",
        0x9a | 0x9b => "it cannot keep messages or acknowledge them, which is needed",
        0x9c | 0x9d => "it has moved; check `host`",
        300..=399 => "it redirects; set `url` to where it leads",
        401 | 407 => "check the token in `url`, or `authorization`",
        403 => "the token is known but may not write here; check its rights",
        404 | 410 => "check the path in `url`, and whether the device still exists there",
        405 | 406 | 411 | 415 | 421 | 426 | 431 => "check `url` and `format`",
        400..=499 => "it does not want this reading",
        _ => "it is busy or out of order",
    }
}

/// Why there is no verdict. The connection is of no more use; another one is tried later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection was closed or broke before the answer was whole.
    Closed,
    /// The answer is none in this protocol, or longer than any honest one.
    Garbage,
    /// The readings do not fit the buffer or what the server takes at once: send fewer at once.
    TooLong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the server closed the connection before it answered",
            Self::Garbage => "the server answers nonsense: check address and port, and that it speaks HTTP/1.1 or MQTT 5",
            Self::TooLong => "the reading is too long to be sent",
        })
    }
}

impl core::error::Error for Fault {}
