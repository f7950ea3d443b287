//! The thread that owns the database: it takes what has queued up, commits it as one, answers, and
//! looks after the disk in between. It ends only when the journal is closed.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout_at;

use meter_core::UnixMillis;

use super::error::{AppendError, AskError};
use super::lock::Lock;
use super::options::Options;
use super::pending::{Pending, Row};
use super::position::Position;
use super::record::{Losses, Record};
use super::room::Room;
use super::store::Store;
use super::trouble::{Cause, Trouble};
use crate::times;

/// Commands that are committed as one.
const BATCH: usize = 64;

/// An acknowledgement of one reading is written with the next commit, and after this at the latest: to
/// commit it by itself would double the work of the disk.
const ACK_WITHIN: Duration = Duration::from_secs(1);

/// What changes the journal and is committed with whatever else has queued up.
#[derive(Debug)]
pub(super) enum Stage {
    Reading {
        meter: Box<[u8]>,
        time: UnixMillis,
        body: Vec<u8>,
    },
    Row(Row),
    Ack {
        output: Arc<str>,
        through: u64,
    },
    AckAhead {
        output: Arc<str>,
        seqs: Vec<u64>,
    },
    Reject {
        output: Arc<str>,
        seq: u64,
        reason: String,
        answer: String,
    },
}

type Ask = Box<dyn FnOnce(&mut Worker) + Send>;

/// What the handles send to the thread.
pub(super) enum Command {
    /// Answered after the commit.
    Stage(Stage, oneshot::Sender<Result<u64, AppendError>>),
    /// Needs no answer: lost in a crash, it means a reading delivered twice.
    Settle(Stage),
    /// Done after the commit of what came with it.
    Ask(Ask),
}

/// The end of the log, as everybody sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tip {
    /// Sequence number of the newest reading.
    pub(super) seq: u64,
    /// That reading, unless it came in another way than by itself.
    pub(super) record: Option<Arc<Record>>,
}

/// How many rows there are beside the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asides {
    pub(super) rejected: u64,
    pub(super) suspects: u64,
    pub(super) provisional: u64,
}

/// Everything that the thread knows.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) options: Options,
    /// `None` while the file cannot be opened again.
    pub(super) store: Option<Store>,
    /// Where the outputs are. This is what counts; the file has a copy of it.
    pub(super) positions: BTreeMap<Arc<str>, Position>,
    pub(super) pending: Pending,
    pub(super) last_seq: u64,
    /// The newest reading of each meter that sent one lately.
    pub(super) newest: HashMap<Box<[u8]>, u64>,
    /// The latest time stamp in the log, as far as it was looked at.
    latest: UnixMillis,
    /// How many rows there are beside the log, unless they have to be counted again.
    pub(super) asides: Option<Asides>,
    pub(super) losses: Losses,
    pub(super) losses_changed: bool,
    pub(super) durable_seq: u64,
    /// When the oldest commit was made that a power cut could still undo.
    unsynced_since: Option<Instant>,
    pub(super) trouble: Option<Trouble>,
    pub(super) room: Room,
    /// Damaged files set aside since the start.
    pub(super) set_aside: u32,
    tip: watch::Sender<Tip>,
    /// The oldest acknowledgement that is not written down.
    unrecorded_since: Option<Instant>,
    closing: Option<oneshot::Sender<()>>,
    _lock: Lock,
}

impl Worker {
    pub(super) fn new(
        options: Options,
        store: Store,
        lock: Lock,
        room: Room,
    ) -> rusqlite::Result<Self> {
        let mut worker = Self {
            positions: BTreeMap::new(),
            pending: Pending::default(),
            last_seq: 0,
            newest: HashMap::new(),
            latest: UnixMillis(i64::MIN),
            asides: None,
            losses: Losses::default(),
            losses_changed: false,
            durable_seq: 0,
            unsynced_since: None,
            trouble: None,
            room,
            set_aside: 0,
            tip: watch::Sender::default(),
            unrecorded_since: None,
            closing: None,
            _lock: lock,
            options,
            store: None,
        };
        worker.positions = store.positions()?.into_iter().collect();
        worker.losses = read_losses(&store)?;
        worker.adopt(store)?;
        worker.show_tip(None);
        Ok(worker)
    }

