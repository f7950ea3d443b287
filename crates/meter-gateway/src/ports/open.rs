use std::fmt::Write as _;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_serial::{SerialPort, SerialPortBuilderExt, SerialStream};

use super::{
    Access, Candidate, DataBits, Holder, Line, Parity, Roots, StopBits, access, holder, list,
};

/// Why a port could not be opened. Each message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path does not exist: unplugged, or another name now.
    #[error("no such device {}; {}", .path.display(), plugged_in(.plugged))]
    NoDevice {
        /// What was asked for.
        path: PathBuf,
        /// What is there instead.
        plugged: Vec<Candidate>,
    },
    /// The user may not open it.
    #[error("permission denied on {}: {access}", .access.path.display())]
    Permission {
        /// Who may, and the fix.
        access: Access,
    },
    /// Another program (or another input) reads it.
    #[error("{} is in use by {}: stop that first, two readers steal each other's bytes",
        .path.display(), .by.as_ref().map_or_else(|| "another program".to_owned(), ToString::to_string))]
    InUse {
        /// The port.
        path: PathBuf,
        /// Who, if `/proc` tells.
        by: Option<Holder>,
    },
    /// The path is something else.
    #[error("{} is no serial port: give the path of one, see `meterline ports`", .path.display())]
    NotSerial {
        /// What was asked for.
        path: PathBuf,
    },
    /// The driver refused the speed or the format.
    #[error("{} does not take {line}: {reason}; check baud, data_bits, parity and stop_bits", .path.display())]
    Settings {
        /// The port.
        path: PathBuf,
        /// What was asked of it.
        line: Line,
        /// The driver's words.
        reason: String,
    },
    /// The device is there and does not answer: just plugged in, or failing.
    #[error("cannot open {}: {source}; unplug the head and plug it in again", .path.display())]
    Device {
        /// The port.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

impl OpenError {
    /// One word for what is wrong, the same however the message reads.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoDevice { .. } => "no-device",
            Self::Permission { .. } => "permission",
            Self::InUse { .. } => "in-use",
            Self::NotSerial { .. } => "not-serial",
            Self::Settings { .. } => "settings",
            Self::Device { .. } => "device",
        }
    }
}

fn plugged_in(ports: &[Candidate]) -> String {
    if ports.is_empty() {
        return "no serial port is plugged in: check the USB cable \
                (in a container: pass the device in with --device)"
            .to_owned();
    }
    let mut text = String::from("plugged in:");
    for (index, port) in ports.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing into a String cannot fail.
        let _ = write!(text, "{comma} {}", port.stable_name().display());
    }
    text.push_str("; set port to one of these, or to \"auto\"");
    text
}

/// An open serial port: raw, ours alone, with RTS and DTR raised.
#[derive(Debug)]
pub struct Port {
    stream: SerialStream,
    /// Holds nothing by itself; it is the descriptor that told the exact error
    /// and keeps the device from hanging up between the two opens.
    _first: OwnedFd,
    path: PathBuf,
    line: Line,
}

impl Port {
    /// Opens `path`, which may be a link, with the settings of `line`.
    ///
    /// Must be called within a tokio runtime.
    pub fn open(path: &Path, line: Line) -> Result<Self, OpenError> {
        let first = reserve(path)?;
        let mut stream = tokio_serial::new(path.to_string_lossy(), line.baud)
            .data_bits(match line.data_bits {
                DataBits::Seven => tokio_serial::DataBits::Seven,
                DataBits::Eight => tokio_serial::DataBits::Eight,
            })
            .parity(match line.parity {
                Parity::None => tokio_serial::Parity::None,
                Parity::Even => tokio_serial::Parity::Even,
                Parity::Odd => tokio_serial::Parity::Odd,
            })
            .stop_bits(match line.stop_bits {
                StopBits::One => tokio_serial::StopBits::One,
                StopBits::Two => tokio_serial::StopBits::Two,
            })
            .open_native_async()
            .map_err(|error| settings(path, line, &error))?;
        // Some heads take their power from RTS or DTR. A pseudo-terminal has
        // neither, and a converter without them works all the same.
        let _ = stream.write_request_to_send(true);
        let _ = stream.write_data_terminal_ready(true);
        Ok(Self {
            stream,
            _first: first,
            path: path.to_owned(),
            line,
        })
    }

