//! `InfluxDB` 1.6: every reading, row by row, whatever happens to the server and to us.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use meter_gateway::config::Secret;
use meter_gateway::output::influx::{self, Config, Version};
use meter_gateway::output::{self, State};
use meter_sim::backend::{self, Backend};
use rustix::process::Signal;
use serde_json::Value as Json;
use tempfile::{NamedTempFile, TempDir};

use super::program::{Server, free_port, is_there};
use super::proxy::Proxy;
use super::rows::{self, Rows};
use crate::stage::*;

const DATABASE: &str = "power";
pub const PASSWORD: &str = "T0pS3cr3t";

/// An `InfluxDB` with users, which keeps its files over restarts.
pub struct Influxd {
    pub server: Server,
    directory: TempDir,
}

impl Influxd {
    /// `None` where there is none.
    pub async fn start() -> Result<Option<Self>> {
        if !is_there("influxd", "influxdb") {
            return Ok(None);
        }
        let mut influxd = Self {
            server: Server::on(free_port()?),
            directory: TempDir::new()?,
        };
        influxd.run("").await?;
        let admin = format!("CREATE USER admin WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES");
        influxd
            .server
            .ask("POST", &query(&admin, false), "")
            .await?;
        for statement in [
            format!("CREATE DATABASE {DATABASE}"),
            format!("CREATE USER meterline WITH PASSWORD '{PASSWORD}'"),
            format!("CREATE USER guest WITH PASSWORD '{PASSWORD}'"),
            format!("GRANT WRITE ON {DATABASE} TO meterline"),
        ] {
            let target = query(&statement, true);
            let answer = influxd.server.ask("POST", &target, "").await?;
            assert!(!answer.contains("error"), "{statement}: {answer}");
        }
        Ok(Some(influxd))
    }

    /// Starts the process; `https` are further lines of its settings.
    async fn run(&mut self, https: &str) -> Result {
        let here = self.directory.path();
        let settings = here.join("influxdb.conf");
        let mut text = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:0\"\n\
             [monitor]\nstore-enabled = false\n[http]\nauth-enabled = true\nlog-enabled = false\n\
             bind-address = \"127.0.0.1:{}\"\n{https}\n",
            self.server.port
        );
        for (table, keys) in [("meta", &["dir"][..]), ("data", &["dir", "wal-dir"])] {
            writeln!(text, "[{table}]")?;
            for key in keys {
                writeln!(text, "{key} = \"{}\"", here.join(table).join(key).display())?;
            }
        }
        std::fs::write(&settings, text)?;
        let mut command = Command::new("influxd");
        command.arg("-config").arg(&settings);
        self.server.start(&mut command, &here.join("log")).await
    }

    /// Every row of the measurement.
    pub async fn rows(&self) -> Result<Rows> {
        let asked = query("SELECT * FROM electricity GROUP BY meter", true);
        let target = format!("{asked}&db={DATABASE}&epoch=ms");
        let answer: Json = serde_json::from_str(&self.server.ask("GET", &target, "").await?)?;
        let series = answer["results"][0]["series"].as_array();
        let mut rows = Rows::new();
        for series in series.into_iter().flatten() {
            let meter = series["tags"]["meter"].as_str().ok_or("no tag")?;
            let columns = series["columns"].as_array().ok_or("no columns")?;
            for row in series["values"].as_array().into_iter().flatten() {
                let time = row[0].as_i64().ok_or("no time")?;
                for (index, column) in columns.iter().enumerate().skip(1) {
                    if let Some(value) = row[index].as_f64() {
                        let field = column.as_str().unwrap_or_default().to_owned();
                        rows.insert((meter.to_owned(), field, time), value);
                    }
                }
            }
        }
        Ok(rows)
    }
}

/// A user that may write, at the server itself or behind something on another port.
fn config(port: u16) -> Config {
    let mut config = Config::new(format!("http://localhost:{port}"), Version::V1);
    config.database = Some(DATABASE.to_owned());
    config.username = Some("meterline".to_owned());
    config.password = Some(Secret::literal(PASSWORD));
    config.remote.allow_insecure = true;
    impatient(&mut config.remote);
    config
}

fn query(statement: &str, as_admin: bool) -> String {
    let mut query = form_urlencoded::Serializer::new("/query?".to_owned());
    if as_admin {
        query.append_pair("u", "admin").append_pair("p", PASSWORD);
    }
    query.append_pair("q", statement).finish()
}

fn output(config: &Config) -> output::Config {
    output::Config::Influx(config.clone())
}

#[tokio::test]
async fn the_rows_are_those_of_the_journal_after_a_fault_run() -> Result {
    let Some(mut influxd) = Influxd::start().await? else {
        return Ok(());
    };
    let stage = Stage::new().await?;
    let config = config(influxd.server.port);
    let mut all = Vec::new();

    stage.append_all(0..20).await?;
    stage.append_other_meter(20).await?;
    all.extend(stage.records().await?);
    stage.deliver_all(output(&config)).await?;
    assert_eq!(influxd.rows().await?, rows::of(&all)?);

    // The server is killed, and then we are stopped in the middle of the outage.
    influxd.server.end(Signal::KILL);
    stage.append_all(21..80).await?;
    let running = stage.start(output(&config)).await?;
    let error = running.complaint(State::Retrying).await?;
    assert_says(
        &error,
        &["http://localhost:", "refuses connections on port"],
    );
    running.stop().await?;
    stage.append_all(80..121).await?;
    all.extend(stage.records().await?);
    let running = stage.start(output(&config)).await?;
    influxd.run("").await?;
    running.until_delivered().await?;
    running.stop().await?;
    assert_eq!(all.len(), 121);
    assert_eq!(influxd.rows().await?, rows::of(&all)?);
    assert_eq!(stage.rejected_indices().await?, [0; 0]);
    Ok(())
}

