//! The suite against the simulated REST server, over TLS.

use std::io::Write as _;

use meter_gateway::config::Secret;
use meter_gateway::output;
use meter_gateway::output::rest::{Config, Format};
use meter_sim::backend::{self, Answer, Backend, Behaviour, Certificate};
use tempfile::NamedTempFile;

use super::setup::TOKEN;
use crate::stage::{Result, Stage};
use crate::suite::{Row, Server, Wrong, of_json, suite};

suite!(simulated: Rest);

struct Rest {
    backend: Backend,
    /// Its certificate is for another name.
    impostor: Backend,
    ca: NamedTempFile,
    impostors_ca: NamedTempFile,
}

fn file(text: &str) -> Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

impl Rest {
    fn config(port: u16, ca: &NamedTempFile) -> Config {
        let url = format!("https://localhost:{port}/api/v1/{{token}}/telemetry");
        let mut config = Config::new(Secret::literal(url));
        config.token = Some(Secret::literal(TOKEN));
        config.format = Format::Json;
        config.remote.ca_file = Some(ca.path().to_owned());
        config
    }
}

impl Server for Rest {
    const AGAIN: usize = 10;
    const SECRET: &'static str = TOKEN;

    async fn start() -> Result<Option<Self>> {
        let backend = Backend::start(backend::Config::default())?;
        let impostor = Backend::start(backend::Config {
            certificate: Certificate::WrongName,
            ..backend::Config::default()
        })?;
        Ok(Some(Self {
            ca: file(&backend.ca_pem())?,
            impostors_ca: file(&impostor.ca_pem())?,
            backend,
            impostor,
        }))
    }

    fn port(&self) -> Option<u16> {
        Some(self.backend.port())
    }

    fn output(&self, port: u16) -> output::Config {
        output::Config::Rest(Self::config(port, &self.ca))
    }

    async fn rows(&mut self) -> Result<Vec<Row>> {
        let readings = self.backend.accepted_readings();
        Ok(readings.iter().flat_map(of_json).collect())
    }

    async fn kill(&mut self) -> Result {
        self.backend.outage(true).await;
        Ok(())
    }

    async fn again(&mut self) -> Result {
        self.backend.outage(false).await;
        Ok(())
    }

    async fn refuse(&mut self, stage: &Stage, index: i64) -> Result<&'static [&'static str]> {
        let time = meter_core::UnixMillis(stage.start + index * 1000).to_string();
        self.backend
            .set_behaviour(Behaviour::refusing(move |reading| {
                let words = format!("value out of range, token {TOKEN}");
                (reading["time"] == *time).then(|| Answer::status(422).body(words))
            }));
        stage.append(index).await?;
        Ok(&["422 Unprocessable Entity", "value out of range, token ***"])
    }

    async fn forbid(&mut self, port: u16) -> Result<Wrong> {
        let unknown = Answer::status(401).body(format!("{TOKEN} is not known"));
        self.backend.set_behaviour(Behaviour::always(unknown));
        let words = &["401", "check the token or password"];
        Ok((self.output(port), words))
    }

    async fn allow(&mut self) -> Result {
        self.backend.set_behaviour(Behaviour::accept());
        Ok(())
    }

    async fn mistrust(&mut self, port: u16) -> Result<Vec<Wrong>> {
        let other_name = Self::config(self.impostor.port(), &self.impostors_ca);
        let other_ca = Self::config(port, &self.impostors_ca);
        Ok(vec![
            (
                output::Config::Rest(other_name),
                &["is for elsewhere.example, not for localhost"],
            ),
            (
                output::Config::Rest(other_ca),
                &["cannot trust localhost", "ca_file"],
            ),
        ])
    }
}
