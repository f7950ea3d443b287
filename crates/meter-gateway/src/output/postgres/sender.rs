//! Readings in, transactions out.

use std::fmt::Display;
use std::pin::pin;

use bytes::Bytes;
use futures_util::SinkExt;
use meter_core::payload::postgres::COLUMNS;
use meter_core::{Shown, payload};
use tokio::time::timeout;

use super::config::{Config, ConfigError};
use super::connect::{Login, Session};
use super::schema::{self, Tables};
use super::trouble::Trouble;
use crate::output::delivery::{Failure, Sender, Sent};
use crate::output::shape::Shaped;

/// One output into `PostgreSQL` at work.
#[derive(Debug)]
pub(in crate::output) struct Postgres {
    config: Config,
    login: Login,
    /// What was logged in, and what is known of its tables.
    session: Option<(Session, Tables)>,
}

impl Postgres {
    pub(in crate::output) fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            login: config.login()?,
            config: config.clone(),
            session: None,
        })
    }

    async fn open(&self) -> Result<(Session, Tables), Trouble> {
        let session = Session::open(&self.login).await?;
        let tables = schema::prepare(&session.client, &self.config.schema).await?;
        Ok((session, tables))
    }

    /// Writes rows, and returns when they are committed. Whatever goes wrong, or if this is dropped,
    /// the session ends and with it the transaction.
    async fn write(&mut self, readings: &[Shaped<'_>], rows: String) -> Result<(), Trouble> {
        let open = self
            .session
            .take()
            .filter(|(session, _)| !session.client.is_closed());
        let (session, mut tables) = match open {
            Some(open) => open,
            None => self.open().await?,
        };
        let client = &session.client;
        tables
            .make_room(client, readings.iter().map(Shown::time))
            .await?;
        client.batch_execute("BEGIN").await?;
        let copy = format!("COPY meterline_staging ({COLUMNS}) FROM STDIN");
        let mut sink = pin!(client.copy_in::<_, Bytes>(&copy).await?);
        sink.send(Bytes::from(rows)).await?;
        sink.finish().await?;
        client.batch_execute(&tables.insert(COLUMNS)).await?;
        client.batch_execute("COMMIT").await?;
        self.session = Some((session, tables));
        Ok(())
    }
}

impl Sender for Postgres {
    const SUSPECT_KEYS: &'static str = "the constraints and triggers of the table";

    fn to(&self) -> impl Display + Send {
        &self.login.address
    }

    fn most(&self) -> usize {
        usize::try_from(self.config.batch_size.get()).unwrap_or(usize::MAX)
    }

    async fn send(&mut self, readings: &[Shaped<'_>]) -> Result<Sent, Failure> {
        let mut text = String::new();
        for shaped in readings {
            // Writing into a string cannot fail.
            let _ = payload::postgres(shaped, &mut text);
        }
        let limit = self.config.remote.timeout.get();
        let written = timeout(limit, self.write(readings, text)).await;
        match written.unwrap_or(Err(Trouble::Slow { limit })) {
            Ok(()) => Ok(Sent::all(readings.len())),
            Err(trouble) => Err(trouble
                .with_fix(&self.config)
                .failure(&self.login.address, readings.len())),
        }
    }

    async fn close(&mut self) {
        if let Some((session, _)) = self.session.take() {
            session.close().await;
        }
    }
}