#[tokio::test]
async fn lost_answers_double_nothing() -> Result {
    let Some(influxd) = Influxd::start().await? else {
        return Ok(());
    };
    let stage = Stage::new().await?;
    let proxy = Proxy::start(influxd.server.port, 3).await?;
    let mut config = config(proxy.port);
    config.batch_size = 10.try_into()?;
    stage.append_all(0..50).await?;
    let all = stage.records().await?;
    let status = stage.deliver_all(output(&config)).await?;
    assert_eq!(proxy.lost(), 3);
    assert_says(
        &status.last_error.unwrap_or_default(),
        &["broke before the answer"],
    );
    assert_eq!(status.delivered, 50);
    assert_eq!(influxd.rows().await?, rows::of(&all)?);
    Ok(())
}

#[tokio::test]
async fn readings_of_another_type_are_found_and_set_aside() -> Result {
    let Some(influxd) = Influxd::start().await? else {
        return Ok(());
    };
    let stage = Stage::new().await?;
    let target = format!("/write?db={DATABASE}&u=admin&p={PASSWORD}&precision=ms");
    let text = format!("electricity,meter=other 99.98.97=\"text\" {START}");
    influxd.server.ask("POST", &target, &text).await?;
    let odd = [3, 17, 18, 59];
    for index in 0..60 {
        if odd.contains(&index) {
            stage
                .append_body(&METER, index, odd_body(&METER, index)?)
                .await?;
        } else {
            stage.append(index).await?;
        }
    }
    let mut taken = stage.records().await?;
    taken.retain(|record| !odd.contains(&((record.time.0 - START) / 1000)));
    let config = config(influxd.server.port);
    let status = stage.deliver_all(output(&config)).await?;
    assert_eq!((status.delivered, status.rejected), (56, 4));
    assert_eq!(stage.rejected_indices().await?, odd);
    let answer = &stage.rejected().await?[0].answer;
    assert_says(
        answer,
        &["400 Bad Request", "field type conflict", "99.98.97"],
    );
    assert_eq!(influxd.rows().await?, rows::of(&taken)?);
    Ok(())
}

#[tokio::test]
async fn what_somebody_has_to_mend_is_named_and_loses_nothing() -> Result {
    let Some(influxd) = Influxd::start().await? else {
        return Ok(());
    };
    let right = config(influxd.server.port);
    let with = |change: fn(&mut Config)| {
        let mut config = right.clone();
        change(&mut config);
        config
    };
    let wrong = [
        (
            with(|config| config.password = Some(Secret::literal("Wr0ngPassw0rd"))),
            ["401 Unauthorized", "check username and password"],
        ),
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
        assert!(!format!("{complaint} {complaint:?}").contains("Passw0rd"));
        let stage = Stage::new().await?;
        stage.append_all(0..5).await?;
        let running = stage.start(output(&config)).await?;
        let error = running.complaint(State::Misconfigured).await?;
        assert_says(&error, &words);
        running.stop().await?;
        assert_eq!(stage.warnings().len(), 1, "{:?}", stage.warnings());
        assert_eq!(stage.deliver_all(output(&right)).await?.delivered, 5);
    }
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_not_there() -> Result {
    let Some(influxd) = Influxd::start().await? else {
        return Ok(());
    };
    let mut config = config(influxd.server.port);
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
    Ok(())
}

/// The certificate and key that a server of these names shows, as lines of `influxd`'s settings.
fn https(authority: &Backend, names: &[&str], directory: &Path) -> Result<String> {
    let identity = authority.server_identity(names)?;
    let (certificate, key) = (directory.join("server.pem"), directory.join("server.key"));
    std::fs::write(&certificate, identity.certificate_pem)?;
    std::fs::write(&key, identity.key_pem)?;
    Ok(format!(
        "https-enabled = true\nhttps-certificate = \"{}\"\nhttps-private-key = \"{}\"",
        certificate.display(),
        key.display()
    ))
}

#[tokio::test]
async fn a_certificate_is_verified() -> Result {
    let Some(mut influxd) = Influxd::start().await? else {
        return Ok(());
    };
    let stage = Stage::new().await?;
    let authority = Backend::start(backend::Config::default())?;
    let mut ca = NamedTempFile::new()?;
    ca.write_all(authority.ca_pem().as_bytes())?;
    let mut config = config(influxd.server.port);
    config.url = format!("https://localhost:{}", influxd.server.port);
    config.remote.allow_insecure = false;
    config.remote.ca_file = Some(ca.path().to_owned());
    stage.append_all(0..30).await?;
    let all = stage.records().await?;

    influxd.server.end(Signal::TERM);
    let other = https(&authority, &["elsewhere.example"], influxd.directory.path())?;
    influxd.run(&other).await?;
    let running = stage.start(output(&config)).await?;
    let error = running.complaint(State::Retrying).await?;
    assert_says(&error, &["is for elsewhere.example, not for localhost"]);
    running.stop().await?;

    influxd.server.end(Signal::TERM);
    let right = https(&authority, &["localhost"], influxd.directory.path())?;
    influxd.run(&right).await?;
    assert_says(&influx::probe(&config).await?, &["the certificate is good"]);
    stage.deliver_all(output(&config)).await?;
    influxd.server.end(Signal::TERM);
    influxd.run("").await?;
    assert_eq!(influxd.rows().await?, rows::of(&all)?);
    Ok(())
}
