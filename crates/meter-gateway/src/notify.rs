//! What the service manager is told (`sd_notify(3)`), without libsystemd.
//!
//! The socket is opened once. Nothing here can block or fail the program: a message that does not
//! get through is logged at DEBUG, and systemd's own time limits deal with the rest.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The line to the service manager, or nothing when the program was started by hand.
#[derive(Debug, Default)]
pub struct Notify {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// As systemd sets it up: `$NOTIFY_SOCKET`, `$WATCHDOG_USEC` and `$WATCHDOG_PID`.
    #[must_use]
    pub fn from_env() -> Self {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET") else {
            return Self::default();
        };
        let number = |name| {
            std::env::var(name)
                .ok()
                .and_then(|text| text.parse::<u64>().ok())
        };
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC")
            .filter(|_| ours)
            .map(Duration::from_micros);
        Self::to(&address, watchdog).unwrap_or_else(|error| {
            tracing::warn!(
                "systemd cannot be reached at {}: {error}",
                address.display()
            );
            Self::default()
        })
    }

    /// Sends to the socket at `address` (`@name` for the abstract namespace), and wants to be fed
    /// within `watchdog`.
    pub fn to(address: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let address = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(address)?,
        };
        socket.connect_addr(&address)?;
        Ok(Self {
            socket: Some(socket),
            watchdog,
        })
    }

    /// How often [`Self::feed`] has to be called: half of what systemd allows.
    #[must_use]
    pub fn feed_every(&self) -> Option<Duration> {
        self.watchdog.map(|allowed| allowed / 2)
    }

    /// Everything runs.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// The configuration is being read again; [`Self::ready`] follows.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let usec = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
    }

    /// The program is ending.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    /// One line for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", one_line(status)));
    }

    /// The reading loop lives.
    pub fn feed(&self) {
        self.send("WATCHDOG=1");
    }

    fn send(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(message.as_bytes()) {
            tracing::debug!("systemd did not take {message:?}: {error}");
        }
    }
}

/// A line break would begin another assignment.
fn one_line(status: &str) -> String {
    status.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn says_what_systemd_expects() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::to(path.as_os_str(), Some(Duration::from_secs(20))).unwrap();
        assert_eq!(notify.feed_every(), Some(Duration::from_secs(10)));

        notify.ready("reading\n1 meter");
        assert_eq!(receive(&manager), "READY=1\nSTATUS=reading 1 meter");
        notify.reloading();
        let reloading = receive(&manager);
        let usec = reloading
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .unwrap();
        assert!(usec.parse::<u64>().unwrap() > 0);
        notify.feed();
        assert_eq!(receive(&manager), "WATCHDOG=1");
        notify.stopping();
        assert_eq!(receive(&manager), "STOPPING=1\nSTATUS=stopping");
    }

    #[test]
    fn the_abstract_namespace_works_too() {
        let name = format!("meterline-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let notify = Notify::to(OsStr::new(&format!("@{name}")), None).unwrap();
        notify.status("idle");
        assert_eq!(receive(&manager), "STATUS=idle");
    }

    #[test]
    fn a_manager_that_does_not_listen_blocks_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::to(path.as_os_str(), None).unwrap();
        for _ in 0..10_000 {
            notify.feed();
        }
        manager.set_nonblocking(true).unwrap();
        let heard = std::iter::from_fn(|| manager.recv(&mut [0; 64]).ok()).count();
        assert!(
            heard > 0 && heard < 10_000,
            "{heard}: what has no room is dropped"
        );
        drop(manager);
        notify.feed();
        Notify::default().feed();
    }
}
