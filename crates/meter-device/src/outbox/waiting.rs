//! Readings in RAM, oldest first, one behind the other as they will lie in flash.

use alloc::boxed::Box;
use alloc::vec;
use core::time::Duration;

use super::layout::{HEADER, Header, padded};

/// The monotonic time before each header, in milliseconds.
const ARRIVAL: usize = 8;

/// A queue in `RAM` bytes.
#[derive(Debug)]
pub(super) struct Waiting<const RAM: usize> {
    /// On the heap, since it would be moved about otherwise.
    bytes: Box<[u8]>,
    used: usize,
    count: u16,
}

/// A reading in the queue.
pub(super) struct Entry<'a> {
    /// When it came.
    pub(super) arrival: Duration,
    pub(super) header: Header,
    /// Filled up to whole words.
    pub(super) body: &'a [u8],
}

impl Entry<'_> {
    fn size(&self) -> usize {
        ARRIVAL + self.header.size()
    }
}

impl<const RAM: usize> Waiting<RAM> {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; RAM].into_boxed_slice(),
            used: 0,
            count: 0,
        }
    }

    pub(super) const fn count(&self) -> u16 {
        self.count
    }

    /// The longest body that an empty queue has room for.
    pub(super) const fn longest() -> usize {
        RAM.saturating_sub(ARRIVAL + HEADER) & !3
    }

    /// Puts a reading behind the others; false if there is no room.
    pub(super) fn push(&mut self, arrival: Duration, header: &Header, body: &[u8]) -> bool {
        let length = padded(body.len());
        let size = ARRIVAL + HEADER + length;
        let Some(room) = self.bytes.get_mut(self.used..self.used + size) else {
            return false;
        };
        let (front, rest) = room.split_at_mut(ARRIVAL);
        let millis = u64::try_from(arrival.as_millis()).unwrap_or(u64::MAX);
        front.copy_from_slice(&millis.to_le_bytes());
        let (front, rest) = rest.split_at_mut(HEADER);
        front.copy_from_slice(&header.encode(0));
        let (front, filling) = rest.split_at_mut(body.len());
        front.copy_from_slice(body);
        filling.fill(0xFF);
        self.used += size;
        self.count += 1;
        true
    }

    /// The oldest reading.
    pub(super) fn front(&self) -> Option<Entry<'_>> {
        self.at(0)
    }

    /// The oldest reading with a greater sequence number.
    pub(super) fn after(&self, seq: u32) -> Option<Entry<'_>> {
        let mut at = 0;
        loop {
            let entry = self.at(at)?;
            if entry.header.seq > seq {
                return Some(entry);
            }
            at += entry.size();
        }
    }

    /// Removes the oldest reading.
    pub(super) fn pop(&mut self) {
        let size = self.front().map_or(self.used, |entry| entry.size());
        self.bytes.copy_within(size..self.used, 0);
        self.used -= size;
        self.count = self.count.saturating_sub(1);
    }

    /// Removes the readings up to a sequence number.
    pub(super) fn remove_through(&mut self, seq: u32) {
        while self.front().is_some_and(|entry| entry.header.seq <= seq) {
            self.pop();
        }
    }

    fn at(&self, at: usize) -> Option<Entry<'_>> {
        let (arrival, rest) = self.bytes.get(at..self.used)?.split_first_chunk()?;
        let (header, rest) = rest.split_first_chunk()?;
        let header = Header::decode(header, 0)?;
        Some(Entry {
            arrival: Duration::from_millis(u64::from_le_bytes(*arrival)),
            body: rest.get(..padded(header.length.into()))?,
            header,
        })
    }
}
