//! The server that readings go to, and the configuration that sends them there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use meter_sim::backend::{Backend, Config, Received};
use serde_json::Value;

use crate::{Failure, configure};

/// Where the daemon delivers to.
pub struct Server {
    /// The server itself, for its faults.
    pub backend: Backend,
}

/// A reading as the server had it.
pub struct Arrived {
    /// Milliseconds since 1970: with the meter, what a database stores a reading under.
    pub time: i64,
    /// Its counter of imported energy.
    pub import: String,
    /// When the request was there whole.
    pub at: Instant,
}

impl Server {
    /// Starts a server with a certificate authority of its own.
    pub fn start() -> Result<Self, Failure> {
        let backend = Backend::start(Config {
            keep: usize::MAX,
            ..Config::default()
        })?;
        Ok(Self { backend })
    }

    /// Writes a configuration that reads from `input` and delivers here.
    pub fn configure(&self, folder: &Path, input: &str, output: &str) -> Result<PathBuf, Failure> {
        let authority = folder.join("ca.pem");
        fs::write(&authority, self.backend.ca_pem())?;
        let url = self.backend.url("/api/v1/token/telemetry");
        let output = format!(
            "type = \"rest\"\nurl = {url:?}\nca_file = {authority:?}\nformat = \"thingsboard\"\n{output}"
        );
        configure(folder, input, &output)
    }

    /// Waits until at least so many different readings are here, or until nothing more came for
    /// `patience`.
    pub async fn wait_for(&self, readings: usize, patience: Duration) {
        let mut seen = self.backend.request_count();
        loop {
            let more = self
                .backend
                .wait_until(patience, |backend| backend.request_count() > seen)
                .await;
            if !more || different(&self.arrived()).len() >= readings {
                return;
            }
            seen = self.backend.request_count();
        }
    }

    /// Every reading that the server had in whole, whether it lived to say so or not.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.backend.received().iter().flat_map(readings).collect()
    }
}

/// The times under which a database would have stored them.
pub fn different(arrived: &[Arrived]) -> BTreeSet<(i64, &str)> {
    arrived
        .iter()
        .map(|reading| (reading.time, reading.import.as_str()))
        .collect()
}

fn readings(received: &Received) -> Vec<Arrived> {
    received
        .readings()
        .iter()
        .filter_map(|reading| {
            let values = reading.get("values")?;
            Some(Arrived {
                time: reading.get("ts")?.as_i64()?,
                import: values.get("1.8.0_Wh").map(Value::to_string)?,
                at: received.arrival,
            })
        })
        .collect()
}
