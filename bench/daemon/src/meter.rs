//! A simulated meter behind a read head: a pty that the daemon opens like a serial port.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use meter_sim::{Meter, MeterConfig, Telegram, model};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use sml_wire::Obis;

use crate::Failure;

/// A telegram that went over the line.
pub struct Sent {
    /// When its last byte was written.
    pub at: Instant,
    /// Its counter of imported energy, by which it is known again.
    pub import: String,
}

/// A meter that sends when it is told to.
pub struct Source {
    meter: Meter,
    line: File,
    /// Kept open, so that the line does not hang up while no daemon runs.
    _other_end: OwnedFd,
    /// Where the daemon finds it.
    pub port: String,
}

impl Source {
    /// A meter of the model that the peers were measured with, its telegrams `step` apart.
    pub fn new(step: Duration) -> Result<Self, Failure> {
        let config = MeterConfig {
            step_ms: Some(u64::try_from(step.as_millis())?),
            ..MeterConfig::default()
        };
        let meter = Meter::new(model::find("iskra-mt691")?, &config);
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

    /// Sends the next telegram.
    pub fn send(&mut self) -> Result<Sent, Failure> {
        let telegram = self.meter.telegram();
        self.line.write_all(&telegram.bytes)?;
        Ok(Sent {
            at: Instant::now(),
            import: import(&telegram),
        })
    }
}

fn import(telegram: &Telegram) -> String {
    telegram
        .number_text(Obis::electricity(1, 8, 0))
        .unwrap_or_default()
}
