//! The program under measurement, as a process.

use std::env;
use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use rustix::process::{Signal, kill_process};

use crate::Failure;

/// How long the program may take until it is ready.
const START: Duration = Duration::from_secs(20);

/// A running daemon. Dropping it kills it.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts the program and waits until it says that it is ready. Its log goes to `folder`.
    pub fn start(folder: &Path, config: &Path) -> Result<Self, Failure> {
        let program = env::var_os("METERLINE_PROGRAM").ok_or("METERLINE_PROGRAM is not set")?;
        let address = folder.join("notify");
        if address.exists() {
            fs::remove_file(&address)?;
        }
        let notify = UnixDatagram::bind(&address)?;
        notify.set_read_timeout(Some(Duration::from_millis(200)))?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))?;
        let child = Command::new(program)
            .args(["run", "--config"])
            .arg(config)
            .env("NOTIFY_SOCKET", &address)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut daemon = Self { child };
        daemon.wait_until_ready(&notify).map_err(|failure| {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            format!("{failure}; its log:\n{log}")
        })?;
        Ok(daemon)
    }

    fn wait_until_ready(&mut self, notify: &UnixDatagram) -> Result<(), Failure> {
        let start = Instant::now();
        let mut message = [0; 4096];
        while start.elapsed() < START {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("meterline ended before it was ready ({status})").into());
            }
            let Ok(length) = notify.recv(&mut message) else {
                continue;
            };
            if message[..length]
                .split(|byte| *byte == b'\n')
                .any(|line| line == b"READY=1")
            {
                return Ok(());
            }
        }
        Err("meterline did not say that it is ready".into())
    }

    /// Processor time of all its threads so far, ended ones too.
    pub fn processor_time(&self) -> Result<Duration, Failure> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?);
        Ok(clock_getcpuclockid(pid)?.now()?.into())
    }

    /// The most memory that it had at once, in KiB.
    pub fn peak_memory(&self) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .ok_or("the system does not say how much memory was used")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// SIGKILL: no chance to finish anything.
    pub fn kill(mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, as a service manager does; gives how long the end took.
    pub fn stop(mut self) -> Result<Duration, Failure> {
        let start = Instant::now();
        let pid = rustix::process::Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("meterline did not end well ({status})").into());
        }
        Ok(start.elapsed())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It is gone already unless a measurement failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
