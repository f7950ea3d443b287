//! The suite against `PostgreSQL`, over TLS.

use meter_gateway::config::Secret;
use meter_gateway::output;
use meter_gateway::output::postgres::Config;
use meter_sim::backend::{self, Backend};

use super::server::{PASSWORD, Server as PostgreSql};
use super::setup::config;
use crate::stage::{Result, Stage};
use crate::suite::{Row, Server, Wrong, row, suite};

suite!(faults: Postgres);

struct Postgres(PostgreSql);

impl Postgres {
    fn config(&self, port: u16) -> Config {
        let mut config = config(format!("postgres://localhost:{port}/meters"));
        config.remote.ca_file = Some(self.0.path("ca.pem"));
        config
    }
}

impl Server for Postgres {
    const SECRET: &'static str = PASSWORD;

    async fn start() -> Result<Option<Self>> {
        Ok(PostgreSql::start()?.map(Self))
    }

    fn port(&self) -> Option<u16> {
        Some(self.0.port)
    }

    fn output(&self, port: u16) -> output::Config {
        output::Config::Postgres(self.config(port))
    }

    async fn rows(&mut self) -> Result<Vec<Row>> {
        let sql = "SELECT to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), \
                   meter, obis, value FROM meterline.registers";
        let found = self.0.sql("meters", sql)?;
        let of_line = |line: &str| {
            let mut fields = line.split('|');
            let mut field = || fields.next().unwrap_or_default();
            let (time, meter, register, number) = (field(), field(), field(), field());
            row(meter, time, register, number)
        };
        Ok(found.lines().map(of_line).collect())
    }

    async fn kill(&mut self) -> Result {
        self.0.kill()
    }

    async fn again(&mut self) -> Result {
        self.0.run(true)
    }

    /// Reading 6 counts 1000000.6 Wh.
    async fn refuse(&mut self, stage: &Stage, index: i64) -> Result<&'static [&'static str]> {
        let value = 1_000_000 * 10 + index;
        let (whole, tenths) = (value / 10, value % 10);
        let constraint = format!(
            "ALTER TABLE meterline.registers ADD CONSTRAINT picky CHECK (value <> {whole}.{tenths})"
        );
        self.0.sql("meters", &constraint)?;
        stage.append(index).await?;
        Ok(&["23514", "picky"])
    }

    async fn forbid(&mut self, port: u16) -> Result<Wrong> {
        let mut config = self.config(port);
        config.password = Some(Secret::literal("another"));
        let words = &["28P01", ": check username and password"];
        Ok((output::Config::Postgres(config), words))
    }

    async fn mistrust(&mut self, port: u16) -> Result<Vec<Wrong>> {
        let mut other_name = self.config(port);
        other_name.url = format!("postgres://127.0.0.1:{port}/meters");
        let ca = self.0.path("other-ca.pem");
        std::fs::write(&ca, Backend::start(backend::Config::default())?.ca_pem())?;
        let mut other_ca = self.config(port);
        other_ca.remote.ca_file = Some(ca);
        Ok(vec![
            (
                output::Config::Postgres(other_name),
                &["cannot trust 127.0.0.1", "its certificate is for"],
            ),
            (
                output::Config::Postgres(other_ca),
                &["cannot trust localhost: its certificate"],
            ),
        ])
    }
}
