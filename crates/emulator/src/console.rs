//! The board's console, for the test and for programs that want to talk to the device.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::Result;

/// A console that many listen to and speak on: each hears everything.
#[derive(Debug)]
pub(crate) struct Console {
    shared: Arc<Shared>,
    place: PathBuf,
    /// What the board says, line by line.
    pub(crate) lines: Receiver<String>,
}

#[derive(Debug)]
struct Shared {
    keyboard: Mutex<ChildStdin>,
    guests: Mutex<Vec<UnixStream>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Console {
    /// Takes the board's line over, and listens for guests in `folder`. Its threads end with the board
    /// and with the test's process.
    pub(crate) fn new(keyboard: ChildStdin, paper: ChildStdout, folder: &Path) -> Result<Self> {
        let place = folder.join("console");
        let listener = UnixListener::bind(&place)?;
        let shared = Arc::new(Shared {
            keyboard: Mutex::new(keyboard),
            guests: Mutex::default(),
        });
        let (sender, lines) = channel();
        let heard = Arc::clone(&shared);
        thread::spawn(move || heard.hear(paper, &sender));
        let door = Arc::clone(&shared);
        thread::spawn(move || {
            for guest in listener.incoming().flatten() {
                let shared = Arc::clone(&door);
                thread::spawn(move || shared.entertain(guest));
            }
        });
        Ok(Self {
            shared,
            place,
            lines,
        })
    }

    /// Types a line.
    pub(crate) fn enter(&self, line: &str) -> Result {
        Ok(self.shared.type_in(format!("{line}\n").as_bytes())?)
    }

    /// Where other programs find it.
    pub(crate) fn place(&self) -> String {
        format!("unix:{}", self.place.display())
    }
}

impl Shared {
    fn type_in(&self, bytes: &[u8]) -> std::io::Result<()> {
        let mut keyboard = lock(&self.keyboard);
        keyboard.write_all(bytes)?;
        keyboard.flush()
    }

    /// Hands on what the board says, until it is switched off.
    fn hear(&self, paper: ChildStdout, lines: &Sender<String>) {
        let mut paper = BufReader::new(paper);
        let mut line = Vec::new();
        loop {
            let count = match paper.fill_buf() {
                Ok([]) | Err(_) => break,
                Ok(heard) => {
                    // Who has gone is forgotten.
                    lock(&self.guests).retain_mut(|guest| guest.write_all(heard).is_ok());
                    for octet in heard {
                        line.push(*octet);
                        if *octet == b'\n' {
                            let text = String::from_utf8_lossy(&line);
                            // Nobody may listen any more.
                            let _ = lines.send(text.trim_end_matches(['\r', '\n']).to_owned());
                            line.clear();
                        }
                    }
                    heard.len()
                }
            };
            paper.consume(count);
        }
        for guest in lock(&self.guests).drain(..) {
            // It may have gone.
            let _ = guest.shutdown(Shutdown::Both);
        }
    }

    /// Types in what a guest says.
    fn entertain(&self, mut guest: UnixStream) {
        let Ok(ear) = guest.try_clone() else {
            return;
        };
        lock(&self.guests).push(ear);
        let mut said = [0; 1024];
        while let Ok(count @ 1..) = guest.read(&mut said) {
            if self.type_in(&said[..count]).is_err() {
                break;
            }
        }
    }
}
