//! The suite against the simulated middleware, and against a server for the push data of vzlogger.

use axum::http::StatusCode;
use meter_gateway::output;
use meter_gateway::output::volkszaehler::{Config, Format};
use meter_sim::backend::{self, Answer, Backend, Behaviour, Certificate};
use serde_json::Value as Json;
use tempfile::NamedTempFile;

use super::middleware::{self, IMPORT, Middleware, config_of};
use crate::stage::{METER_ID, Result, Stage};
use crate::suite::{Row, Server, Wrong, of_millis, suite};

suite!(to_the_middleware: Direct);
suite!(as_vzlogger_pushes: Push);

/// A server that is not the one that its certificate is for.
struct Impostor {
    backend: Backend,
    ca: NamedTempFile,
}

impl Impostor {
    fn new() -> Result<Self> {
        let backend = Backend::start(backend::Config {
            certificate: Certificate::WrongName,
            ..backend::Config::default()
        })?;
        let ca = NamedTempFile::new()?;
        std::fs::write(ca.path(), backend.ca_pem())?;
        Ok(Self { backend, ca })
    }

    fn mistrusted(&self, mut config: Config) -> Vec<Wrong> {
        config.url = self.backend.url("/middleware.php");
        config.remote.allow_insecure = false;
        config.remote.ca_file = Some(self.ca.path().to_owned());
        let mut other_ca = config.clone();
        other_ca.remote.ca_file = None;
        vec![
            (
                output::Config::Volkszaehler(config),
                &["is for elsewhere.example, not for localhost"],
            ),
            (
                output::Config::Volkszaehler(other_ca),
                &["cannot trust localhost", "ca_file"],
            ),
        ]
    }
}

struct Direct {
    middleware: Middleware,
    impostor: Impostor,
}

impl Server for Direct {
    const SECRET: &'static str = "it has none";

    async fn start() -> Result<Option<Self>> {
        Ok(Some(Self {
            middleware: Middleware::start().await?,
            impostor: Impostor::new()?,
        }))
    }

    fn port(&self) -> Option<u16> {
        Some(self.middleware.port)
    }

    fn output(&self, port: u16) -> output::Config {
        output::Config::Volkszaehler(middleware::config(port))
    }

    async fn rows(&mut self) -> Result<Vec<Row>> {
        Ok(self.middleware.rows())
    }

    async fn kill(&mut self) -> Result {
        self.middleware.go_away();
        Ok(())
    }

    async fn again(&mut self) -> Result {
        self.middleware.come_back().await
    }

    async fn refuse(&mut self, stage: &Stage, index: i64) -> Result<&'static [&'static str]> {
        self.middleware.inside().refused = Some(stage.start + index * 1000);
        stage.append(index).await?;
        Ok(&["channel 1", "Numeric value out of range"])
    }

    async fn forbid(&mut self, port: u16) -> Result<Wrong> {
        let denied = "Access denied".to_owned();
        let wrong = (u32::MAX, StatusCode::UNAUTHORIZED, denied);
        self.middleware
            .inside()
            .faults
            .insert(IMPORT.to_owned(), wrong);
        let words = &["Access denied", "firewall"];
        Ok((self.output(port), words))
    }

    async fn allow(&mut self) -> Result {
        self.middleware.inside().faults.clear();
        Ok(())
    }

    async fn mistrust(&mut self, port: u16) -> Result<Vec<Wrong>> {
        Ok(self.impostor.mistrusted(middleware::config(port)))
    }
}

struct Push {
    backend: Backend,
    impostor: Impostor,
}

impl Push {
    fn config(port: u16) -> Config {
        let mut config = config_of(format!("http://localhost:{port}/push/T0pS3cr3t"));
        config.format = Format::Push;
        config
    }
}

impl Server for Push {
    const AGAIN: usize = 10;
    const SECRET: &'static str = "T0pS3cr3t";

    async fn start() -> Result<Option<Self>> {
        let plain = backend::Config {
            tls: false,
            ..backend::Config::default()
        };
        Ok(Some(Self {
            backend: Backend::start(plain)?,
            impostor: Impostor::new()?,
        }))
    }

    fn port(&self) -> Option<u16> {
        Some(self.backend.port())
    }

    fn output(&self, port: u16) -> output::Config {
        output::Config::Volkszaehler(Self::config(port))
    }

    async fn rows(&mut self) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for body in self.backend.accepted_readings() {
            for channel in body["data"].as_array().into_iter().flatten() {
                let is_import = channel["uuid"] == IMPORT;
                let register = if is_import { "1.8.0" } else { "16.7.0" };
                for tuple in channel["tuples"].as_array().into_iter().flatten() {
                    let time = tuple[0].as_i64().ok_or("no time")?;
                    let value = tuple[1].as_f64().ok_or("no value")?;
                    rows.push(of_millis(METER_ID, time, register, value));
                }
            }
        }
        Ok(rows)
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
        let time = (stage.start + index * 1000).to_string();
        self.backend
            .set_behaviour(Behaviour::refusing(move |body: &Json| {
                let refused = body.to_string().contains(&time);
                refused.then(|| Answer::status(422).body("value out of range"))
            }));
        stage.append(index).await?;
        Ok(&["422 Unprocessable Entity", "value out of range"])
    }

    async fn forbid(&mut self, port: u16) -> Result<Wrong> {
        self.backend
            .set_behaviour(Behaviour::always(Answer::status(401)));
        Ok((self.output(port), &["401 Unauthorized"]))
    }

    async fn allow(&mut self) -> Result {
        self.backend.set_behaviour(Behaviour::accept());
        Ok(())
    }

    async fn mistrust(&mut self, port: u16) -> Result<Vec<Wrong>> {
        Ok(self.impostor.mistrusted(Self::config(port)))
    }
}
