//! An output's place in the journal.

use std::sync::Arc;

use tokio::sync::watch;

use super::Journal;
use super::error::{AppendError, AskError};
use super::record::{Backlog, Record};
use super::worker::Stage;

/// The place of one output. A reading stays in the journal until each output has acknowledged it (or
/// until the room runs out), and is handed out again after a restart until then.
///
/// An acknowledgement returns once it is committed. If the disk does not take it, it counts all the
/// same as long as the program runs, and its readings are delivered a second time after a crash.
#[derive(Clone, Debug)]
pub struct Cursor {
    journal: Journal,
    output: Arc<str>,
    appended: watch::Receiver<u64>,
}

impl Cursor {
    pub(super) fn new(journal: Journal, output: Arc<str>, appended: watch::Receiver<u64>) -> Self {
        Self {
            journal,
            output,
            appended,
        }
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
        self.appended.borrow_and_update();
        let output = Arc::clone(&self.output);
        self.journal
            .ask(move |worker| worker.next(&output, limit))
            .await
    }

    /// For each meter its newest reading, if that is not delivered. Acknowledge it with
    /// [`ack_ahead`](Self::ack_ahead).
    pub async fn newest(&mut self) -> Result<Vec<Record>, AskError> {
        self.appended.borrow_and_update();
        let output = Arc::clone(&self.output);
        self.journal.ask(move |worker| worker.newest(&output)).await
    }

    /// Waits until something was appended after the last [`next`](Self::next) or
    /// [`newest`](Self::newest). Safe to cancel.
    pub async fn wait_for_more(&mut self) -> Result<(), AskError> {
        self.appended.changed().await.map_err(|_| AskError::Closed)
    }

    /// Everything up to and including `through` is delivered.
    pub async fn ack(&self, through: u64) -> Result<(), AskError> {
        self.stage(Stage::Ack {
            output: Arc::clone(&self.output),
            through,
        })
        .await
    }

    /// These are delivered, although older ones may not be.
    pub async fn ack_ahead(&self, seqs: Vec<u64>) -> Result<(), AskError> {
        self.stage(Stage::AckAhead {
            output: Arc::clone(&self.output),
            seqs,
        })
        .await
    }

    /// The backend refused this reading for good: it is set aside with the reason and the server's
    /// answer, and counts as delivered.
    pub async fn reject(&self, seq: u64, reason: &str, answer: &str) -> Result<(), AskError> {
        let output = Arc::clone(&self.output);
        let (reason, answer) = (reason.to_owned(), answer.to_owned());
        self.stage(Stage::Reject {
            output,
            seq,
            reason,
            answer,
        })
        .await
    }

    /// How much is not delivered.
    pub async fn backlog(&self) -> Result<Backlog, AskError> {
        let output = Arc::clone(&self.output);
        self.journal
            .ask(move |worker| worker.backlog(&output))
            .await
    }

    async fn stage(&self, stage: Stage) -> Result<(), AskError> {
        self.journal
            .stage(stage)
            .await
            .map(drop)
            .map_err(|error| match error {
                AppendError::Closed => AskError::Closed,
                error => AskError::Retry(error.to_string()),
            })
    }
}
