//! A journal and one output, with everything that the output logs.

use std::error::Error;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use meter_core::{Reading, UnixMillis};
use meter_gateway::config::{self, Secret};
use meter_gateway::journal::{Cursor, Journal, Options, Start};
use meter_gateway::output::mqtt::Config;
use meter_gateway::output::{self, State, Status};
use meter_gateway::run::Snapshot;
use sml_wire::{GetListRes, Integer, ListEntry, Value};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tracing::subscriber::DefaultGuard;

use super::broker::{Broker, LIMIT, PASSWORD};

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// `1EMH0012345678`.
pub const METER: [u8; 10] = [0x0a, 0x01, b'E', b'M', b'H', 0x00, 0x00, 0xbc, 0x61, 0x4e];
pub const METER_ID: &str = "1EMH0012345678";
/// `1ESY1162232669`.
pub const OTHER_METER: [u8; 10] = [0x0a, 0x01, b'E', b'S', b'Y', 0x11, 0x03, 0xb5, 0x9c, 0x5d];
/// Where readings of the first meter go.
pub const TOPIC: &str = "meterline/1EMH0012345678";
/// Where the output says that it is there.
pub const AVAILABILITY: &str = "meterline/under-test/availability";

/// One output between a journal and a broker.
pub struct Setup {
    pub journal: Journal,
    pub config: Config,
    /// What the inputs show of themselves.
    pub view: watch::Sender<Snapshot>,
    /// The time of reading 0.
    pub start: i64,
    log: Log,
    _logging: DefaultGuard,
    _directory: TempDir,
}

/// Everything that was logged on this thread, at any level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Setup {
    /// To a broker at this address, with a user that may do everything it needs.
    pub async fn new(url: &str, broker: &Broker) -> Result<Self> {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let logging = tracing::subscriber::set_default(subscriber);
        let directory = TempDir::new()?;
        let journal = Journal::open(Options::in_directory(directory.path()))?;
        // Without an output that waits for it, a reading as old as these is not kept.
        journal.cursor("test", Start::Beginning).await?;
        let mut config = Config::new(url.parse()?);
        config.client_id = Some("under-test".to_owned());
        config.username = Some(Secret::literal("meterline"));
        config.password = Some(Secret::literal(PASSWORD));
        config.remote.allow_insecure = true;
        config.remote.timeout = millis(3000);
        if config.url.tls() {
            config.remote.ca_file = Some(broker.folder.path().join("ca"));
        }
        config.remote.delivery.retry_first = millis(100);
        config.remote.delivery.retry_max = millis(200);
        config.remote.delivery.recheck = config::Duration::from_secs(1);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(Self {
            journal,
            config,
            view: watch::Sender::default(),
            start: i64::try_from(now.as_millis())?,
            log,
            _logging: logging,
            _directory: directory,
        })
    }

    pub async fn cursor(&self) -> Result<Cursor> {
        Ok(self.journal.cursor("test", Start::Beginning).await?)
    }

    /// Appends readings with these numbers, each a second after the one before.
    pub async fn append(&self, indices: Range<i64>) -> Result {
        for index in indices {
            self.append_of(&METER, index).await?;
        }
        Ok(())
    }

    pub async fn append_of(&self, meter: &[u8], index: i64) -> Result {
        let time = UnixMillis(self.start + index * 1000);
        let body = body(meter, index)?;
        self.journal.append(meter, time, body).await?;
        Ok(())
    }

    /// Starts the output.
    pub async fn run(&self) -> Result<Running> {
        let output = output::Config::Mqtt(self.config.clone());
        output.validate()?;
        let (sender, status) = watch::channel(Status::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let cursor = self.cursor().await?;
        let view = self.view.subscribe();
        let task = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            let done = output.run(cursor, sender, view, shutdown).await;
            done.map_err(|error| error.to_string())
        });
        Ok(Running { status, stop, task })
    }

    /// What `meterline check` says.
    pub async fn check(&self) -> std::result::Result<String, String> {
        let output = output::Config::Mqtt(self.config.clone());
        output.probe().await.map_err(|error| error.to_string())
    }

    /// The lines at WARN and ERROR; a test says which it expects.
    pub fn warnings(&self) -> Vec<String> {
        let bytes = self.log.0.lock().unwrap_or_else(PoisonError::into_inner);
        let log = String::from_utf8_lossy(&bytes);
        assert!(!log.contains(PASSWORD), "a password in the log");
        let loud = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        log.lines().filter(loud).map(str::to_owned).collect()
    }
}

/// An output at work.
pub struct Running {
    pub status: watch::Receiver<Status>,
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

    pub async fn until_delivered(&self) -> Result<Status> {
        let idle = |status: &Status| status.state == State::Idle && status.backlog == 0;
        self.until("idle", idle).await
    }

    /// Waits for a state, and returns the trouble that is told.
    pub async fn until_trouble(&self, state: State) -> Result<String> {
        let status = self.until("in trouble", |status| status.state == state);
        Ok(status.await?.last_error.unwrap_or_default())
    }

    pub async fn stop(self) -> Result {
        // It may have ended by itself.
        let _ = self.stop.send(());
        tokio::time::timeout(LIMIT, self.task).await???;
        Ok(())
    }

    /// Ends it as a kill would: no word to anybody.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// A small `GetList.Res` with `index` in its counter.
fn body(meter: &[u8], index: i64) -> Result<Vec<u8>> {
    let entry = |name, unit, value| ListEntry {
        name,
        status: None,
        time: None,
        unit: Some(Integer::unsigned(unit)),
        scaler: Some(Integer::signed(-1)),
        value: Value::Integer(value),
        signature: None,
    };
    let counter = Integer::unsigned(29_416_459 + index.unsigned_abs());
    let entries = [
        entry(&[1, 0, 1, 8, 0, 255], 30, counter),
        entry(&[1, 0, 16, 7, 0, 255], 27, Integer::signed(-1055)),
    ];
    let list = GetListRes {
        entries: entries.as_slice().into(),
        ..GetListRes::of(meter)
    };
    let mut buffer = [0; 4096];
    let body = Reading::new(list).emit(&mut buffer);
    Ok(body.map_err(|_| "too long")?.to_vec())
}

pub fn millis(millis: u64) -> config::Duration {
    config::Duration::from_millis(millis)
}

/// Waits for a condition, which is looked at every few milliseconds.
pub async fn wait_for(what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result {
    let end = tokio::time::Instant::now() + LIMIT;
    while !holds().await? {
        if tokio::time::Instant::now() > end {
            return Err(format!("never: {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

pub fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}
