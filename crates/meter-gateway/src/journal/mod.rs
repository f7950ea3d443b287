//! The journal: every reading, on disk, until every output has delivered it.
//!
//! One append-only log of readings in an `SQLite` file, and for each output a cursor in it. A thread
//! owns the file; [`Journal`] is a handle to it that can be cloned, [`Cursor`] that of one output.
//!
//! ```text
//!   input ─▶ append ─┐                        ┌─▶ Cursor "home"  ─▶ next … ack
//!   input ─▶ append ─┼─▶ thread ─▶ journal.db ┼─▶ Cursor "cloud" ─▶ next … ack
//!   guard ─▶ suspect ┘                        └─▶ …
//! ```
//!
//! What it promises:
//!
//! - **A crash costs nothing.** [`Journal::append`] returns after the commit. Whatever has queued up
//!   meanwhile is committed as one. `kill -9` at any moment loses nothing that was acknowledged.
//! - **A power cut costs at most [`Options::sync_interval`]** (5 s) of readings, plus the time that
//!   the disk takes to write them: commits go to the write-ahead log without waiting for the disk,
//!   and that long after the first of them the log is synced. [`Journal::sync`] does it at once.
//!   The file itself stays sound: it is never written before the log that it is written from is
//!   synced (`SQLite`'s `synchronous = NORMAL`).
//! - **Delivered at least once.** An acknowledgement lost in a crash means a reading delivered twice,
//!   never one that is missing.
//! - **Bounded.** [`Options::max_size`] bounds all files together, [`Options::max_age`] what is
//!   delivered. When room runs out the least valuable goes first: see the module `room`.
//! - **It goes on.** A full, read-only or failing disk: the newest readings are kept in memory,
//!   outputs get them from there, and they are written as soon as the disk takes them. A damaged file
//!   is set aside as `journal.db.damaged-<UTC>` and a new one is begun with all that can be read of it
//!   and is not delivered. Each reading carries a checksum; one that does not fit is not delivered.
//! - **One process.** The second one is refused with the process id of the first.

mod checksum;
mod config;
mod cursor;
mod damage;
mod error;
mod lock;
mod look;
mod options;
mod pending;
mod position;
mod reading;
mod record;
mod room;
mod schema;
mod stamping;
mod store;
mod suspects;
mod trouble;
mod worker;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use meter_core::UnixMillis;
use tokio::sync::{mpsc, oneshot, watch};

pub use self::config::Config;
pub use self::cursor::Cursor;
pub use self::error::{AppendError, AskError, OpenError};
pub use self::look::Look;
pub use self::options::Options;
pub use self::record::{
    Backlog, Losses, Moment, Part, Record, Rejected, Span, Start, Status, Suspect,
};

use self::lock::Lock;
use self::look::Chart;
use self::pending::Row;
use self::room::Room;
use self::worker::{Command, Stage, Tip, Worker};

/// Commands that may queue up before those who send them have to wait.
const QUEUE: usize = 256;

/// The longest body. The longest telegrams known have less than 2 KiB.
const MAX_BODY: usize = 64 * 1024;

/// A handle to the journal. The file is closed in order when the last one is dropped;
/// [`close`](Self::close) waits for that.
#[derive(Clone, Debug)]
pub struct Journal {
    commands: mpsc::Sender<Command>,
    tip: watch::Receiver<Tip>,
    path: Arc<Path>,
    chart: Arc<Mutex<Chart>>,
}

