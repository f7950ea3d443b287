//! A journal, a database, and the output between them.

use std::error::Error;
use std::time::Duration;

use meter_core::{Reading, UnixMillis};
use meter_gateway::config::{self, Secret};
use meter_gateway::journal::{Journal, Options, Record, Start};
use meter_gateway::output::postgres::Config;
use meter_gateway::output::{self, State, Status};
use meter_gateway::run::Snapshot;
use sml_wire::{GetListRes, Integer, ListEntry, Value};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::server::{PASSWORD, Server};

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// 2026-05-28T20:26:40Z.
pub const START: i64 = 1_780_000_000_000;
pub const DAY: i64 = 86_400_000;
/// Longer than any test should need for anything.
pub const LIMIT: Duration = Duration::from_mins(1);

const HOUSE: [u8; 10] = [0x0a, 0x01, b'E', b'M', b'H', 0x00, 0x00, 0xbc, 0x61, 0x4e];

pub struct Setup {
    pub server: Server,
    pub journal: Journal,
    pub config: Config,
    _state: TempDir,
}

/// Settings without patience.
pub fn config(url: String) -> Config {
    let mut config = Config::new(url);
    config.password = Some(Secret::literal(PASSWORD));
    config.remote.timeout = config::Duration::from_secs(10);
    config.remote.delivery.retry_first = config::Duration::from_millis(100);
    config.remote.delivery.retry_max = config::Duration::from_millis(100);
    config.remote.delivery.recheck = config::Duration::from_secs(1);
    config
}

impl Setup {
    pub async fn new() -> Result<Option<Self>> {
        let Some(server) = Server::start()? else {
            return Ok(None);
        };
        let state = TempDir::new()?;
        let journal = Journal::open(Options::in_directory(state.path()))?;
        // Who waits for readings keeps them, however old they are.
        for output in ["test", "audit"] {
            journal.cursor(output, Start::Beginning).await?;
        }
        let mut config = config(format!("postgres://localhost:{}/meters", server.port));
        config.remote.ca_file = Some(server.path("ca.pem"));
        Ok(Some(Self {
            server,
            journal,
            config,
            _state: state,
        }))
    }

    /// Reading number `index`, taken at `time`.
    pub async fn append_at(&self, time: i64, index: i64) -> Result {
        let time = UnixMillis(time);
        self.journal.append(&HOUSE, time, body(index)?).await?;
        Ok(())
    }

    pub async fn append_all(&self, indices: std::ops::Range<i64>) -> Result {
        for index in indices {
            self.append_at(START + index * 1000, index).await?;
        }
        Ok(())
    }

    pub async fn start(&self) -> Result<Running> {
        let output = output::Config::Postgres(self.config.clone());
        output.validate()?;
        let (sender, status) = watch::channel(Status::default());
        let (_, view) = watch::channel(Snapshot::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let cursor = self.journal.cursor("test", Start::Beginning).await?;
        let task = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            let done = output.run(cursor, sender, view, shutdown).await;
            done.map_err(|error| error.to_string())
        });
        Ok(Running { status, stop, task })
    }

    pub async fn deliver_all(&self) -> Result {
        let running = self.start().await?;
        running.until_delivered().await?;
        running.stop().await
    }

    /// What `check` says: good or bad.
    pub async fn probe(&self) -> std::result::Result<String, String> {
        let output = output::Config::Postgres(self.config.clone());
        output.probe().await.map_err(|error| error.to_string())
    }

    /// What the output says when somebody has to mend something.
    pub async fn stuck(&self) -> Result<String> {
        let running = self.start().await?;
        let stuck = |status: &Status| status.state == State::Misconfigured;
        let status = running.until("misconfigured", stuck).await?;
        running.stop().await?;
        Ok(status.last_error.unwrap_or_default())
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

    pub async fn records(&self) -> Result<Vec<Record>> {
        let mut all = self.journal.cursor("audit", Start::Beginning).await?;
        let mut found = Vec::new();
        loop {
            let records = all.next(1000).await?;
            let Some(last) = records.last() else {
                return Ok(found);
            };
            all.ack(last.seq).await?;
            found.extend(records);
        }
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

/// An output at work.
pub struct Running {
    status: watch::Receiver<Status>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::result::Result<(), String>>,
}

impl Running {
    pub async fn until(&self, what: &str, done: impl FnMut(&Status) -> bool) -> Result<Status> {
        let mut status = self.status.clone();
        let waiting = tokio::time::timeout(LIMIT, status.wait_for(done)).await;
        let Ok(found) = waiting else {
            return Err(format!("never {what}: {:?}", *self.status.borrow()).into());
        };
        Ok(found?.clone())
    }

    pub async fn until_retrying(&self) -> Result<String> {
        let retrying = |status: &Status| status.state == State::Retrying;
        let status = self.until("retrying", retrying).await?;
        Ok(status.last_error.unwrap_or_default())
    }

    pub async fn until_delivered(&self) -> Result<Status> {
        self.until("idle", |status| {
            status.state == State::Idle && status.backlog == 0
        })
        .await
    }

    pub async fn stop(self) -> Result {
        // It may have ended by itself.
        let _ = self.stop.send(());
        tokio::time::timeout(LIMIT, self.task).await???;
        Ok(())
    }
}

/// A small `GetList.Res` with `index` in its counter, and one of each kind of value.
fn body(index: i64) -> Result<Vec<u8>> {
    let entry = |name, unit, scaler, value| ListEntry {
        name,
        status: None,
        time: None,
        unit: Some(Integer::unsigned(unit)),
        scaler: Some(Integer::signed(scaler)),
        value,
        signature: None,
    };
    let counter = Integer::unsigned(10_000_000 + index.unsigned_abs());
    let largest = Value::Integer(Integer::unsigned(u64::MAX));
    let entries = [
        ListEntry {
            status: Some(Integer::unsigned(u64::MAX)),
            ..entry(&[1, 0, 1, 8, 0, 255], 30, -1, Value::Integer(counter))
        },
        entry(
            &[1, 0, 16, 7, 0, 255],
            27,
            0,
            Value::Integer(Integer::signed(-1055)),
        ),
        entry(&[1, 0, 2, 8, 0, 255], 30, -4, largest),
        entry(
            &[1, 0, 96, 50, 1, 1],
            0,
            0,
            Value::Octets(b"a \\ \"b\", \\N 'c'"),
        ),
        entry(&[1, 0, 96, 90, 2, 1], 0, 0, Value::Absent),
    ];
    let list = GetListRes {
        entries: entries.as_slice().into(),
        ..GetListRes::of(&HOUSE)
    };
    let mut buffer = [0; 512];
    Ok(Reading::new(list)
        .emit(&mut buffer)
        .map_err(|_| "too long")?
        .to_vec())
}

pub fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
    assert!(!message.contains(PASSWORD), "{message}");
}
