//! A journal, a simulated server and one REST output between them.

use std::io::Write;
use std::ops::Deref;

use meter_gateway::config::Secret;
use meter_gateway::output::rest::Config;
use meter_gateway::output::{self, Status};
use meter_sim::backend::{self, Backend};
use serde_json::Value as Json;
use tempfile::NamedTempFile;

pub use crate::stage::*;

/// The secret in the path, as `ThingsBoard` has it.
pub const TOKEN: &str = "T0pS3cr3tT0k3n";

/// One output between a journal and a server.
pub struct Setup {
    pub backend: Backend,
    pub config: Config,
    stage: Stage,
    _ca: NamedTempFile,
}

impl Deref for Setup {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Setup {
    pub async fn new() -> Result<Self> {
        Self::with(backend::Config::default()).await
    }

    pub async fn with(backend: backend::Config) -> Result<Self> {
        let stage = Stage::new().await?;
        let backend = Backend::start(backend)?;
        let mut ca = NamedTempFile::new()?;
        ca.write_all(backend.ca_pem().as_bytes())?;
        let url = backend.url("/api/v1/{token}/telemetry");
        let mut config = Config::new(Secret::literal(url));
        config.token = Some(Secret::literal(TOKEN));
        config.remote.ca_file = Some(ca.path().to_owned());
        impatient(&mut config.remote);
        Ok(Self {
            backend,
            config,
            stage,
            _ca: ca,
        })
    }

    /// Starts the output.
    pub async fn start(&self) -> Result<Running> {
        self.stage
            .start(output::Config::Rest(self.config.clone()))
            .await
    }

    /// Runs the output until it is idle with nothing left to send.
    pub async fn deliver_all(&self) -> Result<Status> {
        let output = output::Config::Rest(self.config.clone());
        self.stage.deliver_all(output).await
    }

    /// The numbers of the readings that the server took, in the order of arrival.
    pub fn arrived(&self) -> Vec<i64> {
        self.backend
            .accepted_readings()
            .iter()
            .filter_map(index_of)
            .collect()
    }
}

/// The number of a reading in `ThingsBoard`'s form.
pub fn index_of(reading: &Json) -> Option<i64> {
    Some((reading.get("ts")?.as_i64()? - START) / 1000)
}