    /// Works on `store` from now on.
    pub(super) fn adopt(&mut self, store: Store) -> rusqlite::Result<()> {
        self.last_seq = self.last_seq.max(store.last_seq()?);
        self.room.begin(store.counter("thinned_through")?);
        self.asides = None;
        for outline in store.newest_outlines(2000)? {
            self.latest.0 = self.latest.0.max(outline.time);
            self.newest
                .entry(store.name(outline.meter))
                .or_insert(outline.seq);
        }
        // Whatever is in the file now may not have reached the disk before we came.
        self.unsynced_since = Some(Instant::now());
        self.store = Some(store);
        Ok(())
    }

    /// Told when something was appended.
    pub(super) fn watch(&self) -> watch::Receiver<Tip> {
        self.tip.subscribe()
    }

    /// Serves until the last handle is gone or the journal is closed.
    pub(super) async fn serve(&mut self, commands: &mut mpsc::Receiver<Command>) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.closing.is_none() {
            let wake = tokio::time::Instant::from_std(self.wake_at());
            if timeout_at(wake, commands.recv_many(&mut batch, BATCH)).await == Ok(0) {
                break;
            }
            self.answer(&mut batch);
            self.look_around();
        }
    }

    /// Leaves everything on the disk.
    pub(super) fn finish(mut self) {
        if let Some(trouble) = &mut self.trouble {
            // The last chance.
            trouble.retry_at = Instant::now();
        }
        let synced = self.sync();
        if let Err(error) = synced {
            tracing::error!(%error, rows = self.pending.len(), "the journal ends with readings that the disk did not take");
        }
        if let Some(store) = self.store.take() {
            // Closing the last connection moves the write-ahead log into the database.
            if let Err((_, error)) = store.conn.close() {
                tracing::debug!(%error, "the journal's file was not closed in order");
            }
        }
        let closing = self.closing.take();
        // Gives the lock back, so that the journal can be opened again by whoever is told.
        drop(self);
        if let Some(closed) = closing {
            let _ = closed.send(());
        }
    }

    pub(super) fn close(&mut self, closed: oneshot::Sender<()>) {
        self.closing = Some(closed);
    }

    fn answer(&mut self, batch: &mut Vec<Command>) {
        let mut replies = Vec::with_capacity(batch.len());
        let mut asks = Vec::new();
        let mut at_once = false;
        for command in batch.drain(..) {
            match command {
                Command::Stage(stage, reply) => {
                    let keeps = matches!(stage, Stage::Reading { .. } | Stage::Row(_));
                    replies.push((self.stage(stage), keeps, reply));
                    at_once = true;
                }
                Command::Settle(stage) => at_once |= self.settle(stage),
                Command::Ask(ask) => asks.push(ask),
            }
        }
        let stored = !at_once || self.flush();
        for (seq, keeps, reply) in replies {
            // An acknowledgement that is not on disk costs a delivery twice at worst.
            let answer = if stored || !keeps {
                Ok(seq)
            } else {
                Err(AppendError::Held { seq })
            };
            let _ = reply.send(answer);
        }
        for ask in asks {
            ask(self);
        }
    }

    /// Takes an acknowledgement into memory. Whether it is worth a commit of its own.
    fn settle(&mut self, stage: Stage) -> bool {
        let before = self.settled();
        self.stage(stage);
        self.unrecorded_since.get_or_insert_with(Instant::now);
        self.settled().saturating_sub(before) > 1
    }

    /// How many sequence numbers the outputs are done with, all together.
    fn settled(&self) -> u64 {
        let done = |position: &Position| self.last_seq - position.numbers(self.last_seq);
        self.positions.values().map(done).sum()
    }

    /// Takes one change into memory; `flush` makes it last.
    pub(super) fn stage(&mut self, stage: Stage) -> u64 {
        match stage {
            Stage::Reading { meter, time, body } => {
                let seq = self.last_seq + 1;
                self.pending.push(Row::Reading(Record {
                    seq,
                    meter: meter.clone(),
                    time,
                    body,
                }));
                self.note_appended(meter, time, seq);
                return seq;
            }
            Stage::Row(row) => self.pending.push(row),
            Stage::Ack { output, through } => self.ack(&output, through),
            Stage::AckAhead { output, seqs } => self.ack_ahead(&output, &seqs),
            Stage::Reject {
                output,
                seq,
                reason,
                answer,
            } => {
                self.ack_ahead(&output, &[seq]);
                self.pending.push(Row::Rejected {
                    output,
                    seq,
                    at: times::now(),
                    reason,
                    answer,
                });
            }
        }
        0
    }

    /// `seq` is the newest of all and of its meter.
    pub(super) fn note_appended(&mut self, meter: Box<[u8]>, time: UnixMillis, seq: u64) {
        self.last_seq = seq;
        self.latest = self.latest.max(time);
        self.newest.insert(meter, seq);
        self.room.note_appended();
    }

    fn ack(&mut self, output: &str, through: u64) {
        let through = through.min(self.last_seq);
        let Some(position) = self.positions.get_mut(output) else {
            return;
        };
        if position.missing() > 0
            && let Some(store) = &self.store
        {
            let (mut numbers, mut readings) = (0, 0);
            for (first, last) in position.gaps(through) {
                numbers += last - first + 1;
                readings += self.pending.readings(first, last).count() as u64;
                readings += store.count(first, last).unwrap_or(last - first + 1);
            }
            position.find(numbers.saturating_sub(readings));
        }
        position.ack(through);
    }

    fn ack_ahead(&mut self, output: &str, seqs: &[u64]) {
        let last_seq = self.last_seq;
        if let Some(position) = self.positions.get_mut(output) {
            seqs.iter()
                .filter(|seq| **seq <= last_seq)
                .for_each(|seq| position.ack_ahead(*seq));
        }
    }

    /// Commits everything that is in memory only. False if it has to stay there for now.
    pub(super) fn flush(&mut self) -> bool {
        let newest = self.pending.newest().cloned();
        let stored = self.try_flush();
        self.unrecorded_since = None;
        if !stored {
            self.trim_pending();
        }
        if self.tip.borrow().seq != self.last_seq {
            self.show_tip(newest);
        }
        stored
    }

    fn show_tip(&self, newest: Option<Record>) {
        let seq = self.last_seq;
        let record = newest.filter(|record| record.seq == seq).map(Arc::new);
        self.tip.send_replace(Tip { seq, record });
    }

    fn try_flush(&mut self) -> bool {
        if self.store.is_some()
            && self.pending.is_empty()
            && !self.losses_changed
            && !self.positions.values().any(Position::changed)
        {
            return true;
        }
        if self
            .trouble
            .as_ref()
            .is_some_and(|trouble| Instant::now() < trouble.retry_at)
        {
            return false;
        }
        for attempt in 0..16 {
            let Some(error) = self.write() else {
                self.recovered();
                return true;
            };
            let cause = Cause::of(&error);
            tracing::debug!(%error, ?cause, attempt, "a commit of the journal failed");
            let again = match cause {
                Cause::Full => self.make_room(&error),
                Cause::Damaged => self.replace(&error.to_string()),
                Cause::Confused => {
                    self.store = None;
                    attempt == 0
                }
                Cause::Busy | Cause::ReadOnly | Cause::Disk => false,
            };
            if !again {
                self.begin_trouble(cause, &error);
                return false;
            }
        }
        self.begin_trouble(Cause::Full, &"no room could be made");
        false
    }

    /// One transaction with everything. `None` when it is committed.
    fn write(&mut self) -> Option<rusqlite::Error> {
        if self.store.is_none()
            && let Err(error) = self.reopen()
        {
            return Some(error);
        }
        let store = self.store.as_mut()?;
        let (pending, positions, losses) = (
            &self.pending,
            &self.positions,
            self.losses_changed.then_some(&self.losses),
        );
        let written = store.transaction(|store| {
            pending.write(store)?;
            for (output, position) in positions.iter().filter(|(_, position)| position.changed()) {
                store.write_position(output, position)?;
            }
            losses.map_or(Ok(()), |losses| write_losses(store, losses))
        });
        if let Err(error) = written {
            return Some(error);
        }
        self.count_asides();
        self.pending.written();
        self.positions.values_mut().for_each(Position::written);
        self.losses_changed = false;
        self.note_commit();
        None
    }

    /// The pending rows are committed.
    fn count_asides(&mut self) {
        for row in self.pending.others() {
            let Some(asides) = &mut self.asides else {
                return;
            };
            match row {
                Row::Suspect { .. } => asides.suspects += 1,
                Row::Provisional { .. } => asides.provisional += 1,
                // It may have been there already.
                _ => self.asides = None,
            }
        }
    }

    /// The time that ages are reckoned from: a wall clock that has jumped ahead of every reading
    /// makes nothing old.
    pub(super) fn ageing_time(&self) -> i64 {
        times::now().0.min(self.latest.0)
    }

    /// Something was committed that a power cut could still undo.
    pub(super) fn note_commit(&mut self) {
        self.unsynced_since.get_or_insert_with(Instant::now);
    }

    pub(super) fn begin_trouble(&mut self, cause: Cause, error: &dyn std::fmt::Display) {
        self.trouble = Some(Trouble::go_on(
            self.trouble.take(),
            &self.options.path,
            cause,
            error,
        ));
    }

    fn recovered(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!(path = %self.options.path.display(), "the journal is written again, with what was kept in memory");
        }
    }

    /// Keeps what waits in memory within its bound.
    fn trim_pending(&mut self) {
        let (seqs, others) = self.pending.trim(self.options.memory);
        if seqs.is_empty() && others == 0 {
            return;
        }
        for seq in &seqs {
            for position in self
                .positions
                .values_mut()
                .filter(|position| !position.delivered(*seq))
            {
                position.lose(1);
            }
        }
        self.losses.from_memory += seqs.len() as u64 + others;
        self.losses_changed = true;
        if let Some(trouble) = self.trouble.as_mut().filter(|trouble| !trouble.loss_told) {
            trouble.loss_told = true;
            tracing::error!(
                bytes = self.options.memory,
                "the memory for readings that the disk does not take is used up, the oldest of them are lost: {}",
                trouble.text
            );
        }
    }

    /// Makes everything appended so far survive a power cut.
    pub(super) fn sync(&mut self) -> Result<u64, AskError> {
        if !self.flush() {
            return Err(self.not_now());
        }
        if self.unsynced_since.is_some() {
            let mut wal = self.options.path.clone().into_os_string();
            wal.push("-wal");
            // Commits go to the write-ahead log without waiting for the disk; this waits for all of
            // them at once. What is no longer in that file was synced when it was moved.
            if let Err(error) = File::open(wal).and_then(|file| file.sync_data()) {
                self.unsynced_since = Some(Instant::now());
                tracing::error!(%error, path = %self.options.path.display(), "the disk does not confirm what the journal wrote: check it (`dmesg`)");
                return Err(AskError::Retry(error.to_string()));
            }
            self.unsynced_since = None;
            self.durable_seq = self.last_seq;
        }
        Ok(self.durable_seq)
    }

    /// The error for a question that the trouble of the moment keeps from being answered.
    pub(super) fn not_now(&self) -> AskError {
        AskError::Retry(self.trouble.as_ref().map_or_else(
            || "the file is not open".to_owned(),
            |trouble| trouble.text.clone(),
        ))
    }

    fn wake_at(&self) -> Instant {
        let sync = self
            .unsynced_since
            .map(|since| since + self.options.sync_interval);
        let retry = self.trouble.as_ref().map(|trouble| trouble.retry_at);
        let record = self.unrecorded_since.map(|since| since + ACK_WITHIN);
        [sync, retry, record]
            .into_iter()
            .flatten()
            .fold(self.room.due(), Instant::min)
    }

    fn look_around(&mut self) {
        let now = Instant::now();
        if self
            .trouble
            .as_ref()
            .is_some_and(|trouble| trouble.retry_at <= now)
            && self.flush()
        {
            self.recovered();
        }
        if self
            .unrecorded_since
            .is_some_and(|since| since + ACK_WITHIN <= now)
        {
            self.flush();
        }
        if self
            .unsynced_since
            .is_some_and(|since| since + self.options.sync_interval <= now)
        {
            // A failure was told and is tried again after another interval.
            if self.sync().is_err() {
                self.unsynced_since = Some(now);
            }
        }
        if self.room.due() <= now {
            self.tidy();
        }
    }
}

pub(super) fn read_losses(store: &Store) -> rusqlite::Result<Losses> {
    Ok(Losses {
        thinned: store.counter("thinned")?,
        dropped: store.counter("dropped")?,
        from_memory: store.counter("lost_from_memory")?,
        suspects: store.counter("lost_suspects")?,
        altered: store.counter("altered")?,
    })
}

pub(super) fn write_losses(store: &Store, losses: &Losses) -> rusqlite::Result<()> {
    store.set_counter("thinned", losses.thinned)?;
    store.set_counter("dropped", losses.dropped)?;
    store.set_counter("lost_from_memory", losses.from_memory)?;
    store.set_counter("lost_suspects", losses.suspects)?;
    store.set_counter("altered", losses.altered)
}
