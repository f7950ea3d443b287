//! The firmware as a program that tests can boot: QEMU's riscv32 board `virt`, with the console as
//! lines of text, the meter's read head as a socket, and QEMU's monitor for cable, button and display.
//!
//! The host is 10.0.2.2 for the board, and the board's flash is a file that outlives a reset.

mod console;
mod debugger;
mod monitor;
mod setup;

pub mod day;
pub mod improv;
pub mod servers;

use std::error::Error;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use console::Console;
use debugger::Debugger;
use monitor::Monitor;
pub use monitor::{HEIGHT, Picture, WIDTH};
pub use setup::{FIRMWARE, Program, Setup};

/// What all of it may fail with.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// The emulator.
pub const QEMU: &str = "qemu-system-riscv32";

/// Nothing takes this long unless it hangs, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_mins(1);

/// A meter's line: 9600 baud, 8N1.
pub const BYTES_A_SECOND: u32 = 960;

/// A board that runs. Dropping it switches it off.
#[derive(Debug)]
pub struct Board {
    child: Child,
    console: Console,
    meter: UnixStream,
    monitor: Monitor,
    /// What the console has said so far.
    said: Vec<String>,
    folder: TempDir,
}

impl Board {
    /// Switches a board on that runs the device's program. `None`, which is said, where there is none.
    ///
    /// # Panics
    ///
    /// With `CI=true` where it is missing.
    pub fn start() -> Result<Option<Self>> {
        Setup::default().start()
    }

    /// Switches a board on that runs the program which tries each of its parts.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn trial() -> Result<Option<Self>> {
        let setup = Setup {
            program: Program::Trial,
            ..Setup::default()
        };
        setup.start()
    }

    /// Lets the meter send bytes, as fast as its line carries them.
    pub fn send(&mut self, bytes: &[u8]) -> Result {
        self.send_at(BYTES_A_SECOND, bytes)
    }

    /// The same over a line of another speed.
    pub fn send_at(&mut self, bytes_a_second: u32, bytes: &[u8]) -> Result {
        let begin = Instant::now();
        let mut due = Duration::ZERO;
        for piece in bytes.chunks(32) {
            self.meter.write_all(piece)?;
            due += Duration::from_secs(piece.len() as u64) / bytes_a_second;
            thread::sleep(due.saturating_sub(begin.elapsed()));
        }
        Ok(())
    }

    /// Types a line into the console.
    pub fn enter(&mut self, line: &str) -> Result {
        self.console.enter(line)
    }

    /// Where another program finds the console: `unix:PATH`. What it hears and says does not take
    /// anything away from the test.
    #[must_use]
    pub fn place(&self) -> String {
        self.console.place()
    }

    /// Waits for a line with this text, and returns it.
    pub fn until(&mut self, text: &str) -> Result<String> {
        self.until_within(PATIENCE, text)
    }

    /// The same for what takes longer.
    pub fn until_within(&mut self, patience: Duration, text: &str) -> Result<String> {
        let begin = Instant::now();
        loop {
            let left = patience.saturating_sub(begin.elapsed());
            let line = self.console.lines.recv_timeout(left).map_err(|error| {
                let why = match error {
                    RecvTimeoutError::Timeout => "it did not come in time",
                    RecvTimeoutError::Disconnected => "the board was switched off",
                };
                format!(
                    "{text:?} is not on the console ({why}):\n{}",
                    self.said.join("\n")
                )
            })?;
            self.said.push(line.clone());
            if line.contains(text) {
                return Ok(line);
            }
        }
    }

    /// All that the console has said since the last call.
    pub fn hear(&mut self) -> Vec<String> {
        self.said.extend(self.console.lines.try_iter());
        std::mem::take(&mut self.said)
    }

    /// Plugs the network's cable in, or pulls it.
    pub fn plug(&mut self, plugged_in: bool) -> Result {
        let arguments = json!({ "name": "n0", "up": plugged_in });
        self.monitor.execute("set_link", &arguments).map(drop)
    }

    /// Presses the button.
    pub fn press(&mut self) -> Result {
        let arguments = json!({ "keys": [{ "type": "qcode", "data": "spc" }] });
        self.monitor.execute("send-key", &arguments).map(drop)
    }

    /// Presses the reset button: the flash stays as it is.
    pub fn reset(&mut self) -> Result {
        self.monitor.execute("system_reset", &json!({})).map(drop)
    }

    /// Lets the program run into a fault: the next instruction is where there is no memory.
    pub fn crash(&mut self) -> Result {
        self.debugger()?.go_on_at(0)
    }

    /// Lets the program hang: it goes round in a circle, and only interrupts go on.
    pub fn hang(&mut self) -> Result {
        /// Memory that nobody uses.
        const CIRCLE: u32 = 0x8082_0000;
        /// `csrsi mstatus, 8` lets interrupts come, and `j .` goes nowhere.
        const PROGRAM: [u32; 2] = [0x3004_6073, 0x0000_006f];
        let mut debugger = self.debugger()?;
        debugger.write(CIRCLE, &PROGRAM)?;
        debugger.go_on_at(CIRCLE)
    }

    fn debugger(&mut self) -> Result<Debugger> {
        let place = self.folder.path().join("debugger");
        let order = format!("gdbserver unix:{},server=on,wait=off", place.display());
        let arguments = json!({ "command-line": order });
        self.monitor.execute("human-monitor-command", &arguments)?;
        Ok(Debugger::new(UnixStream::connect(place)?))
    }

    /// What the display shows.
    pub fn picture(&mut self) -> Result<Picture> {
        self.monitor.picture()
    }

    /// Lets the firmware end, and returns its exit status and all that it said.
    pub fn stop(mut self) -> Result<(ExitStatus, Vec<String>)> {
        self.enter("exit")?;
        let status = self.child.wait()?;
        let mut said = std::mem::take(&mut self.said);
        said.extend(self.console.lines.iter());
        Ok((status, said))
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
