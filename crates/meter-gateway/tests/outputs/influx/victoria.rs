//! `VictoriaMetrics` by both versions of the API that it knows.

use fixtures::{find_all, victoria_metrics};
use meter_gateway::output;
use meter_gateway::output::influx::{self, Config, Version};
use rustix::process::Signal;
use serde_json::Value as Json;

use super::program::{Program, Server};
use crate::stage::{Result, assert_says, wait_for};
use crate::suite::{self, Row, Scenario, Wrong, of_millis, suite};

suite!(version_1: Victoria<1>);
suite!(version_2: Victoria<2>);

struct Victoria<const VERSION: u8>(Server);

impl<const VERSION: u8> Victoria<VERSION> {
    fn config(&self, port: u16) -> Config {
        let place = Some("power".to_owned());
        let mut config;
        if VERSION == 1 {
            config = Config::new(String::new(), Version::V1);
            config.database = place;
        } else {
            config = Config::new(String::new(), Version::V2);
            (config.org, config.bucket) = (place.clone(), place);
        }
        self.0.reached(config, port)
    }
}

impl<const VERSION: u8> Program for Victoria<VERSION> {
    fn server(&mut self) -> &mut Server {
        &mut self.0
    }

    async fn run(&mut self) -> Result {
        let server = &mut self.0;
        let mut command = victoria_metrics(server.directory.path(), server.port);
        command
            .arg(format!("-tls={}", server.tls))
            .arg(format!(
                "-tlsCertFile={}",
                server.file("server.pem").display()
            ))
            .arg(format!(
                "-tlsKeyFile={}",
                server.file("server.key").display()
            ));
        server.start(&mut command).await?;
        // It listens before it serves; over TLS, the output finds out by itself.
        let ready = async || Ok(server.tls || server.ask("GET", "/health", "").await.is_ok());
        wait_for("VictoriaMetrics serves", ready).await
    }
}

impl<const VERSION: u8> suite::Server for Victoria<VERSION> {
    const CANNOT: &'static [(Scenario, &'static str)] = &[
        (
            Scenario::Refused,
            "it takes every number, whatever it held before",
        ),
        (Scenario::Forbidden, "it has no users"),
    ];
    /// What it holds is on the disk after some seconds, unless it is asked to end.
    const OUTLIVES_A_KILL: bool = false;
    const SECRET: &'static str = "it has none";

    async fn start() -> Result<Option<Self>> {
        if find_all(["victoria-metrics"], "victoria-metrics").is_none() {
            return Ok(None);
        }
        let mut victoria = Self(Server::new()?);
        victoria.run().await?;
        let config = victoria.config(victoria.0.port);
        assert_says(&influx::probe(&config).await?, &["power may be written"]);
        Ok(Some(victoria))
    }

    fn port(&self) -> Option<u16> {
        Some(self.0.port)
    }

    fn output(&self, port: u16) -> output::Config {
        output::Config::Influx(self.config(port))
    }

    /// Every sample of the measurement.
    async fn rows(&mut self) -> Result<Vec<Row>> {
        self.speak_tls(false).await?;
        self.0.ask("GET", "/internal/force_flush", "").await?;
        let target = "/api/v1/export?match[]={__name__=~%22electricity_.*%22}";
        let exported = self.0.ask("GET", target, "").await?;
        let mut rows = Vec::new();
        for line in exported.lines() {
            let series: Json = serde_json::from_str(line)?;
            let name = series["metric"]["__name__"].as_str().unwrap_or_default();
            let field = name.trim_start_matches("electricity_");
            let meter = series["metric"]["meter"].as_str().unwrap_or_default();
            let times = series["timestamps"].as_array().into_iter().flatten();
            let values = series["values"].as_array().into_iter().flatten();
            for (time, value) in times.zip(values) {
                let time = time.as_i64().ok_or("no time")?;
                rows.push(of_millis(
                    meter,
                    time,
                    field,
                    value.as_f64().ok_or("no value")?,
                ));
            }
        }
        Ok(rows)
    }

    async fn kill(&mut self) -> Result {
        Ok(self.0.process.end(Signal::TERM)?)
    }

    async fn again(&mut self) -> Result {
        self.run().await
    }

    async fn mistrust(&mut self, port: u16) -> Result<Vec<Wrong>> {
        self.mistrusted(self.config(port), port).await
    }
}
