//! A TCP connection on the one socket there is.

use core::cell::RefMut;
use core::net::Ipv4Addr;

use embassy_net::tcp::{ConnectError as TcpConnectError, Error, State, TcpSocket};
use embassy_time::{Duration, with_timeout};
use embedded_io_async::{ErrorType, Read, Write};
use meter_device::board::ConnectError;

/// A peer that says nothing for so long is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// A peer that acknowledges nothing for so long is gone.
const GONE: Duration = Duration::from_secs(75);
/// So long the last connection may take to say good-bye.
const GOODBYE: Duration = Duration::from_millis(500);

/// An open TCP connection. Dropping it says good-bye.
pub struct Wire<'n>(RefMut<'n, TcpSocket<'static>>);

impl<'n> Wire<'n> {
    /// Connects.
    pub async fn open(
        socket: RefMut<'n, TcpSocket<'static>>,
        server: (Ipv4Addr, u16),
    ) -> Result<Self, ConnectError> {
        let mut wire = Self(socket);
        wire.settle().await;
        // A time limit would look like a refusal; the caller has one of its own.
        wire.0.set_timeout(None);
        wire.0.set_keep_alive(None);
        wire.0.connect(server).await.map_err(|error| match error {
            TcpConnectError::ConnectionReset => ConnectError::Refused,
            TcpConnectError::TimedOut
            | TcpConnectError::NoRoute
            | TcpConnectError::InvalidState => ConnectError::Unreachable,
        })?;
        wire.0.set_timeout(Some(GONE));
        wire.0.set_keep_alive(Some(KEEP_ALIVE));
        // What is written is a whole message: nothing is gained by waiting for more of it.
        wire.0.set_nagle_enabled(false);
        Ok(wire)
    }

    /// Waits until the connection before is over, or ends it.
    async fn settle(&mut self) {
        if self.0.state() == State::Closed {
            return;
        }
        self.0.close();
        if with_timeout(GOODBYE, self.0.flush()).await.is_err() {
            self.0.abort();
            // Nobody may be there to hear it.
            let _ = with_timeout(GOODBYE, self.0.flush()).await;
        }
        if !matches!(self.0.state(), State::Closed | State::TimeWait) {
            self.0.abort();
        }
    }
}

impl Drop for Wire<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl ErrorType for Wire<'_> {
    type Error = Error;
}

impl Read for Wire<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.0.read(buffer).await
    }
}

impl Write for Wire<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.0.write(bytes).await
    }

    /// What was written goes out by itself; that the peer has it, its answer will say.
    async fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