impl Journal {
    /// Opens or makes the journal and starts its thread. Reads the file once if it is small, to check
    /// it, so this can take a moment.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let directory = match options.path.parent() {
            Some(directory) if directory != Path::new("") => directory,
            _ => Path::new("."),
        };
        if !directory.is_dir() {
            return Err(OpenError::NoDirectory(directory.to_owned()));
        }
        let lock = Lock::take(&options.path, directory)?;
        let room = Room::new(&options);
        let store = damage::open_or_replace(&options, &room)?;
        // That the file exists has to survive a power cut as well. Some file systems cannot, and
        // those do not need it.
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
        let path = options.path.clone();
        let shared = Arc::from(path.as_path());
        let worker = Worker::new(options, store, lock, room)
            .map_err(|source| OpenError::Disk { path, source })?;
        let tip = worker.watch();
        let (commands, queue) = mpsc::channel(QUEUE);
        start(worker, queue).map_err(OpenError::Thread)?;
        Ok(Self {
            commands,
            tip,
            path: shared,
            chart: Arc::default(),
        })
    }

    /// A look into the file beside the thread that owns it, for long reading. It waits for the disk.
    pub fn look(&self) -> Result<Look, OpenError> {
        Ok(Look::open(&self.path)?.with_chart(&self.chart))
    }

    /// Appends a reading and returns its place in the log once it is committed.
    pub async fn append(
        &self,
        meter: &[u8],
        time: UnixMillis,
        body: Vec<u8>,
    ) -> Result<u64, AppendError> {
        short(&body)?;
        self.stage(Stage::Reading {
            meter: meter.into(),
            time,
            body,
        })
        .await
    }

    /// Keeps a reading that was taken before the wall clock could be believed. It is not in the log,
    /// and no output gets it, until it is stamped.
    pub async fn append_provisional(
        &self,
        meter: &[u8],
        moment: Moment,
        seconds_index: Option<u64>,
        body: Vec<u8>,
    ) -> Result<(), AppendError> {
        short(&body)?;
        self.stage(Stage::Row(Row::Provisional {
            meter: meter.into(),
            moment,
            seconds_index,
            body,
        }))
        .await
        .map(drop)
    }

    /// The clock is right: stamps the readings of this boot, and appends them in their order.
    /// `boot_time` is the time at which its monotonic clock was zero. Returns how many there were.
    pub async fn restamp(&self, boot: &str, boot_time: UnixMillis) -> Result<u64, AskError> {
        let boot = boot.to_owned();
        self.ask(move |worker| worker.restamp(&boot, boot_time))
            .await
    }

    /// Stamps readings of any boot by the meter's own clock: at `seconds_index` it was `time`.
    /// Readings with a later index, or with none, go on waiting: the meter was restarted in between.
    pub async fn restamp_by_index(
        &self,
        meter: &[u8],
        seconds_index: u64,
        time: UnixMillis,
    ) -> Result<u64, AskError> {
        let meter = meter.to_owned();
        self.ask(move |worker| worker.restamp_by_index(&meter, seconds_index, time))
            .await
    }

    /// Keeps a reading that the plausibility guard refused, apart from the log.
    pub async fn append_suspect(
        &self,
        meter: &[u8],
        time: UnixMillis,
        reason: &str,
        body: Vec<u8>,
    ) -> Result<(), AppendError> {
        short(&body)?;
        let row = Row::Suspect {
            meter: meter.into(),
            time,
            moment: None,
            reason: reason.to_owned(),
            body,
        };
        self.stage(Stage::Row(row)).await.map(drop)
    }

    /// The same before the wall clock can be believed: `wall` is what it says. [`restamp`](Self::restamp)
    /// gives these suspects their time as well, and until then they cannot be accepted.
    pub async fn append_provisional_suspect(
        &self,
        meter: &[u8],
        moment: Moment,
        wall: UnixMillis,
        reason: &str,
        body: Vec<u8>,
    ) -> Result<(), AppendError> {
        short(&body)?;
        let row = Row::Suspect {
            meter: meter.into(),
            time: wall,
            moment: Some(moment),
            reason: reason.to_owned(),
            body,
        };
        self.stage(Stage::Row(row)).await.map(drop)
    }

    /// The server ids of the meters that have suspects.
    pub async fn suspected_meters(&self) -> Result<Vec<Box<[u8]>>, AskError> {
        self.ask(Worker::suspected_meters).await
    }

    /// The newest suspects of one meter, oldest first.
    pub async fn suspects_of(&self, meter: &[u8], limit: usize) -> Result<Vec<Suspect>, AskError> {
        let meter = meter.to_owned();
        self.ask(move |worker| worker.suspects_of(&meter, limit))
            .await
    }

    /// The oldest suspects.
    pub async fn suspects(&self, limit: usize) -> Result<Vec<Suspect>, AskError> {
        self.ask(move |worker| worker.suspects(limit)).await
    }

    /// The meter was really replaced: its suspects from number `first` on are appended to the log.
    /// Returns how many.
    pub async fn accept_suspects(&self, meter: &[u8], first: u64) -> Result<u64, AskError> {
        let meter = meter.to_owned();
        self.ask(move |worker| worker.accept(&meter, first)).await
    }

    /// The guard was right: deletes a meter's suspects. Returns how many.
    pub async fn discard_suspects(&self, meter: &[u8]) -> Result<u64, AskError> {
        let meter = meter.to_owned();
        self.ask(move |worker| worker.discard(&meter)).await
    }

    /// The newest readings that backends refused, newest first.
    pub async fn rejected(&self, limit: usize) -> Result<Vec<Rejected>, AskError> {
        self.ask(move |worker| worker.rejected(limit)).await
    }

    /// The newest reading of each meter.
    pub async fn newest(&self) -> Result<Vec<Record>, AskError> {
        self.ask(Worker::newest_of_each_meter).await
    }

    /// The place of an output, by its name. One that is not known yet begins where `start` says.
    pub async fn cursor(&self, output: &str, start: Start) -> Result<Cursor, AskError> {
        let output: Arc<str> = output.into();
        let name = Arc::clone(&output);
        self.ask(move |worker| worker.open_output(&name, start))
            .await?;
        Ok(Cursor::new(self.clone(), output, self.tip.clone()))
    }

    /// Forgets every output that is not among these, so that it does not hold back what the others
    /// have delivered. Call it with the outputs of the configuration.
    pub async fn retain_outputs(&self, names: Vec<String>) -> Result<(), AskError> {
        self.ask(move |worker| worker.retain_outputs(&names)).await
    }

    /// Waits until everything appended so far survives a power cut, and returns the newest sequence
    /// number that does.
    pub async fn sync(&self) -> Result<u64, AskError> {
        self.ask(Worker::sync).await
    }

    /// Waits until this reading survives a power cut.
    pub async fn durable(&self, seq: u64) -> Result<(), AskError> {
        self.ask(move |worker| {
            if worker.durable_seq >= seq {
                Ok(())
            } else {
                worker.sync().map(drop)
            }
        })
        .await
    }

    /// How the journal is.
    pub async fn status(&self) -> Result<Status, AskError> {
        self.ask(Worker::status).await
    }

    /// Commits, syncs and closes the file. Every other handle gets `Closed` from then on.
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        let close = Command::Ask(Box::new(move |worker| worker.close(done)));
        if self.commands.send(close).await.is_ok() {
            // An error means that somebody else has closed it already.
            let _ = closed.await;
        }
    }

    async fn stage(&self, stage: Stage) -> Result<u64, AppendError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(Command::Stage(stage, reply))
            .await
            .map_err(|_| AppendError::Closed)?;
        answer.await.unwrap_or_else(|_| {
            Err(if self.commands.is_closed() {
                AppendError::Closed
            } else {
                AppendError::Fault
            })
        })
    }

    /// Takes an acknowledgement to the thread.
    async fn settle(&self, stage: Stage) -> Result<(), AskError> {
        self.commands
            .send(Command::Settle(stage))
            .await
            .map_err(|_| AskError::Closed)
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Worker) -> Result<T, AskError> + Send + 'static,
    ) -> Result<T, AskError> {
        let (reply, answer) = oneshot::channel();
        let ask = Command::Ask(Box::new(move |worker| {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(question(worker));
        }));
        self.commands
            .send(ask)
            .await
            .map_err(|_| AskError::Closed)?;
        answer.await.unwrap_or_else(|_| {
            Err(if self.commands.is_closed() {
                AskError::Closed
            } else {
                AskError::Retry("its thread met an error of its own".to_owned())
            })
        })
    }
}

fn short(body: &[u8]) -> Result<(), AppendError> {
    if body.len() > MAX_BODY {
        Err(AppendError::TooLong(body.len()))
    } else {
        Ok(())
    }
}

/// Starts the thread. It serves until the journal is closed; a panic costs one batch of commands.
fn start(mut worker: Worker, mut queue: mpsc::Receiver<Command>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let serve = move || {
        while catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(worker.serve(&mut queue));
        }))
        .is_err()
        {
            tracing::error!(
                "the journal's thread met an error of its own and goes on; please report it"
            );
            // Should it come again at once, the log stays readable.
            std::thread::sleep(Duration::from_secs(1));
        }
        drop(queue);
        worker.finish();
    };
    std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(serve)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fault_of_the_thread_is_not_the_end() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let journal = Journal::open(Options::in_directory(directory.path()))?;
        let fault = journal.ask(|_| -> Result<(), AskError> { panic!("on purpose") });
        assert!(matches!(fault.await, Err(AskError::Retry(_))));
        assert_eq!(
            journal.append(b"meter", UnixMillis(1), vec![1]).await,
            Ok(1)
        );
        let other = journal.clone();
        journal.close().await;
        assert_eq!(other.status().await, Err(AskError::Closed));
        Ok(())
    }
}
