//! Writing elements.

use super::HEADER_BYTES_MAX;
use core::fmt;

/// The space for what is to be written is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the space for the encoded bytes is too small")
    }
}

impl core::error::Error for Full {}

/// Writes elements into bytes that the caller gives.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

impl<'b> Writer<'b> {
    /// A writer that begins at the start of `buffer`.
    #[must_use]
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// What has been written.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.length.checked_add(bytes.len()).ok_or(Full)?;
        self.buffer
            .get_mut(self.length..end)
            .ok_or(Full)?
            .copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }

    /// Appends one byte as it is.
    pub fn byte(&mut self, byte: u8) -> Result<(), Full> {
        self.raw(&[byte])
    }

    /// Begins a list of `count` elements.
    pub fn list(&mut self, count: usize) -> Result<(), Full> {
        self.header(0x70, count, false)
    }

    /// Appends an octet string.
    pub fn octets(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.header(0x00, bytes.len(), true)?;
        self.raw(bytes)
    }

    /// Appends an absent optional element.
    pub fn absent(&mut self) -> Result<(), Full> {
        self.byte(0x01)
    }

    /// Appends type and length in as few bytes as they need.
    #[expect(clippy::cast_possible_truncation, reason = "four bits each")]
    fn header(&mut self, kind: u8, length: usize, counts_itself: bool) -> Result<(), Full> {
        let total = |bytes: usize| length + if counts_itself { bytes } else { 0 };
        let bytes = (1..=HEADER_BYTES_MAX)
            .find(|&bytes| total(bytes) >> (4 * bytes) == 0)
            .ok_or(Full)?;
        for index in (0..bytes).rev() {
            let more = if index > 0 { 0x80 } else { 0 };
            let kind = if index + 1 == bytes { kind } else { 0 };
            self.byte(more | kind | (total(bytes) >> (4 * index)) as u8 & 0x0f)?;
        }
        Ok(())
    }
}
