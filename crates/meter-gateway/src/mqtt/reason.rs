use std::fmt;

/// Why a broker says no, as MQTT 5 numbers it (section 2.4). The return codes of 3.1.1 are given the same
/// numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason(pub u8);

/// What has to happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The broker has it.
    Taken,
    /// It may be taken later.
    Later,
    /// Somebody has to mend something first.
    Check,
    /// This message is not wanted, whereas another one may be.
    Refused,
}

impl Reason {
    pub(super) const UNSUPPORTED_VERSION: Self = Self(0x84);
    /// The packet is longer than the broker takes.
    pub const TOO_LONG: Self = Self(0x95);

    /// From the return code of a CONNACK of 3.1.1, section 3.2.2.3.
    pub(super) const fn of_return_code(code: u8) -> Self {
        Self(match code {
            0 => 0,
            1 => 0x84,
            2 => 0x85,
            3 => 0x88,
            4 => 0x86,
            5 => 0x87,
            _ => 0x80,
        })
    }

    /// Sorts it by what has to happen. That nobody has subscribed to a topic is no refusal.
    #[must_use]
    pub const fn sort(self) -> Sort {
        match self.0 {
            0..0x80 => Sort::Taken,
            0x84..=0x87 | 0x8a | 0x8c | 0x8e..=0x90 | 0x98 | 0x9a..=0x9e | 0xa1 | 0xa2 => {
                Sort::Check
            }
            0x95 | 0x99 => Sort::Refused,
            _ => Sort::Later,
        }
    }

    /// Sorts it as the answer to a message. With two more reasons a broker says then that it does not want
    /// this one, and not why (section 3.4.2.1).
    #[must_use]
    pub const fn sort_of_message(self) -> Sort {
        match self.0 {
            0x80 | 0x83 => Sort::Refused,
            _ => self.sort(),
        }
    }

    const fn words(self) -> &'static str {
        match self.0 {
            0x81 => "malformed packet",
            0x82 => "protocol error",
            0x83 => "an error of its own",
            0x84 => "unsupported protocol version",
            0x85 => "client identifier not valid",
            0x86 => "bad user name or password",
            0x87 => "not authorised",
            0x88 => "server unavailable",
            0x89 => "server busy",
            0x8a => "banned",
            0x8b => "server shutting down",
            0x8c => "bad authentication method",
            0x8d => "keep alive timeout",
            0x8e => "session taken over",
            0x8f => "topic filter not valid",
            0x90 => "topic name not valid",
            0x91 => "packet identifier in use",
            0x93 => "too many messages at once",
            0x95 => "packet too large",
            0x96 => "message rate too high",
            0x97 => "quota exceeded",
            0x98 => "administrative action",
            0x99 => "payload format not valid",
            0x9a => "retained messages not supported",
            0x9b => "QoS not supported",
            0x9c => "use another server",
            0x9d => "server moved",
            0x9f => "too many connections at once",
            0xa0 => "maximum connect time",
            0xa2 => "wildcards not supported",
            _ => "unspecified error",
        }
    }

    /// What a person has to look at.
    pub(super) const fn advice(self) -> &'static str {
        match self.0 {
            0x84 => "; leave out version",
            0x85 => "; set another client_id",
            0x86 => "; check username and password",
            0x87 | 0x8c => "; check username and password, and whether they may do this",
            0x8e => "; another client uses the same client_id: give each its own",
            0x9a => "; set retain = false",
            0x9b => "; set qos = 0",
            0x9c | 0x9d => "; check url",
            _ => "",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02x})", self.words(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_sorted_by_what_has_to_happen() {
        for (code, sort) in [
            (0x00, Sort::Taken),
            (0x10, Sort::Taken),
            (0x80, Sort::Later),
            (0x83, Sort::Later),
            (0x86, Sort::Check),
            (0x87, Sort::Check),
            (0x8e, Sort::Check),
            (0x95, Sort::Refused),
            (0x97, Sort::Later),
            (0x99, Sort::Refused),
        ] {
            assert_eq!(Reason(code).sort(), sort, "0x{code:02x}");
        }
        assert_eq!(Reason(0x83).sort_of_message(), Sort::Refused);
        assert_eq!(Reason(0x87).sort_of_message(), Sort::Check);
        assert_eq!(Reason::of_return_code(4), Reason(0x86));
    }
}
