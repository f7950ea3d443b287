//! A simulated meter behind a read head: a pty that the program opens like a serial port.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::time::Duration;

use meter_sim::{Meter, MeterConfig, Telegram, model};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::Result;

/// A meter that sends when it is told to.
#[derive(Debug)]
pub struct Head {
    meter: Meter,
    line: File,
    /// Kept open, so that the line does not hang up while the program does not run.
    _other_end: OwnedFd,
    port: String,
}

impl Head {
    /// A meter of this model, its telegrams `step` apart in its own time. A serial number tells it from others of
    /// the same maker.
    pub fn new(model: &str, serial: Option<u32>, step: Duration) -> Result<Self> {
        let config = MeterConfig {
            step_ms: Some(u64::try_from(step.as_millis())?),
            serial,
            ..MeterConfig::default()
        };
        let meter = Meter::new(model::find(model)?, &config);
        let line = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&line)?;
        unlockpt(&line)?;
        let port = ptsname(&line, Vec::new())?.into_string()?;
        let other_end = File::options().read(true).write(true).open(&port)?.into();
        // As a line that passes bytes on and echoes nothing.
        let mut settings = tcgetattr(&other_end)?;
        settings.make_raw();
        tcsetattr(&other_end, OptionalActions::Now, &settings)?;
        Ok(Self {
            meter,
            line: line.into(),
            _other_end: other_end,
            port,
        })
    }

    /// Where the program finds it.
    #[must_use]
    pub fn port(&self) -> &str {
        &self.port
    }

    /// The meter behind it.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Sends the next telegram, and returns when its last byte is written.
    pub fn send(&mut self) -> Result<Telegram> {
        let telegram = self.meter.telegram();
        self.line.write_all(&telegram.bytes)?;
        Ok(telegram)
    }
}
