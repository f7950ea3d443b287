//! A connection with room for bytes on either side.
//!
//! Protocols read and write a few bytes at a time. Over TLS each write is a record of its own and each
//! read a walk through the library, so both are collected here.

use embedded_io_async::{ErrorType, Read, Write};

const ROOM: usize = 256;

/// A connection with room for what was read and not asked for yet, and for what was not sent yet.
pub(crate) struct Buffered<C> {
    connection: C,
    incoming: [u8; ROOM],
    start: usize,
    end: usize,
    outgoing: heapless::Vec<u8, ROOM>,
}

impl<C> Buffered<C> {
    pub(crate) const fn new(connection: C) -> Self {
        Self {
            connection,
            incoming: [0; ROOM],
            start: 0,
            end: 0,
            outgoing: heapless::Vec::new(),
        }
    }

    /// Whether something came that nobody has asked for yet.
    pub(crate) const fn has_more(&self) -> bool {
        self.start < self.end
    }
}

impl<C: ErrorType> ErrorType for Buffered<C> {
    type Error = C::Error;
}

impl<C: Read> Read for Buffered<C> {
    /// Nothing is lost when the future is dropped, provided that this holds for the connection.
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Self::Error> {
        if !self.has_more() {
            self.start = 0;
            self.end = 0;
            self.end = self.connection.read(&mut self.incoming).await?;
        }
        let there = self.incoming.get(self.start..self.end).unwrap_or_default();
        let count = there.len().min(into.len());
        if let (Some(from), Some(to)) = (there.get(..count), into.get_mut(..count)) {
            to.copy_from_slice(from);
        }
        self.start += count;
        Ok(count)
    }
}

impl<C: Write> Write for Buffered<C> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        if self.outgoing.extend_from_slice(bytes).is_ok() {
            return Ok(bytes.len());
        }
        self.connection.write_all(&self.outgoing).await?;
        self.outgoing.clear();
        if self.outgoing.extend_from_slice(bytes).is_ok() {
            return Ok(bytes.len());
        }
        self.connection.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.connection.write_all(&self.outgoing).await?;
        self.outgoing.clear();
        self.connection.flush().await
    }
}
