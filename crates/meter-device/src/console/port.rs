//! Commands and packets out of one stream of octets.

use alloc::vec::Vec;

use super::command::{BadLine, Command};
use crate::improv::{self, BODY, HEADER, Request};

/// Longest line: settings with a certificate, and room for spaces.
pub const LINE_BYTES: usize = 6 * 1024;

/// What has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A command.
    Command(Command<'a>),
    /// A line that is none. Answer it with [`Refused`](super::Refused).
    BadLine(BadLine),
    /// A request of Improv.
    Improv(Request<'a>),
    /// A packet of Improv that cannot be fulfilled. Answer it with
    /// [`Packet::error`](improv::Packet::error).
    BadPacket(improv::Error),
}

/// Takes octets as they come. Between two lines there may be packets and noise.
#[derive(Debug)]
pub struct Port {
    /// As long as the longest line so far, at most [`LINE_BYTES`].
    line: Vec<u8>,
    /// The line has more than fits.
    is_over: bool,
    /// How much of a packet's header the last octets are.
    header: usize,
    /// A packet from its type on, while `in_packet`.
    packet: heapless::Vec<u8, BODY>,
    in_packet: bool,
    /// The line was given out, and is cleared by the next octet.
    is_spent: bool,
}

enum Whole {
    Line,
    Packet,
    Damaged,
}

impl Default for Port {
    fn default() -> Self {
        Self::new()
    }
}

impl Port {
    /// Nothing has come yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            line: Vec::new(),
            is_over: false,
            header: 0,
            packet: heapless::Vec::new(),
            in_packet: false,
            is_spent: false,
        }
    }

    /// Takes an octet. What is complete by it stays readable until the next one.
    pub fn push(&mut self, octet: u8) -> Option<Event<'_>> {
        if self.is_spent {
            self.clear();
        }
        let whole = if self.in_packet {
            self.push_packet(octet)
        } else {
            self.push_line(octet)
        };
        Some(match whole? {
            Whole::Line if self.is_over => Event::BadLine(BadLine::TooLong),
            Whole::Line => match Command::parse(&self.line) {
                Ok(command) => Event::Command(command),
                Err(bad) => Event::BadLine(bad),
            },
            Whole::Packet => match Request::parse(&self.packet) {
                Ok(request) => Event::Improv(request),
                Err(error) => Event::BadPacket(error),
            },
            Whole::Damaged => Event::BadPacket(improv::Error::BadPacket),
        })
    }

    /// Nothing came for a second or more: what there is of a packet is noise. A line stays, since
    /// people type slowly.
    pub fn quiet(&mut self) {
        self.in_packet = false;
        self.header = 0;
    }

    fn clear(&mut self) {
        self.line.clear();
        self.is_over = false;
        self.is_spent = false;
    }

    fn push_line(&mut self, octet: u8) -> Option<Whole> {
        self.header = follow(self.header, octet);
        if self.header == HEADER.len() {
            self.header = 0;
            self.in_packet = true;
            self.packet.clear();
            // What stood before it on the line was noise.
            self.clear();
            return None;
        }
        match octet {
            b'\r' | b'\n' if self.line.is_empty() && !self.is_over => None,
            b'\r' | b'\n' => {
                self.is_spent = true;
                Some(Whole::Line)
            }
            // Backspace and delete.
            0x08 | 0x7F => {
                // A character has one octet that is no continuation.
                while self.line.pop().is_some_and(|octet| octet & 0xC0 == 0x80) {}
                None
            }
            // Ctrl-C and Ctrl-U.
            0x03 | 0x15 => {
                self.clear();
                None
            }
            octet => {
                if self.line.len() < LINE_BYTES {
                    self.line.push(octet);
                } else {
                    self.is_over = true;
                }
                None
            }
        }
    }

    fn push_packet(&mut self, octet: u8) -> Option<Whole> {
        if self.packet.push(octet).is_err() {
            self.in_packet = false;
            return Some(Whole::Damaged);
        }
        loop {
            let length = usize::from(*self.packet.get(1)?);
            // While it is not complete there is no such part of it.
            let (sum, checked) = self.packet.get(..length + 3)?.split_last()?;
            if improv::sum(checked) == *sum {
                self.packet.truncate(length + 3);
                self.in_packet = false;
                return Some(Whole::Packet);
            }
            // The length may have been damaged too, so that the next packet was taken for data.
            if !self.begin_anew() {
                return Some(Whole::Damaged);
            }
        }
    }

    /// Looks for another packet in the one that is damaged.
    fn begin_anew(&mut self) -> bool {
        let found = self
            .packet
            .windows(HEADER.len())
            .position(|octets| octets == HEADER);
        if let Some(at) = found {
            let rest = heapless::Vec::<u8, BODY>::from_slice(
                self.packet.get(at + HEADER.len()..).unwrap_or_default(),
            );
            self.packet = rest.unwrap_or_default();
            return true;
        }
        self.in_packet = false;
        self.header = self
            .packet
            .iter()
            .fold(0, |header, octet| follow(header, *octet));
        false
    }
}

/// How much of the header the last octets are, with one more. Its first letter occurs once in it.
fn follow(header: usize, octet: u8) -> usize {
    if HEADER.get(header) == Some(&octet) {
        header + 1
    } else {
        usize::from(HEADER.first() == Some(&octet))
    }
}
