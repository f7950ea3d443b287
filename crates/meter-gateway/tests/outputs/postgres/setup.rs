//! A journal, a database, and the output between them.

use std::ops::Deref;

use meter_core::Reading;
use meter_gateway::config::Secret;
use meter_gateway::journal::Record;
use meter_gateway::output::postgres::Config;
use meter_gateway::output::{self, State};

use super::server::{PASSWORD, Server};

pub use crate::stage::*;

pub struct Setup {
    pub server: Server,
    pub config: Config,
    stage: Stage,
}

impl Deref for Setup {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

/// Settings without patience.
pub fn config(url: String) -> Config {
    let mut config = Config::new(url);
    config.password = Some(Secret::literal(PASSWORD));
    impatient(&mut config.remote);
    config.remote.timeout = millis(10_000);
    config
}

impl Setup {
    pub async fn new() -> Result<Option<Self>> {
        let Some(server) = Server::start()? else {
            return Ok(None);
        };
        let mut stage = Stage::new().await?;
        stage.further = all_kinds().into();
        let mut config = config(format!("postgres://localhost:{}/meters", server.port));
        config.remote.ca_file = Some(server.path("ca.pem"));
        Ok(Some(Self {
            server,
            config,
            stage,
        }))
    }

    pub async fn start(&self) -> Result<Running> {
        let output = output::Config::Postgres(self.config.clone());
        self.stage.start(output).await
    }

    pub async fn deliver_all(&self) -> Result {
        let output = output::Config::Postgres(self.config.clone());
        self.stage.deliver_all(output).await?;
        Ok(())
    }

    /// What `check` says: good or bad.
    pub async fn probe(&self) -> std::result::Result<String, String> {
        let output = output::Config::Postgres(self.config.clone());
        output.probe().await.map_err(|error| error.to_string())
    }

    /// What the output says when somebody has to mend something.
    pub async fn stuck(&self) -> Result<String> {
        let running = self.start().await?;
        let words = running.complaint(State::Misconfigured).await?;
        running.stop().await?;
        assert!(!words.contains(PASSWORD), "{words}");
        Ok(words)
    }

    /// The rows of the table, sorted.
    pub fn rows(&self) -> Result<Vec<String>> {
        let sql = "SELECT to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), \
                   meter, obis, value, text, unit, status FROM meterline.registers";
        let rows = self.server.sql("meters", sql)?;
        let mut rows: Vec<String> = rows.lines().map(str::to_owned).collect();
        rows.sort();
        Ok(rows)
    }

    /// What the table must hold: worked out from the meter's bytes in the journal.
    pub async fn expected(&self) -> Result<Vec<String>> {
        expected(&self.records().await?)
    }
}

pub fn expected(records: &[Record]) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    for record in records {
        let reading = Reading::from_bytes(&record.body)?;
        for register in reading.registers() {
            let text = |value: Option<String>| value.unwrap_or_default();
            rows.push(format!(
                "{}|{}|{}|{}|{}|{}|{}",
                record.time,
                reading.meter_id(),
                register.obis,
                text(register.number().map(|number| number.to_string())),
                text(register.text().map(str::to_owned)),
                text(
                    register
                        .unit
                        .and_then(|unit| Some(unit.symbol()?.to_owned()))
                ),
                text(register.status.map(|status| status.to_string())),
            ));
        }
    }
    rows.sort();
    Ok(rows)
}
