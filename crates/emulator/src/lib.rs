//! The firmware as a program that tests can boot: QEMU's riscv32 board `virt`, with the console as
//! lines of text, the meter's read head as a socket, and QEMU's monitor for cable, button and display.
//!
//! The host is 10.0.2.2 for the board, and the board's flash is a file that outlives a reset.

mod monitor;

pub mod improv;

use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use monitor::Monitor;
pub use monitor::{HEIGHT, Picture, WIDTH};

/// What all of it may fail with.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// The emulator.
pub const QEMU: &str = "qemu-system-riscv32";

/// Where the firmware is that `cargo xtask firmware build` has made.
pub const FIRMWARE: &str = "METERLINE_FIRMWARE";

/// Nothing takes this long unless it hangs, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_mins(1);

/// A meter's line: 9600 baud, 8N1.
const BYTES_A_SECOND: u32 = 960;

/// The flash of a chip, erased.
const FLASH: usize = 1024 * 1024;

/// The devices that the board has beside those of QEMU's `virt`.
const DEVICES: &[&str] = &[
    "-global",
    "virtio-mmio.force-legacy=false",
    "-netdev",
    "user,id=n0",
    "-device",
    "virtio-net-device,netdev=n0",
    "-device",
    "virtio-rng-device",
    "-device",
    "virtio-keyboard-device",
    "-device",
    "virtio-blk-device,drive=flash",
    "-device",
    "pci-serial,chardev=meter",
];

/// A board that runs. Dropping it switches it off.
#[derive(Debug)]
pub struct Board {
    child: Child,
    console: ChildStdin,
    lines: Receiver<String>,
    meter: UnixStream,
    monitor: Monitor,
    /// What the console has said so far.
    said: Vec<String>,
    _folder: TempDir,
}

impl Board {
    /// Switches a board on that runs the device's program. `None`, which is said, where there is none.
    ///
    /// # Panics
    ///
    /// With `CI=true` where it is missing.
    pub fn start() -> Result<Option<Self>> {
        Self::run(None)
    }

    /// Switches a board on that runs the program which tries each of its parts.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn trial() -> Result<Option<Self>> {
        Self::run(Some("trial"))
    }

    /// Runs the device's program, or one that lies beside it.
    fn run(beside: Option<&str>) -> Result<Option<Self>> {
        let firmware = env::var_os(FIRMWARE).map(PathBuf::from);
        let firmware = firmware.map(|device| match beside {
            Some(name) => device.with_file_name(name),
            None => device,
        });
        let Some(firmware) = firmware else {
            recordings::missing(
                "no firmware in $METERLINE_FIRMWARE: run `cargo xtask firmware test`",
            );
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let [head, talk, flash] =
            ["meter", "monitor", "flash"].map(|name| folder.path().join(name));
        fs::write(&flash, vec![0xff; FLASH])?;
        let mut child = Command::new(QEMU)
            .args([
                "-machine", "virt", "-smp", "1", "-m", "16M", "-bios", "none",
            ])
            .args(["-nographic", "-monitor", "none", "-serial", "stdio"])
            .arg("-kernel")
            .arg(firmware)
            .arg("-chardev")
            .arg(format!(
                "socket,id=meter,path={},server=on,wait=off",
                head.display()
            ))
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", talk.display()))
            .arg("-drive")
            .arg(format!(
                "if=none,id=flash,format=raw,file={}",
                flash.display()
            ))
            .args(DEVICES)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{QEMU}: {error}"))?;
        let console = child.stdin.take().ok_or("no console")?;
        let output = child.stdout.take().ok_or("no console")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output)
                .lines()
                .map_while(std::io::Result::ok)
            {
                // Nobody may listen any more.
                let _ = sender.send(line);
            }
        });
        let meter = connect(&head, &mut child)?;
        let monitor = Monitor::new(connect(&talk, &mut child)?, folder.path().into())?;
        let mut board = Self {
            child,
            console,
            lines,
            meter,
            monitor,
            said: Vec::new(),
            _folder: folder,
        };
        board.until("on qemu-virt")?;
        Ok(Some(board))
    }

    /// Lets the meter send bytes, as fast as its line carries them.
    pub fn send(&mut self, bytes: &[u8]) -> Result {
        let begin = Instant::now();
        let mut due = Duration::ZERO;
        for piece in bytes.chunks(32) {
            thread::sleep(due.saturating_sub(begin.elapsed()));
            self.meter.write_all(piece)?;
            due += Duration::from_secs(piece.len() as u64) / BYTES_A_SECOND;
        }
        Ok(())
    }

    /// Types a line into the console.
    pub fn enter(&mut self, line: &str) -> Result {
        writeln!(self.console, "{line}")?;
        Ok(self.console.flush()?)
    }

    /// Waits for a line with this text, and returns it.
    pub fn until(&mut self, text: &str) -> Result<String> {
        let begin = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            let line = self.lines.recv_timeout(left).map_err(|error| {
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

    /// What the display shows.
    pub fn picture(&mut self) -> Result<Picture> {
        self.monitor.picture()
    }

    /// Lets the firmware end, and returns its exit status and all that it said.
    pub fn stop(mut self) -> Result<(ExitStatus, Vec<String>)> {
        self.enter("exit")?;
        let status = self.child.wait()?;
        let mut said = std::mem::take(&mut self.said);
        said.extend(self.lines.iter());
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

/// The emulator makes the socket a moment after its start.
fn connect(path: &Path, child: &mut Child) -> Result<UnixStream> {
    let begin = Instant::now();
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(error) if begin.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => {}
        }
        if let Some(status) = child.try_wait()? {
            return Err(format!("{QEMU} ended at once ({status})").into());
        }
        thread::sleep(Duration::from_millis(10));
    }
}
