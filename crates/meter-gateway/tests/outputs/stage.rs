//! A journal with made-up readings and one output behind it, with everything that is logged: what the
//! tests of every output share.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meter_core::{Reading, UnixMillis};
use meter_gateway::journal::{Cursor, Journal, Options, Record, Rejected, Start};
use meter_gateway::output::{self, Delivery, Remote, State, Status};
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
pub const LIMIT: Duration = Duration::from_mins(1);

pub const METER: [u8; 10] = [0x0a, 0x01, b'E', b'M', b'H', 0x00, 0x00, 0xbc, 0x61, 0x4e];
/// As the nameplate has it, without spaces.
pub const METER_ID: &str = "1EMH0012345678";
pub const OTHER_METER: [u8; 10] = [0x0a, 0x01, b'E', b'S', b'Y', 0x11, 0x03, 0xb5, 0x9c, 0x5d];

/// The name of the output.
pub const OUTPUT: &str = "test";
/// Reads the journal beside it.
const AUDIT: &str = "audit";

/// A journal for one output.
pub struct Stage {
    pub journal: Journal,
    /// The time of reading 0.
    pub start: i64,
    /// What reading 0 counts, in tenths of a Wh.
    pub counter: u64,
    /// Registers that all readings have besides the usual two.
    pub further: Vec<ListEntry<'static>>,
    /// What the inputs show of themselves.
    pub view: watch::Sender<Snapshot>,
    /// What was read from the journal so far, besides the output.
    read: tokio::sync::Mutex<Vec<Record>>,
    log: Log,
    _logging: DefaultGuard,
    /// Only to be removed in the end.
    directory: Option<TempDir>,
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
        let directory = TempDir::new()?;
        let mut stage = Self::at(directory.path()).await?;
        (stage.start, stage.directory) = (start, Some(directory));
        Ok(stage)
    }

    /// With a journal that outlives it.
    pub async fn at(directory: &Path) -> Result<Self> {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let logging = tracing::subscriber::set_default(subscriber);
        let journal = Journal::open(Options::in_directory(directory))?;
        // Without an output that waits for it, a reading as old as these is not kept.
        for output in [OUTPUT, AUDIT] {
            journal.cursor(output, Start::Beginning).await?;
        }
        Ok(Self {
            journal,
            start: START,
            counter: 10_000_000,
            further: Vec::new(),
            view: watch::Sender::default(),
            read: tokio::sync::Mutex::default(),
            log,
            _logging: logging,
            directory: None,
        })
    }

    pub async fn cursor(&self) -> Result<Cursor> {
        Ok(self.journal.cursor(OUTPUT, Start::Beginning).await?)
    }

    /// Everything that the journal was given.
    pub async fn records(&self) -> Result<Vec<Record>> {
        let mut read = self.read.lock().await;
        let mut audit = self.journal.cursor(AUDIT, Start::Beginning).await?;
        loop {
            let records = audit.next(1000).await?;
            let Some(last) = records.last() else {
                return Ok(read.clone());
            };
            audit.ack(last.seq).await?;
            read.extend(records);
        }
    }

    /// Appends reading number `index`, which was taken that many seconds after the first.
    pub async fn append(&self, index: i64) -> Result {
        self.append_of(&METER, index).await
    }

    pub async fn append_of(&self, meter: &[u8], index: i64) -> Result {
        self.append_at(meter, self.start + index * 1000, index)
            .await
    }

    /// The same, taken at another time.
    pub async fn append_at(&self, meter: &[u8], time: i64, index: i64) -> Result {
        let body = self.body(meter, index, &[], None)?;
        self.journal.append(meter, UnixMillis(time), body).await?;
        Ok(())
    }

    /// With registers besides those that all have.
    pub async fn append_with(&self, index: i64, further: &[ListEntry<'_>]) -> Result {
        let body = self.body(&METER, index, further, None)?;
        self.append_body(&METER, index, body).await
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
            let body = self.body(&METER, index, &[], Some(&signature))?;
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

    /// A small `GetList.Res` with `index` in its counter.
    fn body(
        &self,
        meter: &[u8],
        index: i64,
        further: &[ListEntry<'_>],
        signature: Option<&[u8]>,
    ) -> Result<Vec<u8>> {
        let counter = Integer::unsigned(self.counter + index.unsigned_abs());
        let usual = [
            entry(&[1, 0, 1, 8, 0, 255], 30, counter),
            entry(&[1, 0, 16, 7, 0, 255], 27, Integer::signed(-1055)),
        ];
        let entries = [&usual, self.further.as_slice(), further].concat();
        let list = GetListRes {
            entries: entries.as_slice().into(),
            signature,
            ..GetListRes::of(meter)
        };
        let mut buffer = [0; 4096];
        let body = Reading::new(list).emit(&mut buffer);
        Ok(body.map_err(|_| "too long")?.to_vec())
    }

    /// Starts an output.
    pub async fn start(&self, output: output::Config) -> Result<Running> {
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

    /// Ends it as a kill would: no word to anybody.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
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
    soon(&mut remote.delivery);
    remote.timeout = millis(2000);
}

/// The same without a network.
pub fn soon(delivery: &mut Delivery) {
    delivery.retry_first = millis(20);
    delivery.retry_max = millis(100);
    delivery.recheck = millis(100);
}

/// A register that a server may have something against: `99.98.97`.
pub fn odd_register() -> ListEntry<'static> {
    entry(&[1, 0, 99, 98, 97, 255], 255, Integer::unsigned(7))
}

/// A register of each kind that is not a usual number: a status, the largest integer, text that has to be
/// quoted, nothing.
pub fn all_kinds() -> [ListEntry<'static>; 3] {
    let octets = |name, value| ListEntry {
        unit: None,
        scaler: None,
        value,
        ..entry(name, 0, Integer::unsigned(0))
    };
    [
        ListEntry {
            status: Some(Integer::unsigned(u64::MAX)),
            ..entry(&[1, 0, 2, 8, 0, 255], 30, Integer::unsigned(u64::MAX))
        },
        octets(&[1, 0, 96, 50, 1, 1], Value::Octets(b"a \\ \"b\", \\N 'c'")),
        octets(&[1, 0, 96, 90, 2, 1], Value::Absent),
    ]
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
