//! An output's place in the journal.

use std::sync::Arc;

use tokio::sync::watch;

use super::Journal;
use super::error::{AppendError, AskError};
use super::record::{Backlog, Record};
use super::worker::{Stage, Tip};

/// The place of one output. A reading stays in the journal until each output has acknowledged it (or
/// until the room runs out), and is handed out again after a restart until then.
///
/// An acknowledgement counts as soon as it is made. One of several readings is written to the disk at
/// once, one of a single reading with the next commit, within a second. What a crash undoes, or what
/// the disk does not take, is delivered a second time after it.
#[derive(Debug)]
pub struct Cursor {
    journal: Journal,
    output: Arc<str>,
    tip: watch::Receiver<Tip>,
    /// Everything up to here was acknowledged by this cursor, and perhaps more.
    done: u64,
    /// The newest reading that was acknowledged out of turn.
    ahead: u64,
}

impl Cursor {
    pub(super) fn new(journal: Journal, output: Arc<str>, tip: watch::Receiver<Tip>) -> Self {
        Self {
            journal,
            output,
            tip,
            done: 0,
            ahead: 0,
        }
    }

    /// The journal that it is a place in.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The name of the output.
    #[must_use]
    pub fn output(&self) -> &str {
        &self.output
    }

    /// The oldest readings that are not delivered, oldest first: at most `limit`, and fewer if they
    /// are large (256 KiB of bodies), but at least one if there is any.
    pub async fn next(&mut self, limit: usize) -> Result<Vec<Record>, AskError> {
        // Before the question, so that nothing appended after it goes unnoticed.
        if let Some(records) = self.at_the_tip() {
            return Ok(records);
        }
        let output = Arc::clone(&self.output);
        self.journal
            .ask(move |worker| worker.next(&output, limit))
            .await
    }

    /// What there is for an output that keeps up: nothing, or the newest reading. The thread need not
    /// be woken for that.
    fn at_the_tip(&mut self) -> Option<Vec<Record>> {
        let tip = self.tip.borrow_and_update();
        if tip.seq <= self.done {
            return Some(Vec::new());
        }
        let record = tip.record.as_ref()?;
        (tip.seq == self.done + 1 && self.ahead <= self.done).then(|| vec![Record::clone(record)])
    }

    /// For each meter its newest reading, if that is not delivered. Acknowledge it with
    /// [`ack_ahead`](Self::ack_ahead).
    pub async fn newest(&mut self) -> Result<Vec<Record>, AskError> {
        self.tip.borrow_and_update();
        let output = Arc::clone(&self.output);
        self.journal.ask(move |worker| worker.newest(&output)).await
    }

    /// Waits until something was appended after the last [`next`](Self::next) or
    /// [`newest`](Self::newest). Safe to cancel.
    pub async fn wait_for_more(&mut self) -> Result<(), AskError> {
        self.tip.changed().await.map_err(|_| AskError::Closed)
    }

    /// Everything up to and including `through` is delivered.
    pub async fn ack(&mut self, through: u64) -> Result<(), AskError> {
        self.done = self.done.max(through.min(self.tip.borrow().seq));
        let output = Arc::clone(&self.output);
        self.journal.settle(Stage::Ack { output, through }).await
    }

    /// These are delivered, although older ones may not be.
    pub async fn ack_ahead(&mut self, seqs: Vec<u64>) -> Result<(), AskError> {
        self.ahead = seqs.iter().copied().fold(self.ahead, u64::max);
        let output = Arc::clone(&self.output);
        self.journal.settle(Stage::AckAhead { output, seqs }).await
    }

    /// The backend refused this reading for good: it is set aside with the reason and the server's
    /// answer, and counts as delivered. Returns once that is committed.
    pub async fn reject(&mut self, seq: u64, reason: &str, answer: &str) -> Result<(), AskError> {
        self.ahead = self.ahead.max(seq);
        let stage = Stage::Reject {
            output: Arc::clone(&self.output),
            seq,
            reason: reason.to_owned(),
            answer: answer.to_owned(),
        };
        match self.journal.stage(stage).await {
            Ok(_) => Ok(()),
            Err(AppendError::Closed) => Err(AskError::Closed),
            Err(error) => Err(AskError::Retry(error.to_string())),
        }
    }

    /// How much is not delivered.
    pub async fn backlog(&self) -> Result<Backlog, AskError> {
        if self.tip.borrow().seq <= self.done {
            return Ok(Backlog {
                readings: 0,
                oldest: None,
            });
        }
        let output = Arc::clone(&self.output);
        self.journal
            .ask(move |worker| worker.backlog(&output))
            .await
    }
}
