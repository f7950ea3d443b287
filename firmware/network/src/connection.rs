//! An open connection, plain or by TLS, as the senders see it.

use core::fmt;

use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};

use crate::secure::Secured;
use crate::wire::Wire;

/// An open connection. Dropping it closes it.
pub struct Connection<'n>(Kind<'n>);

enum Kind<'n> {
    Plain(Wire<'n>),
    Secured(Secured<'n>),
}

impl<'n> Connection<'n> {
    pub(crate) const fn plain(wire: Wire<'n>) -> Self {
        Self(Kind::Plain(wire))
    }

    pub(crate) const fn secured(secured: Secured<'n>) -> Self {
        Self(Kind::Secured(secured))
    }
}

/// Why an open connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The server has reset it, or does not answer.
    Lost,
    /// TLS failed: the library's number.
    Tls(i32),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("the connection was lost"),
            Self::Tls(code) => write!(f, "TLS failed (-{:#06x})", code.unsigned_abs()),
        }
    }
}

impl core::error::Error for Broken {}

impl Error for Broken {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Lost => ErrorKind::ConnectionReset,
            Self::Tls(_) => ErrorKind::InvalidData,
        }
    }
}

impl From<embassy_net::tcp::Error> for Broken {
    fn from(_: embassy_net::tcp::Error) -> Self {
        Self::Lost
    }
}

impl ErrorType for Connection<'_> {
    type Error = Broken;
}

impl Read for Connection<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Broken> {
        match &mut self.0 {
            Kind::Plain(wire) => Ok(wire.read(buffer).await?),
            Kind::Secured(secured) => secured.read(buffer).await,
        }
    }
}

impl Write for Connection<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        match &mut self.0 {
            Kind::Plain(wire) => Ok(wire.write(bytes).await?),
            Kind::Secured(secured) => secured.write(bytes).await,
        }
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        match &mut self.0 {
            Kind::Plain(wire) => Ok(wire.flush().await?),
            Kind::Secured(secured) => secured.flush().await,
        }
    }
}
