//! The program under measurement, as a process.

use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Failure, Result};

/// How long the program may take until it is ready.
const START: Duration = Duration::from_mins(1);

/// A running `meterline`. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    child: Child,
}

impl Program {
    /// Starts it with a configuration, and waits until it says that it is ready. Its log is added to `folder`.
    pub fn start(program: &Path, folder: &Path, config: &Path) -> Result<Self> {
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
        let mut program = Self { child };
        program.wait_until_ready(&notify).map_err(|failure| {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            Failure::from(format!("{failure}; its log:\n{log}"))
        })?;
        Ok(program)
    }

    fn wait_until_ready(&mut self, notify: &UnixDatagram) -> Result {
        let start = Instant::now();
        let mut message = [0; 4096];
        while start.elapsed() < START {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("meterline ended before it was ready ({status})").into());
            }
            let Ok(length) = notify.recv(&mut message) else {
                continue;
            };
            let mut lines = message
                .get(..length)
                .unwrap_or_default()
                .split(|byte| *byte == b'\n');
            if lines.any(|line| line == b"READY=1") {
                return Ok(());
            }
        }
        Err("meterline did not say that it is ready".into())
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no chance to finish anything.
    pub fn kill(mut self) -> Result {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, as a service manager does; gives how long the end took.
    pub fn stop(mut self) -> Result<Duration> {
        let start = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("meterline did not end well ({status})").into());
        }
        Ok(start.elapsed())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It is gone already unless an experiment failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
