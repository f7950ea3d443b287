//! The line to a device.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use meter_gateway::ports::{self, DataBits, Parity, Port, StopBits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::Error;

/// How a device's console is set.
const LINE: ports::Line = ports::Line {
    baud: 115_200,
    data_bits: DataBits::Eight,
    parity: Parity::None,
    stop_bits: StopBits::One,
};

/// Where a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A serial port.
    Serial(PathBuf),
    /// A socket in the file system, such as that of an emulated board.
    Unix(PathBuf),
    /// A socket, or an adapter in the network.
    Tcp(String),
}

impl FromStr for Place {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if let Some(path) = text.strip_prefix("unix:") {
            Self::Unix(path.into())
        } else if let Some(address) = text.strip_prefix("tcp:") {
            Self::Tcp(address.to_owned())
        } else {
            Self::Serial(text.into())
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(path) => path.display().fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// An open line.
#[derive(Debug)]
pub enum Line {
    /// A serial port.
    Serial(Port),
    /// A socket in the file system.
    Unix(UnixStream),
    /// A socket.
    Tcp(TcpStream),
}

impl Line {
    /// Opens it.
    pub async fn open(place: &Place) -> Result<Self, Error> {
        let unreachable = |source| Error::Unreachable {
            place: place.clone(),
            source,
        };
        Ok(match place {
            Place::Serial(path) => Self::serial(path)?,
            Place::Unix(path) => Self::Unix(UnixStream::connect(path).await.map_err(unreachable)?),
            Place::Tcp(address) => {
                Self::Tcp(TcpStream::connect(address).await.map_err(unreachable)?)
            }
        })
    }

    /// Opens a serial port.
    pub fn serial(path: &Path) -> Result<Self, Error> {
        Port::open(path, LINE)
            .map(Self::Serial)
            .map_err(Error::Port)
    }

    /// Waits for bytes; none means that the line is closed.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Serial(port) => port.read(buffer).await,
            Self::Unix(stream) => stream.read(buffer).await,
            Self::Tcp(stream) => stream.read(buffer).await,
        }
    }

    /// Sends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Serial(port) => port.write(bytes).await,
            Self::Unix(stream) => stream.write_all(bytes).await,
            Self::Tcp(stream) => stream.write_all(bytes).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_they_are_read() {
        for text in ["/dev/ttyACM0", "unix:/tmp/a", "tcp:127.0.0.1:4444"] {
            let Ok(place) = text.parse::<Place>();
            assert_eq!(place.to_string(), text);
        }
    }
}