    /// Waits for bytes; `Ok(0)` and errors both mean that the port has gone.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer).await
    }

    /// Sends bytes through the head's transmitter.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The settings it was opened with.
    #[must_use]
    pub fn line(&self) -> Line {
        self.line
    }
}

/// Opens the device once with the bare system call, for the exact error number
/// (the serial library folds most of them together), and makes sure that
/// nobody else holds the lock. A failed attempt of the library would also lift
/// the other reader's exclusive mode, so it is asked only when it will get in.
fn reserve(path: &Path) -> Result<OwnedFd, OpenError> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let first =
        rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| refused(path, errno))?;
    if !rustix::termios::isatty(&first) {
        return Err(OpenError::NotSerial {
            path: path.to_owned(),
        });
    }
    if flock(&first, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(in_use(path));
    }
    // The lock belongs to the open file, so the library needs it for its own.
    let _ = flock(&first, FlockOperation::Unlock);
    Ok(first)
}

fn in_use(path: &Path) -> OpenError {
    OpenError::InUse {
        path: path.to_owned(),
        by: holder(path),
    }
}

fn refused(path: &Path, errno: Errno) -> OpenError {
    let path = path.to_owned();
    match errno {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => OpenError::NoDevice {
            path,
            plugged: list(&Roots::default()),
        },
        Errno::ACCESS | Errno::PERM => OpenError::Permission {
            access: access(&path),
        },
        Errno::BUSY => in_use(&path),
        Errno::ISDIR | Errno::NOTDIR | Errno::NOTTY => OpenError::NotSerial { path },
        other => OpenError::Device {
            path,
            source: other.into(),
        },
    }
}

fn settings(path: &Path, line: Line, error: &tokio_serial::Error) -> OpenError {
    use tokio_serial::ErrorKind;
    match error.kind {
        // Somebody came in between the two opens.
        ErrorKind::NoDevice | ErrorKind::Io(io::ErrorKind::WouldBlock) => in_use(path),
        ErrorKind::Io(kind) => OpenError::Device {
            path: path.to_owned(),
            source: kind.into(),
        },
        _ => OpenError::Settings {
            path: path.to_owned(),
            line,
            reason: error.description.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_numbers_become_fixes() {
        let path = Path::new("/dev/ttyUSB7");
        let message = refused(path, Errno::NOENT).to_string();
        assert!(
            message.starts_with("no such device /dev/ttyUSB7; "),
            "{message}"
        );
        let message = refused(path, Errno::BUSY).to_string();
        assert_eq!(
            message,
            "/dev/ttyUSB7 is in use by another program: stop that first, \
             two readers steal each other's bytes"
        );
        let message = refused(path, Errno::ACCESS).to_string();
        assert!(
            message.starts_with("permission denied on /dev/ttyUSB7: "),
            "{message}"
        );
        let message = refused(path, Errno::IO).to_string();
        assert!(message.contains("unplug the head"), "{message}");
    }

    #[test]
    fn a_missing_device_lists_what_is_there() {
        let port = |device: &str| Candidate {
            device: device.into(),
            by_id: None,
            by_path: None,
            usb: None,
        };
        assert_eq!(
            plugged_in(&[port("/dev/ttyUSB0"), port("/dev/ttyACM0")]),
            "plugged in: /dev/ttyUSB0, /dev/ttyACM0; set port to one of these, or to \"auto\""
        );
        assert!(plugged_in(&[]).starts_with("no serial port is plugged in"));
    }
}
