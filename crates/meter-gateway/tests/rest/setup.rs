//! A journal, a simulated server and one REST output between them, with
//! everything that the output logs.

use std::error::Error;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meter_core::{Reading, UnixMillis};
use meter_gateway::config::Secret;
use meter_gateway::journal::{Cursor, Journal, Options, Rejected, Start};
use meter_gateway::output::rest::Config;
use meter_gateway::output::{self, State, Status};
use meter_sim::backend::{self, Backend};
use serde_json::Value as Json;
use sml_wire::{GetListRes, Integer, ListEntry, Value};
use tempfile::{NamedTempFile, TempDir};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tracing::subscriber::DefaultGuard;

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// The secret in the path, as `ThingsBoard` has it.
pub const TOKEN: &str = "T0pS3cr3tT0k3n";
/// The time of reading 0.
pub const START: i64 = 1_780_000_000_000;
/// Longer than any test should need for anything.
const LIMIT: Duration = Duration::from_secs(30);

const METER: [u8; 10] = [0x0a, 0x01, b'E', b'M', b'H', 0x00, 0x00, 0xbc, 0x61, 0x4e];
const OTHER_METER: [u8; 10] = [0x0a, 0x01, b'E', b'S', b'Y', 0x11, 0x03, 0xb5, 0x9c, 0x5d];

/// One output between a journal and a server.
pub struct Setup {
    pub backend: Backend,
    pub journal: Journal,
    pub config: Config,
    log: Log,
    _logging: DefaultGuard,
    _files: (NamedTempFile, TempDir),
}

/// Everything that was logged on this thread, at any level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Setup {
    pub async fn new() -> Result<Self> {
        Self::with(backend::Config::default()).await
    }

    pub async fn with(backend: backend::Config) -> Result<Self> {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let logging = tracing::subscriber::set_default(subscriber);
        let backend = Backend::start(backend)?;
        let mut ca = NamedTempFile::new()?;
        ca.write_all(backend.ca_pem().as_bytes())?;
        let directory = TempDir::new()?;
        let journal = Journal::open(Options::in_directory(directory.path()))?;
        // Without an output that waits for it, a reading as old as these is not kept.
        journal.cursor("test", Start::Beginning).await?;
        let url = backend.url("/api/v1/{token}/telemetry");
        let mut config = Config::new(Secret::literal(url));
        config.token = Some(Secret::literal(TOKEN));
        config.remote.ca_file = Some(ca.path().to_owned());
        config.remote.delivery.retry_first = millis(20);
        config.remote.delivery.retry_max = millis(100);
        config.remote.delivery.recheck = millis(100);
        config.remote.timeout = millis(2000);
        let files = (ca, directory);
        Ok(Self {
            backend,
            journal,
            config,
            log,
            _logging: logging,
            _files: files,
        })
    }

    pub async fn cursor(&self) -> Result<Cursor> {
        Ok(self.journal.cursor("test", Start::Beginning).await?)
    }

    /// Appends reading number `index`, which was taken that many seconds after [`START`].
    pub async fn append(&self, index: i64) -> Result {
        self.append_of(&METER, index).await
    }

    pub async fn append_other_meter(&self, index: i64) -> Result {
        self.append_of(&OTHER_METER, index).await
    }

    async fn append_of(&self, meter: &[u8], index: i64) -> Result {
        let time = UnixMillis(START + index * 1000);
        self.journal
            .append(meter, time, body(meter, index)?)
            .await?;
        Ok(())
    }

    /// Readings of two KiB, of which an output sends little.
    pub async fn append_signed(&self, indices: std::ops::Range<i64>) -> Result {
        let signature = [0; 2048];
        for index in indices {
            let body = signed_body(&METER, index, Some(&signature))?;
            let time = UnixMillis(START + index * 1000);
            self.journal.append(&METER, time, body).await?;
        }
        Ok(())
    }

    pub async fn append_all(&self, indices: std::ops::Range<i64>) -> Result {
        for index in indices {
            self.append(index).await?;
        }
        Ok(())
    }

    /// Starts the output.
    pub async fn start(&self) -> Result<Running> {
        let output = output::Config::Rest(self.config.clone());
        output.validate()?;
        let (sender, status) = watch::channel(Status::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let cursor = self.cursor().await?;
        let task = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            output
                .run(cursor, sender, shutdown)
                .await
                .map_err(|error| error.to_string())
        });
        Ok(Running { status, stop, task })
    }

    /// Runs the output until it is idle with nothing left to send.
    pub async fn deliver_all(&self) -> Result<Status> {
        let running = self.start().await?;
        let status = running.until_delivered().await?;
        running.stop().await?;
        Ok(status)
    }

    /// The numbers of the readings that the server took, in the order of arrival.
    pub fn arrived(&self) -> Vec<i64> {
        self.backend
            .accepted_readings()
            .iter()
            .filter_map(index_of)
            .collect()
    }

    pub async fn rejected(&self) -> Result<Vec<Rejected>> {
        Ok(self.journal.rejected(1000).await?)
    }

    pub async fn rejected_indices(&self) -> Result<Vec<i64>> {
        let rejected = self.rejected().await?;
        let mut indices: Vec<i64> = rejected
            .iter()
            .map(|one| (one.record.time.0 - START) / 1000)
            .collect();
        indices.sort_unstable();
        Ok(indices)
    }

    pub fn log(&self) -> String {
        let bytes = self.log.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The lines at WARN and ERROR; a test says which it expects.
    pub fn warnings(&self) -> Vec<String> {
        let log = self.log();
        let loud = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        log.lines().filter(loud).map(str::to_owned).collect()
    }
}

/// An output at work.
pub struct Running {
    pub status: watch::Receiver<Status>,
    stop: oneshot::Sender<()>,
    pub task: JoinHandle<std::result::Result<(), String>>,
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

/// A small `GetList.Res` with `index` in its counter.
fn body(meter: &[u8], index: i64) -> Result<Vec<u8>> {
    signed_body(meter, index, None)
}

fn signed_body(meter: &[u8], index: i64, signature: Option<&[u8]>) -> Result<Vec<u8>> {
    let entry = |name, unit, value| ListEntry {
        name,
        status: None,
        time: None,
        unit: Some(Integer::unsigned(unit)),
        scaler: Some(Integer::signed(-1)),
        value: Value::Integer(value),
        signature: None,
    };
    let counter = Integer::unsigned(10_000_000 + index.unsigned_abs());
    let entries = [
        entry(&[1, 0, 1, 8, 0, 255], 30, counter),
        entry(&[1, 0, 16, 7, 0, 255], 27, Integer::signed(-1055)),
    ];
    let list = GetListRes {
        entries: entries.as_slice().into(),
        signature,
        ..GetListRes::of(meter)
    };
    let mut buffer = [0; 4096];
    Ok(Reading::new(list)
        .emit(&mut buffer)
        .map_err(|_| "too long")?
        .to_vec())
}

/// The number of a reading in `ThingsBoard`'s form.
pub fn index_of(reading: &Json) -> Option<i64> {
    Some((reading.get("ts")?.as_i64()? - START) / 1000)
}

pub fn millis(millis: u64) -> meter_gateway::config::Duration {
    meter_gateway::config::Duration::from_millis(millis)
}

pub fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}

pub fn numbers(range: std::ops::Range<i64>) -> Vec<i64> {
    range.collect()
}
