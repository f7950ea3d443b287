//! What became of a delivery.

use core::fmt;
use core::time::Duration;

/// What a server says to readings, named by what is done next.
///
/// `status` is HTTP's status code, or MQTT's reason code where it is below 256 and not below 128.
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
            Self::Garbage => "the server answers nonsense: check address and port",
            Self::TooLong => "the reading is too long to be sent",
        })
    }
}

impl core::error::Error for Fault {}
