//! A journal with made-up readings and one output behind it, with everything that is logged: what the
//! tests of every output share.

use std::error::Error;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meter_core::{Reading, UnixMillis};
use meter_gateway::journal::{Cursor, Journal, Options, Record, Rejected, Start};
use meter_gateway::output::{self, Remote, State, Status};
use meter_gateway::run::Snapshot;
use sml_wire::{GetListRes, Integer, ListEntry, Value};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tracing::subscriber::DefaultGuard;

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// The time of reading 0, unless a test says otherwise.
pub const START: i64 = 1_780_000_000_000;
/// Longer than any test should need for anything.
const LIMIT: Duration = Duration::from_secs(30);

pub const METER: [u8; 10] = [0x0a, 0x01, b'E', b'M', b'H', 0x00, 0x00, 0xbc, 0x61, 0x4e];
const OTHER_METER: [u8; 10] = [0x0a, 0x01, b'E', b'S', b'Y', 0x11, 0x03, 0xb5, 0x9c, 0x5d];

/// A journal for one output, `test`.
pub struct Stage {
    pub journal: Journal,
    /// The time of reading 0.
    start: i64,
    log: Log,
    _logging: DefaultGuard,
    _directory: TempDir,
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

impl Stage {
    pub async fn new() -> Result<Self> {
        Self::beginning(START).await
    }

    /// With the time of reading 0.
    pub async fn beginning(start: i64) -> Result<Self> {
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
        Ok(Self {
            journal,
            start,
            log,
            _logging: logging,
            _directory: directory,
        })
    }

    pub async fn cursor(&self) -> Result<Cursor> {
        Ok(self.journal.cursor("test", Start::Beginning).await?)
    }

    /// Everything that was not delivered.
    pub async fn records(&self) -> Result<Vec<Record>> {
        Ok(self.cursor().await?.next(usize::MAX).await?)
    }

    /// Appends reading number `index`, which was taken that many seconds after the first.
    pub async fn append(&self, index: i64) -> Result {
        self.append_body(&METER, index, body(&METER, index)?).await
    }

    pub async fn append_other_meter(&self, index: i64) -> Result {
        let body = body(&OTHER_METER, index)?;
        self.append_body(&OTHER_METER, index, body).await
    }

    pub async fn append_body(&self, meter: &[u8], index: i64, body: Vec<u8>) -> Result {
        let time = UnixMillis(self.start + index * 1000);
        self.journal.append(meter, time, body).await?;
        Ok(())
    }

    /// Readings of two KiB, of which an output sends little.
    pub async fn append_signed(&self, indices: std::ops::Range<i64>) -> Result {
        let signature = [0; 2048];
        for index in indices {
            let body = list_body(&METER, index, &[], Some(&signature))?;
            self.append_body(&METER, index, body).await?;
        }
        Ok(())
    }

    pub async fn append_all(&self, indices: std::ops::Range<i64>) -> Result {
        for index in indices {
            self.append(index).await?;
        }
        Ok(())
    }

    /// Starts an output.
    pub async fn start(&self, output: output::Config) -> Result<Running> {
        output.validate()?;
        let (sender, status) = watch::channel(Status::default());
        let (_, view) = watch::channel(Snapshot::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let cursor = self.cursor().await?;
        let task = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            output
                .run(cursor, sender, view, shutdown)
                .await
                .map_err(|error| error.to_string())
        });
        Ok(Running { status, stop, task })
    }

    /// Runs an output until it is idle with nothing left to send.
    pub async fn deliver_all(&self, output: output::Config) -> Result<Status> {
        let running = self.start(output).await?;
        let status = running.until_delivered().await?;
        running.stop().await?;
        Ok(status)
    }

    pub async fn rejected(&self) -> Result<Vec<Rejected>> {
        Ok(self.journal.rejected(1000).await?)
    }

    pub async fn rejected_indices(&self) -> Result<Vec<i64>> {
        let rejected = self.rejected().await?;
        let mut indices: Vec<i64> = rejected
            .iter()
            .map(|one| (one.record.time.0 - self.start) / 1000)
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

    /// What it complains of once it is in this state.
    pub async fn complaint(&self, state: State) -> Result<String> {
        let status = self.until("in trouble", |status| status.state == state);
        Ok(status.await?.last_error.unwrap_or_default())
    }

    pub async fn stop(self) -> Result {
        // It may have ended by itself.
        let _ = self.stop.send(());
        tokio::time::timeout(LIMIT, self.task).await???;
        Ok(())
    }
}

/// Tries again soon, so that a test need not wait.
pub fn impatient(remote: &mut Remote) {
    remote.delivery.retry_first = millis(20);
    remote.delivery.retry_max = millis(100);
    remote.delivery.recheck = millis(100);
    remote.timeout = millis(2000);
}

/// A small `GetList.Res` with `index` in its counter.
pub fn body(meter: &[u8], index: i64) -> Result<Vec<u8>> {
    list_body(meter, index, &[], None)
}

/// The same with a register that a server may have something against: `99.98.97`.
pub fn odd_body(meter: &[u8], index: i64) -> Result<Vec<u8>> {
    let odd = entry(&[1, 0, 99, 98, 97, 255], 255, Integer::unsigned(7));
    list_body(meter, index, &[odd], None)
}

fn entry(name: &'static [u8], unit: u64, value: Integer) -> ListEntry<'static> {
    ListEntry {
        name,
        status: None,
        time: None,
        unit: Some(Integer::unsigned(unit)),
        scaler: Some(Integer::signed(-1)),
        value: Value::Integer(value),
        signature: None,
    }
}

fn list_body(
    meter: &[u8],
    index: i64,
    further: &[ListEntry<'_>],
    signature: Option<&[u8]>,
) -> Result<Vec<u8>> {
    let counter = Integer::unsigned(10_000_000 + index.unsigned_abs());
    let usual = [
        entry(&[1, 0, 1, 8, 0, 255], 30, counter),
        entry(&[1, 0, 16, 7, 0, 255], 27, Integer::signed(-1055)),
    ];
    let entries = [&usual, further].concat();
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
