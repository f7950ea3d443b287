//! How a board is switched on.

use std::env;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::console::Console;
use crate::monitor::Monitor;
use crate::servers::NameServer;
use crate::{Board, PATIENCE, QEMU, Result};

/// Where the firmware is that `cargo xtask firmware build` has made.
pub const FIRMWARE: &str = "METERLINE_FIRMWARE";

/// The size of the flash, in bytes.
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

/// What runs on the board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Program {
    /// The device.
    #[default]
    Device,
    /// What tries each part of the board.
    Trial,
    /// What counts instructions.
    Measure,
}

/// What a board is switched on with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup<'s> {
    /// What runs on it.
    pub program: Program,
    /// The file that is its flash; made if it is not there. Without it the board has one of its own, which
    /// is lost with it.
    pub flash: Option<&'s Path>,
    /// Who tells it the addresses of names; without it, who tells them to the host.
    pub names: Option<&'s NameServer>,
    /// How many times as fast its clock goes; 0 for one that is right.
    pub pace: u32,
    /// Whether its time is that of its instructions, 8 ns each: then the same work takes the same time,
    /// however busy the host is.
    pub counts: bool,
}

/// Where the board looks for its pace: `PACE` in `firmware/qemu-virt/src/registers.rs`.
const PACE: u32 = 0x8080_8000;

impl Setup<'_> {
    /// Switches it on. `None`, which is said, where there is no program.
    ///
    /// # Panics
    ///
    /// With `CI=true` where it is missing.
    pub fn start(&self) -> Result<Option<Board>> {
        let Some(device) = env::var_os(FIRMWARE).map(PathBuf::from) else {
            recordings::missing(
                "no firmware in $METERLINE_FIRMWARE: run `cargo xtask firmware test`",
            );
            return Ok(None);
        };
        let program = match self.program {
            Program::Device => device,
            Program::Trial => device.with_file_name("trial"),
            Program::Measure => device.with_file_name("measure"),
        };
        let folder = tempfile::tempdir()?;
        let [head, talk, own] = ["meter", "monitor", "flash"].map(|name| folder.path().join(name));
        let flash = self.flash.unwrap_or(&own);
        if !flash.exists() {
            fs::write(flash, vec![0xff; FLASH])?;
        }
        let mut child = self
            .emulator(folder.path())?
            .args([
                "-machine", "virt", "-smp", "1", "-m", "16M", "-bios", "none",
            ])
            .args(["-nographic", "-monitor", "none", "-serial", "stdio"])
            .arg("-kernel")
            .arg(program)
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
            .arg("-device")
            .arg(format!(
                "loader,addr={PACE:#x},data={},data-len=4",
                self.pace
            ))
            .args(
                self.counts
                    .then_some(["-icount", "shift=3"])
                    .iter()
                    .flatten(),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{QEMU}: {error}"))?;
        let keyboard = child.stdin.take().ok_or("no console")?;
        let paper = child.stdout.take().ok_or("no console")?;
        let console = Console::new(keyboard, paper, folder.path())?;
        let meter = connect(&head, &mut child)?;
        let monitor = Monitor::new(connect(&talk, &mut child)?, folder.path().into())?;
        let mut board = Board {
            child,
            console,
            meter,
            monitor,
            said: Vec::new(),
            folder,
        };
        board.until("on qemu-virt")?;
        Ok(Some(board))
    }

    /// The emulator, without its arguments. QEMU hands the board's questions for names to the first
    /// server in `/etc/resolv.conf`, so this file is another one for it.
    fn emulator(&self, folder: &Path) -> Result<Command> {
        let Some(names) = self.names else {
            return Ok(Command::new(QEMU));
        };
        let file = folder.join("resolv.conf");
        names.write_resolv_conf(&file)?;
        let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]);
        command.arg(file).arg(QEMU);
        Ok(command)
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
