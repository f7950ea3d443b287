//! How the outbox lies in flash. All numbers are little-endian words of 32 bits.
//!
//! A sector begins with its header, twice, because a flipped bit there would cost all that follows:
//!
//! | word | what |
//! |---|---|
//! | 0 | [`MAGIC`] |
//! | 1 | version, and in the upper half the log that the sector belongs to |
//! | 2 | its place in the order in which sectors were begun; never used twice |
//! | 3 | how often it was erased |
//! | 4 | CRC-32 of these |
//!
//! Records follow. The first is a mark.
//!
//! | word | what |
//! |---|---|
//! | 0 | kind, and in the upper half the length of the body in bytes |
//! | 1 | sequence number |
//! | 2, 3 | time in milliseconds, UTC or since the start of a boot |
//! | 4 | the boot, 0 for UTC |
//! | 5 | CRC-32 of the meter's server id |
//! | 6 | CRC-32 of the body |
//! | 7 | CRC-32 of the sector's place in the order and of these |
//! | … | the body, filled up with 0xFF to whole words |
//!
//! The sector's place in the checksum keeps apart what lies there from what lay there before.

use super::report::Counters;
use crate::checksum;

/// What is erased at once.
pub(super) const SECTOR: usize = 4096;
/// The two headers of a sector.
pub(super) const BEGIN: usize = 40;
/// The header of a record.
pub(super) const HEADER: usize = 32;
/// The body of a mark.
pub(super) const MARK: usize = 24;
/// The longest body that a sector has room for.
pub(super) const LONGEST: usize = SECTOR - BEGIN - HEADER - MARK - HEADER;

const MAGIC: u32 = u32::from_le_bytes(*b"MLob");
const VERSION: u16 = 1;
pub(super) const BLANK: u32 = !0;

/// The two logs that share the sectors. What is in the first is older than what is in the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Log {
    /// One reading of each quarter of an hour and meter.
    Thinned,
    /// Readings as they came.
    Fresh,
}

/// What a sector says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begin {
    pub(super) log: Log,
    pub(super) order: u32,
    pub(super) erases: u32,
}

/// How a sector begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    Ours(Begin),
    /// Right, but of another version of this layout.
    Version(u16),
    /// Was ours once.
    Damaged,
    /// Nothing was written to its first word.
    Blank,
    Foreign,
}

impl Begin {
    pub(super) fn encode(self) -> [u8; BEGIN] {
        let log = match self.log {
            Log::Thinned => 1,
            Log::Fresh => 2,
        };
        let mut words = [MAGIC, join(VERSION, log), self.order, self.erases, 0];
        words[4] = checksum::of(&bytes::<16>(&words));
        let mut twice = [0; BEGIN];
        for copy in twice.as_chunks_mut::<20>().0 {
            *copy = bytes(&words);
        }
        twice
    }
}

impl Look {
    pub(super) fn at(begin: &[u8; BEGIN]) -> Self {
        for copy in begin.as_chunks::<20>().0 {
            let [magic, version, order, erases, crc] = words(copy);
            if magic != MAGIC || checksum::of(&bytes::<16>(&words::<4>(copy))) != crc {
                continue;
            }
            let (version, log) = split(version);
            let log = match log {
                _ if version != VERSION => return Self::Version(version),
                1 => Log::Thinned,
                2 => Log::Fresh,
                _ => return Self::Version(version),
            };
            return Self::Ours(Begin { log, order, erases });
        }
        let [first] = words(begin);
        // Begun and not finished has no bit cleared that the word does not clear; rot flips a few.
        let unfinished = first & MAGIC == MAGIC;
        match first {
            BLANK => Self::Blank,
            _ if unfinished || (first ^ MAGIC).count_ones() <= 4 => Self::Damaged,
            _ => Self::Foreign,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Reading,
    /// How far the outbox has come, see [`Mark`].
    Mark,
    /// The time at which a boot began, for the readings that did not know it.
    Clock,
}

/// What stands before a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) length: u16,
    pub(super) seq: u32,
    pub(super) time: i64,
    pub(super) boot: u32,
    pub(super) meter: u32,
    pub(super) body: u32,
}

impl Header {
    pub(super) fn mark(body: &[u8; MARK]) -> Self {
        Self {
            kind: Kind::Mark,
            length: 24,
            body: checksum::of(body),
            ..Self::clock(0, 0)
        }
    }

