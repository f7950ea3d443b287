//! `VictoriaMetrics` by both versions of the API that it knows.

use std::process::Command;
use std::time::{Duration, SystemTime};

use meter_gateway::output::influx::{self, Config, Version};
use meter_gateway::output::{self, State};
use rustix::process::Signal;
use serde_json::Value as Json;
use tempfile::TempDir;

use super::program::{Server, free_port, is_there};
use super::rows::{self, Rows};
use crate::stage::*;

struct Victoria {
    server: Server,
    directory: TempDir,
}

impl Victoria {
    async fn run(&mut self) -> Result {
        let mut command = Command::new("victoria-metrics");
        command
            .arg(format!("-httpListenAddr=127.0.0.1:{}", self.server.port))
            .arg(format!(
                "-storageDataPath={}",
                self.directory.path().join("data").display()
            ))
            // A reading that comes twice is one.
            .arg("-dedup.minScrapeInterval=1ms");
        let log = self.directory.path().join("log");
        self.server.start(&mut command, &log).await?;
        // It listens before it serves.
        for _ in 0..500 {
            if self.server.ask("GET", "/health", "").await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err("VictoriaMetrics does not answer".into())
    }

    /// Every sample of the measurement.
    async fn rows(&self) -> Result<Rows> {
        self.server.ask("GET", "/internal/force_flush", "").await?;
        let target = "/api/v1/export?match[]={__name__=~%22electricity_.*%22}";
        let exported = self.server.ask("GET", target, "").await?;
        let mut rows = Rows::new();
        for line in exported.lines() {
            let series: Json = serde_json::from_str(line)?;
            let name = series["metric"]["__name__"].as_str().unwrap_or_default();
            let field = name.trim_start_matches("electricity_").to_owned();
            let meter = series["metric"]["meter"].as_str().unwrap_or_default();
            let times = series["timestamps"].as_array().into_iter().flatten();
            let values = series["values"].as_array().into_iter().flatten();
            for (time, value) in times.zip(values) {
                let time = time.as_i64().ok_or("no time")?;
                let value = value.as_f64().ok_or("no value")?;
                let before = rows.insert((meter.to_owned(), field.clone(), time), value);
                assert_eq!(before, None, "twice: {field} {time}");
            }
        }
        Ok(rows)
    }
}

#[tokio::test]
async fn the_samples_are_those_of_the_journal_after_an_outage() -> Result {
    if !is_there("victoria-metrics", "victoria-metrics") {
        return Ok(());
    }
    for version in [Version::V1, Version::V2] {
        let mut victoria = Victoria {
            server: Server::on(free_port()?),
            directory: TempDir::new()?,
        };
        victoria.run().await?;
        // It keeps a month unless told otherwise, and takes no older sample.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let stage = Stage::beginning(i64::try_from(since.as_millis())? - 3_600_000).await?;
        let url = format!("http://localhost:{}", victoria.server.port);
        let mut config = Config::new(url, version);
        let place = Some("power".to_owned());
        if version == Version::V1 {
            config.database = place;
        } else {
            (config.org, config.bucket) = (place.clone(), place);
        }
        config.remote.allow_insecure = true;
        impatient(&mut config.remote);
        let output = output::Config::Influx(config.clone());
        assert_says(&influx::probe(&config).await?, &["power may be written"]);

        stage.append_all(0..20).await?;
        let mut all = stage.records().await?;
        stage.deliver_all(output.clone()).await?;
        victoria.server.end(Signal::TERM);
        stage.append_all(20..120).await?;
        all.extend(stage.records().await?);
        let running = stage.start(output.clone()).await?;
        running
            .until("retrying", |status| status.state == State::Retrying)
            .await?;
        running.stop().await?;
        let running = stage.start(output).await?;
        victoria.run().await?;
        running.until_delivered().await?;
        running.stop().await?;
        assert_eq!(all.len(), 120);
        assert_eq!(victoria.rows().await?, rows::of(&all)?);
    }
    Ok(())
}
