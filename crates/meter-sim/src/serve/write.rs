//! A meter into a file, or whatever else takes bytes.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::pace::{self, Sink};
use super::{Address, Feed, Running, Timing};

/// Writes the telegrams to `writer`. Must be called within a tokio runtime.
pub fn write<W>(feed: Feed, timing: Timing, writer: W) -> Running
where
    W: AsyncWrite + Send + Unpin + 'static,
{
    pace::start(feed, timing, Writer(writer), Address::Writer)
}

struct Writer<W>(W);

impl<W: AsyncWrite + Send + Unpin> Sink for Writer<W> {
    async fn ready(&mut self, _waits: bool) -> io::Result<()> {
        Ok(())
    }

    async fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        // Files of tokio hold bytes back until they are flushed, and keep their errors too.
        self.0.flush().await
    }

    async fn finish(&mut self, _waits: bool) {
        if let Err(cause) = self.0.shutdown().await {
            tracing::debug!(%cause, "the output could not be closed");
        }
    }
}
