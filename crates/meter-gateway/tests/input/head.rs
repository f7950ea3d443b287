//! A read head on a pseudo-terminal.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// A pseudo-terminal: the meter's end, and the path of the reader's end.
pub struct Head {
    pub line: File,
    pub path: PathBuf,
}

/// Plugs in a head. Dropping it unplugs it.
pub fn plug_in() -> Head {
    let line = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&line).unwrap();
    unlockpt(&line).unwrap();
    let path = PathBuf::from(ptsname(&line, Vec::new()).unwrap().into_string().unwrap());
    // What comes before the reader has opened the port is not to be echoed or held for a line.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let port = open(&path, flags, Mode::empty()).unwrap();
    let mut settings = tcgetattr(&port).unwrap();
    settings.make_raw();
    tcsetattr(&port, OptionalActions::Now, &settings).unwrap();
    Head {
        line: line.into(),
        path,
    }
}

/// Gives a port a name, or another port the same name.
pub fn link(port: &Path, name: &Path) {
    let _ = std::fs::remove_file(name);
    symlink(port, name).unwrap();
}

/// A head that sends by itself. Dropping it unplugs it.
pub struct Speaking {
    pub path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Head {
    /// Sends all that `bytes` gives, every 50 ms, for ever. As with a real head, what nobody reads
    /// is lost.
    pub fn speak(mut self, mut bytes: impl FnMut() -> Vec<u8> + Send + 'static) -> Speaking {
        fcntl_setfl(&self.line, OFlags::NONBLOCK).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let path = self.path.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let _ = self.line.write(&bytes());
                sleep(Duration::from_millis(50));
            }
        });
        Speaking {
            path,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Speaking {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