    pub(super) fn clock(boot: u32, time: i64) -> Self {
        Self {
            kind: Kind::Clock,
            length: 0,
            seq: 0,
            time,
            boot,
            meter: 0,
            body: checksum::of(&[]),
        }
    }

    /// The bytes that header and body take.
    pub(super) fn size(&self) -> usize {
        HEADER + padded(self.length.into())
    }

    pub(super) fn encode(&self, order: u32) -> [u8; HEADER] {
        let kind = match self.kind {
            Kind::Reading => 0xA501,
            Kind::Mark => 0xA502,
            Kind::Clock => 0xA503,
        };
        let time = self.time.to_le_bytes();
        let [low, high] = words(&time);
        let mut words = [
            join(kind, self.length),
            self.seq,
            low,
            high,
            self.boot,
            self.meter,
            self.body,
            0,
        ];
        words[7] = seal(order, &bytes(&words));
        bytes(&words)
    }

    pub(super) fn decode(encoded: &[u8; HEADER], order: u32) -> Option<Self> {
        let [first, seq, low, high, boot, meter, body, crc] = words(encoded);
        let (kind, length) = split(first);
        let kind = match kind {
            0xA501 => Kind::Reading,
            0xA502 => Kind::Mark,
            0xA503 => Kind::Clock,
            _ => return None,
        };
        let header = Self {
            kind,
            length,
            seq,
            time: i64::from_le_bytes(bytes(&[low, high])),
            boot,
            meter,
            body,
        };
        (crc == seal(order, encoded)).then_some(header)
    }
}

/// The checksum of a record's header in a sector.
fn seal(order: u32, header: &[u8; HEADER]) -> u32 {
    let summed = header.first_chunk::<28>().map_or(&[][..], |part| part);
    let mut digest = checksum::begin();
    digest.update(&order.to_le_bytes());
    digest.update(summed);
    digest.finalize()
}

/// How far the outbox has come. Nothing in it ever falls, so of several marks the greatest numbers
/// count, and a lost mark only takes it back a little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Up to here everything is acknowledged or dropped.
    pub(super) done: u32,
    /// Up to here everything worth keeping is in the thinned log.
    pub(super) thinned_through: u32,
    pub(super) counters: Counters,
}

impl Mark {
    pub(super) fn encode(&self) -> [u8; MARK] {
        let counters = &self.counters;
        bytes(&[
            self.done,
            self.thinned_through,
            counters.spilled,
            counters.thinned,
            counters.dropped,
            counters.corrupt,
        ])
    }

    pub(super) fn decode(encoded: &[u8; MARK]) -> Self {
        let [done, thinned_through, spilled, thinned, dropped, corrupt] = words(encoded);
        Self {
            done,
            thinned_through,
            counters: Counters {
                spilled,
                thinned,
                dropped,
                corrupt,
            },
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let (mine, others) = (&mut self.counters, &other.counters);
        for (mine, other) in [
            (&mut self.done, other.done),
            (&mut self.thinned_through, other.thinned_through),
            (&mut mine.spilled, others.spilled),
            (&mut mine.thinned, others.thinned),
            (&mut mine.dropped, others.dropped),
            (&mut mine.corrupt, others.corrupt),
        ] {
            *mine = other.max(*mine);
        }
    }
}

/// The bytes of a body in flash.
pub(super) const fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn join(low: u16, high: u16) -> u32 {
    u32::from(low) | u32::from(high) << 16
}

fn split(word: u32) -> (u16, u16) {
    let [a, b, c, d] = word.to_le_bytes();
    (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))
}

/// The first words of some bytes.
fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

/// The first bytes of some words.
fn bytes<const N: usize>(words: &[u32]) -> [u8; N] {
    let mut bytes = [0; N];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    bytes
}
