//! A read head on a serial port of this machine.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::{Fault, MeterName, auto};
use crate::config::{Duration, Interval};
use crate::ports::{DataBits, Line, Parity, Port, Roots, StopBits};

/// The name that stands for the port on which the meter speaks.
pub(super) const AUTO: &str = "auto";

/// A read head on a serial port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `"auto"` finds the port on which a meter speaks, and finds it again when it comes back
    /// under another name. Otherwise a path such as `/dev/ttyUSB0`, or a name out of
    /// `/dev/serial/by-id` or `/dev/serial/by-path`.
    pub port: String,
    /// The meter to read, as printed on it (`1 EMH00 1059 9732`). With `port = "auto"` this is
    /// what a port is found by, which is needed as soon as there are two meters.
    pub meter: Option<MeterName>,
    /// Speed in bit/s.
    #[serde(deserialize_with = "baud")]
    #[schemars(range(min = 1))]
    pub baud: u32,
    /// Data bits, 7 or 8.
    pub data_bits: DataBits,
    /// Parity: `none`, `even` or `odd`.
    pub parity: Parity,
    /// Stop bits, 1 or 2.
    pub stop_bits: StopBits,
    /// Further directories in which `auto` takes every entry for a port, such as one that a
    /// container gets its devices in.
    pub also: Vec<PathBuf>,
    /// The newest complete reading of each interval is kept; `"every"` keeps them all.
    pub interval: Interval,
    /// How long no reading may come before something is said and the port is opened anew.
    #[serde(deserialize_with = "crate::config::a_second_or_more")]
    pub silence: Duration,
}

/// To the system a speed of zero means to hang up.
fn baud<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let baud = u32::deserialize(deserializer)?;
    if baud == 0 {
        return Err(de::Error::custom("0 is no speed: meters send at 9600"));
    }
    Ok(baud)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: AUTO.to_owned(),
            meter: None,
            baud: Line::SML.baud,
            data_bits: Line::SML.data_bits,
            parity: Line::SML.parity,
            stop_bits: Line::SML.stop_bits,
            also: Vec::new(),
            interval: super::INTERVAL,
            silence: super::SILENCE,
        }
    }
}

impl Config {
    /// Speed and format as one.
    #[must_use]
    pub fn line(&self) -> Line {
        Line {
            baud: self.baud,
            data_bits: self.data_bits,
            parity: self.parity,
            stop_bits: self.stop_bits,
        }
    }

    /// Where to look for ports.
    #[must_use]
    pub fn roots(&self) -> Roots {
        Roots {
            also: self.also.clone(),
            ..Roots::default()
        }
    }
}

/// An open port, with what was read from it while it was being found.
#[derive(Debug)]
pub(super) struct Head {
    port: Port,
    heard: Vec<u8>,
}

impl Head {
    /// Opens the port of `config`. `last` is the server id of the meter that was read before, if
    /// any: with `auto` it is preferred to others.
    pub(super) async fn open(config: &Config, last: Option<&[u8]>) -> Result<Self, Fault> {
        if config.port == AUTO {
            let (port, heard) = auto::find(config, last).await?;
            return Ok(Self { port, heard });
        }
        let port = Port::open(&path_of(&config.port), config.line())?;
        Ok(Self {
            port,
            heard: Vec::new(),
        })
    }

    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        if !self.heard.is_empty() {
            let count = self.heard.len().min(buffer.len());
            for (to, from) in buffer.iter_mut().zip(self.heard.drain(..count)) {
                *to = from;
            }
            return Ok(count);
        }
        // A port whose device is gone reports the end of the file or an error for ever. The
        // error numbers differ by driver (EIO, ENODEV, ENXIO); none of them heals.
        match self.port.read(buffer).await {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(Fault::Unplugged {
                path: self.port.path().to_owned(),
            }),
        }
    }

    /// The port and its settings, for people.
    pub(super) fn label(&self) -> String {
        format!("{} at {}", self.port.path().display(), self.port.line())
    }
}

/// The path for what the configuration calls a port: a bare name is one of `/dev/serial`'s or `/dev`'s.
fn path_of(port: &str) -> PathBuf {
    if port.contains('/') {
        return port.into();
    }
    ["/dev/serial/by-id", "/dev/serial/by-path"]
        .iter()
        .map(|directory| Path::new(directory).join(port))
        .find(|path| path.exists())
        .unwrap_or_else(|| Path::new("/dev").join(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_a_device() {
        assert_eq!(path_of("ttyUSB0"), Path::new("/dev/ttyUSB0"));
        assert_eq!(path_of("/tmp/head"), Path::new("/tmp/head"));
    }
}
