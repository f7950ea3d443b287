//! A meter on a pseudo terminal: to a reader it is a serial port.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, QueueSelector};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::task::AbortHandle;

use super::pace::{self, Sink};
use super::{Address, Feed, Running, ServeError, Timing};

/// More unread bytes than this mean that nobody has the port open: they are thrown away, as a
/// serial port throws away what arrives while it is closed. A telegram has at most 684.
const UNREAD: u64 = 3072;

/// A port whose queue stays empty for this many looks in a row has been read: the system moves
/// bytes into that queue a moment after they were written.
const EMPTY_LOOKS: u32 = 10;

/// How long a meter that does not wait for its reader leaves it for the last telegram.
const FINISH: Duration = Duration::from_millis(500);

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Serves a meter on a new pseudo terminal. Must be called within a tokio runtime.
///
/// With `link`, a symbolic link of this path leads to it for as long as it exists; one that is left
/// over from an earlier run is replaced.
///
/// # Errors
/// [`ServeError::Pty`], [`ServeError::LinkTaken`], [`ServeError::Link`].
pub fn pty(feed: Feed, timing: Timing, link: Option<&Path>) -> Result<Running, ServeError> {
    let Open {
        sender,
        receiver,
        echo,
        port,
        path,
    } = open().map_err(|cause| ServeError::Pty { cause })?;
    let link = link.map(|link| Link::make(link, &path)).transpose()?;
    let echo = feed.line.faults().echo.then_some(echo);
    let listener = tokio::spawn(listen(receiver, echo)).abort_handle();
    let address = Address::Port(link.as_ref().map_or(path, |link| link.path.clone()));
    let sink = Pty {
        sender,
        port,
        listener,
        _link: link,
    };
    Ok(pace::start(feed, timing, sink, address))
}

/// A new pseudo terminal.
///
/// To tokio its controlling end is a pipe: that is its only safe way to wait for a descriptor of
/// any kind. Each part has a descriptor of its own for the same end.
struct Open {
    sender: pipe::Sender,
    receiver: pipe::Receiver,
    echo: pipe::Sender,
    /// The reader's end.
    port: OwnedFd,
    path: PathBuf,
}

/// Opens both ends, without any processing of the bytes.
fn open() -> io::Result<Open> {
    let controller =
        rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&controller)?;
    rustix::pty::unlockpt(&controller)?;
    let name = rustix::pty::ptsname(&controller, Vec::new())?;
    let path = PathBuf::from(std::ffi::OsString::from_vec(name.into_bytes()));
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let port = rustix::fs::open(&path, flags, rustix::fs::Mode::empty())?;
    let mut settings = rustix::termios::tcgetattr(&port)?;
    settings.make_raw();
    rustix::termios::tcsetattr(&port, OptionalActions::Now, &settings)?;
    let flags = rustix::fs::fcntl_getfl(&controller)?;
    rustix::fs::fcntl_setfl(&controller, flags | OFlags::NONBLOCK)?;
    Ok(Open {
        receiver: pipe::Receiver::from_owned_fd_unchecked(controller.try_clone()?)?,
        echo: pipe::Sender::from_owned_fd_unchecked(controller.try_clone()?)?,
        sender: pipe::Sender::from_owned_fd_unchecked(controller)?,
        port,
        path,
    })
}

struct Pty {
    /// Goes before the terminal does, whose name may be somebody else's at once.
    _link: Option<Link>,
    sender: pipe::Sender,
    /// The reader's end, held open so that its settings outlive each reader.
    port: OwnedFd,
    listener: AbortHandle,
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Sink for Pty {
    async fn ready(&mut self, waits: bool) -> io::Result<()> {
        if !waits && rustix::io::ioctl_fionread(&self.port)? > UNREAD {
            rustix::termios::tcflush(&self.port, QueueSelector::IFlush)?;
        }
        Ok(())
    }

    async fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sender.write_all(bytes).await
    }

    async fn finish(&mut self, waits: bool) {
        // Closing this end takes from the reader what it has not read yet.
        if waits {
            self.until_read().await;
        } else {
            // A reader that reads at all needs less; one that does not misses nothing it wants.
            let _ = tokio::time::timeout(FINISH, self.until_read()).await;
        }
    }
}

impl Pty {
    async fn until_read(&self) {
        let mut empty = 0;
        while empty < EMPTY_LOOKS {
            match rustix::io::ioctl_fionread(&self.port) {
                Ok(0) => empty += 1,
                Ok(_) => empty = 0,
                Err(_) => return,
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Takes what the reader sends, which a meter that only pushes does not mind, and sends it back if
/// the line echoes.
async fn listen(mut receiver: pipe::Receiver, mut echo: Option<pipe::Sender>) -> io::Result<()> {
    let mut buffer = [0; 256];
    loop {
        let read = receiver.read(&mut buffer).await?;
        if let Some(echo) = &mut echo {
            echo.write_all(buffer.get(..read).unwrap_or_default())
                .await?;
        }
    }
}

/// A symbolic link that goes with the pseudo terminal.
struct Link {
    path: PathBuf,
    target: PathBuf,
}

impl Link {
    fn make(path: &Path, target: &Path) -> Result<Self, ServeError> {
        let failed = |cause| ServeError::Link {
            path: path.to_owned(),
            cause,
        };
        if let Ok(present) = std::fs::symlink_metadata(path) {
            let left_over = present.is_symlink()
                && std::fs::read_link(path).is_ok_and(|target| target.starts_with("/dev/pts"));
            if !left_over {
                return Err(ServeError::LinkTaken {
                    path: path.to_owned(),
                });
            }
            std::fs::remove_file(path).map_err(failed)?;
        }
        std::os::unix::fs::symlink(target, path).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            target: target.to_owned(),
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Another run may have taken the path over; its link is not ours to remove.
        if std::fs::read_link(&self.path).is_ok_and(|target| target == self.target) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
