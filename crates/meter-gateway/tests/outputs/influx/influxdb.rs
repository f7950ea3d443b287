//! `InfluxDB` 1.6 with users.

use fixtures::{find_all, influxdb};
use meter_gateway::config::Secret;
use meter_gateway::output::influx::{self, Config, Version};
use meter_gateway::output::{self, State};
use serde_json::Value as Json;

use super::program::{Program, Server};
use crate::stage::*;
use crate::suite::{self, Row, Wrong, of_millis, suite};

const DATABASE: &str = "power";
pub const PASSWORD: &str = "T0pS3cr3t";

suite!(faults: Influxd);

/// An `InfluxDB` with users, which keeps its files over restarts.
pub struct Influxd(pub Server);

impl Influxd {
    /// `None` where there is none.
    pub async fn start() -> Result<Option<Self>> {
        if find_all(["influxd"], "influxdb").is_none() {
            return Ok(None);
        }
        let mut influxd = Self(Server::new()?);
        influxd.run().await?;
        let admin = format!("CREATE USER admin WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES");
        influxd.0.ask("POST", &query(&admin, false), "").await?;
        for statement in [
            format!("CREATE DATABASE {DATABASE}"),
            format!("CREATE USER meterline WITH PASSWORD '{PASSWORD}'"),
            format!("CREATE USER guest WITH PASSWORD '{PASSWORD}'"),
            format!("GRANT WRITE ON {DATABASE} TO meterline"),
        ] {
            let target = query(&statement, true);
            let answer = influxd.0.ask("POST", &target, "").await?;
            assert!(!answer.contains("error"), "{statement}: {answer}");
        }
        Ok(Some(influxd))
    }

    /// A user that may write, at the server itself or behind something on another port.
    fn config(&self, port: u16) -> Config {
        let mut config = Config::new(String::new(), Version::V1);
        config.database = Some(DATABASE.to_owned());
        config.username = Some("meterline".to_owned());
        config.password = Some(Secret::literal(PASSWORD));
        impatient(&mut config.remote);
        self.0.reached(config, port)
    }
}

impl Program for Influxd {
    fn server(&mut self) -> &mut Server {
        &mut self.0
    }

    async fn run(&mut self) -> Result {
        let server = &mut self.0;
        let further = format!(
            "auth-enabled = true\nhttps-enabled = {}\nhttps-certificate = \"{}\"\n\
             https-private-key = \"{}\"\n",
            server.tls,
            server.file("server.pem").display(),
            server.file("server.key").display(),
        );
        let mut command = influxdb(server.directory.path(), server.port, &further)?;
        server.start(&mut command).await
    }
}

impl suite::Server for Influxd {
    const SECRET: &'static str = PASSWORD;

    async fn start() -> Result<Option<Self>> {
        Self::start().await
    }

    fn port(&self) -> Option<u16> {
        Some(self.0.port)
    }

    fn output(&self, port: u16) -> output::Config {
        output::Config::Influx(self.config(port))
    }

    /// Every number of the measurement.
    async fn rows(&mut self) -> Result<Vec<Row>> {
        self.speak_tls(false).await?;
        let asked = query("SELECT * FROM electricity GROUP BY meter", true);
        let target = format!("{asked}&db={DATABASE}&epoch=ms");
        let answer: Json = serde_json::from_str(&self.0.ask("GET", &target, "").await?)?;
        let mut rows = Vec::new();
        let series = answer["results"][0]["series"].as_array();
        for series in series.into_iter().flatten() {
            let meter = series["tags"]["meter"].as_str().ok_or("no tag")?;
            let columns = series["columns"].as_array().ok_or("no columns")?;
            for values in series["values"].as_array().into_iter().flatten() {
                let time = values[0].as_i64().ok_or("no time")?;
                for (index, column) in columns.iter().enumerate().skip(1) {
                    if let (Some(field), Some(value)) = (column.as_str(), values[index].as_f64()) {
                        rows.push(of_millis(meter, time, field, value));
                    }
                }
            }
        }
        Ok(rows)
    }

    async fn kill(&mut self) -> Result {
        Ok(self.0.process.kill()?)
    }

    async fn again(&mut self) -> Result {
        self.run().await
    }

    /// The field has another type at another meter.
    async fn refuse(&mut self, stage: &Stage, index: i64) -> Result<&'static [&'static str]> {
        let target = format!("/write?db={DATABASE}&u=admin&p={PASSWORD}&precision=ms");
        let text = format!("electricity,meter=other 99.98.97=\"text\" {}", stage.start);
        self.0.ask("POST", &target, &text).await?;
        stage.append_with(index, &[odd_register()]).await?;
        Ok(&["400 Bad Request", "field type conflict", "99.98.97"])
    }

    async fn forbid(&mut self, port: u16) -> Result<Wrong> {
        let mut config = self.config(port);
        config.password = Some(Secret::literal("Wr0ngPassw0rd"));
        let words = &["401 Unauthorized", "check username and password"];
        Ok((output::Config::Influx(config), words))
    }

    async fn mistrust(&mut self, port: u16) -> Result<Vec<Wrong>> {
        self.mistrusted(self.config(port), port).await
    }
}

fn query(statement: &str, as_admin: bool) -> String {
    let mut query = form_urlencoded::Serializer::new("/query?".to_owned());
    if as_admin {
        query.append_pair("u", "admin").append_pair("p", PASSWORD);
    }
    query.append_pair("q", statement).finish()
}

#[tokio::test]
async fn what_somebody_has_to_mend_is_named_and_loses_nothing() -> Result {
    let Some(influxd) = Influxd::start().await? else {
        return Ok(());
    };
    let right = influxd.config(influxd.0.port);
    let with = |change: fn(&mut Config)| {
        let mut config = right.clone();
        change(&mut config);
        config
    };
    let wrong = [
        (
            with(|config| (config.username, config.password) = (None, None)),
            ["401 Unauthorized", "check username and password"],
        ),
        (
            with(|config| config.username = Some("guest".to_owned())),
            ["not authorized to write", "GRANT WRITE"],
        ),
        (
            with(|config| config.retention_policy = Some("gone".to_owned())),
            ["retention policy not found", "or correct retention_policy"],
        ),
    ];
    for (config, words) in wrong {
        let complaint = influx::probe(&config).await.err().ok_or("no complaint")?;
        assert_says(&complaint.to_string(), &words);
        let stage = Stage::new().await?;
        stage.append_all(0..5).await?;
        let running = stage.start(output::Config::Influx(config)).await?;
        let error = running.complaint(State::Misconfigured).await?;
        assert_says(&error, &words);
        running.stop().await?;
        assert_eq!(stage.warnings().len(), 1, "{:?}", stage.warnings());
        let right = output::Config::Influx(right.clone());
        assert_eq!(stage.deliver_all(right).await?.delivered, 5);
    }
    Ok(())
}

#[tokio::test]
async fn what_a_probe_says() -> Result {
    let Some(mut influxd) = Influxd::start().await? else {
        return Ok(());
    };
    let mut config = influxd.config(influxd.0.port);
    config.username = Some("admin".to_owned());
    let sentence = influx::probe(&config).await?;
    assert_says(
        &sentence,
        &["http://localhost:", "database power may be written"],
    );
    config.database = Some("no such".to_owned());
    let error = influx::probe(&config).await.err().ok_or("no complaint")?;
    assert_says(
        &error.to_string(),
        &["404 Not Found", "no such", "CREATE DATABASE"],
    );
    influxd.speak_tls(true).await?;
    let config = influxd.config(influxd.0.port);
    assert_says(&influx::probe(&config).await?, &["the certificate is good"]);
    Ok(())
}
