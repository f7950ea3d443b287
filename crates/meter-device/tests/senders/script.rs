//! A connection to nowhere: it says what it was given, and keeps what it hears.

use std::convert::Infallible;
use std::time::Duration;

use embedded_io_async::{ErrorType, Read, Write};

pub(crate) struct Script {
    answer: Vec<u8>,
    at: usize,
    /// How many bytes one read gets at most.
    step: usize,
    end: End,
    repeated: Option<(Vec<u8>, Duration)>,
    pub(crate) heard: Vec<u8>,
}

/// What comes when everything was said.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum End {
    Close,
    Silence,
    /// The same again from the beginning.
    Again,
}

impl Script {
    pub(crate) fn new(answer: impl Into<Vec<u8>>, end: End) -> Self {
        Self {
            answer: answer.into(),
            at: 0,
            step: usize::MAX,
            end,
            repeated: None,
            heard: Vec::new(),
        }
    }

    /// When everything was said, this again and again with pauses.
    pub(crate) fn then_repeating(mut self, packet: &[u8], pause: Duration) -> Self {
        self.repeated = Some((packet.to_vec(), pause));
        self
    }

    pub(crate) fn in_steps_of(mut self, step: usize) -> Self {
        self.step = step;
        self
    }
}

impl ErrorType for Script {
    type Error = Infallible;
}

impl Read for Script {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        // So that a test of a liar who never ends is one that ends.
        tokio::task::yield_now().await;
        if self.at == self.answer.len() && self.end == End::Again {
            self.at = 0;
        }
        if self.at == self.answer.len()
            && let Some((packet, pause)) = &self.repeated
        {
            tokio::time::sleep(*pause).await;
            self.answer.extend_from_slice(packet);
        }
        let there = &self.answer[self.at..];
        if there.is_empty() && self.end == End::Silence {
            return std::future::pending().await;
        }
        let count = there.len().min(into.len()).min(self.step);
        into[..count].copy_from_slice(&there[..count]);
        self.at += count;
        Ok(count)
    }
}

impl Write for Script {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let count = bytes.len().min(self.step);
        self.heard.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
