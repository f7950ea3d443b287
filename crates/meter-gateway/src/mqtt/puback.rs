use std::collections::HashMap;

use super::{Reason, Version};

/// Reads along what a broker sends, for the reasons in its PUBACKs that section 3.4.2.1 of MQTT 5 does not
/// list: mosquitto answers a message above its `message_size_limit` with 0x95, packet too large. The
/// library takes such a connection for broken, so it is given a reason that it knows.
#[derive(Debug)]
pub(super) struct Pubacks {
    version: Version,
    next: Next,
    is_puback: bool,
    /// The bytes of the body that are still to come, and how many came.
    left: usize,
    place: usize,
    id: u16,
    /// The reasons that were really given, by the numbers of their messages.
    told: HashMap<u16, Reason>,
}

/// What the next byte is part of.
#[derive(Clone, Copy, Debug)]
enum Next {
    Header,
    Length { shift: u32 },
    Body,
}

const PUBACK: u8 = 4;
/// The place of the reason behind the number of the message.
const REASON: usize = 2;
/// What the library knows, and is told instead.
const UNSPECIFIED: u8 = 0x80;

impl Pubacks {
    pub(super) fn new(version: Version) -> Self {
        Self {
            version,
            next: Next::Header,
            is_puback: false,
            left: 0,
            place: 0,
            id: 0,
            told: HashMap::new(),
        }
    }

    /// Reads what comes next of the broker's bytes, and replaces what the library would not understand.
    pub(super) fn read(&mut self, bytes: &mut [u8]) {
        if self.version == Version::V5 {
            for byte in bytes {
                self.step(byte);
            }
        }
    }

    /// The reason that was really given for this message, in place of the one that the library was told.
    pub(super) fn reason(&mut self, id: u16, reason: Reason) -> Reason {
        self.told.remove(&id).unwrap_or(reason)
    }

    fn step(&mut self, byte: &mut u8) {
        match self.next {
            Next::Header => {
                self.is_puback = *byte >> 4 == PUBACK;
                (self.left, self.place) = (0, 0);
                self.next = Next::Length { shift: 0 };
            }
            Next::Length { shift } => {
                self.left |= usize::from(*byte & 0x7f) << shift;
                self.next = match *byte & 0x80 {
                    // More than four bytes are an error, with which the library ends the connection.
                    0x80 if shift < 21 => Next::Length { shift: shift + 7 },
                    _ if self.left == 0 => Next::Header,
                    _ => Next::Body,
                };
            }
            Next::Body => {
                match self.place {
                    _ if !self.is_puback => {}
                    0 => self.id = u16::from(*byte) << 8,
                    1 => self.id |= u16::from(*byte),
                    REASON if !is_listed(*byte) => {
                        self.told.insert(self.id, Reason(*byte));
                        *byte = UNSPECIFIED;
                    }
                    _ => {}
                }
                self.place += 1;
                self.left -= 1;
                if self.left == 0 {
                    self.next = Next::Header;
                }
            }
        }
    }
}

/// Whether a PUBACK may have it.
const fn is_listed(reason: u8) -> bool {
    matches!(
        reason,
        0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the bytes are cut, only the strange reason is replaced.
    #[test]
    fn a_reason_that_mqtt_does_not_list_is_kept_aside() {
        let sent = [
            &[0x20, 3, 0, 0x95, 0][..],
            &[0x40, 2, 1, 2],
            &[0x32, 0x81, 0x01],
            &[0x95; 129],
            &[0xd0, 0],
            &[0x40, 4, 3, 0xe8, 0x95, 0],
            &[0x40, 3, 3, 0xe9, 0x97],
        ]
        .concat();
        let place = sent.len() - 7;
        assert_eq!(sent[place], 0x95);
        for size in 1..=sent.len() {
            let mut pubacks = Pubacks::new(Version::V5);
            let mut passed = sent.clone();
            for piece in passed.chunks_mut(size) {
                pubacks.read(piece);
            }
            let mut wanted = sent.clone();
            wanted[place] = 0x80;
            assert_eq!(passed, wanted);
            assert_eq!(pubacks.reason(1000, Reason(0x80)), Reason(0x95));
            assert_eq!(pubacks.reason(1000, Reason(0x80)), Reason(0x80));
            assert_eq!(pubacks.reason(1001, Reason(0x97)), Reason(0x97));
        }
    }
}
