//! What an output tells people: its status, and the few lines of its log.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use meter_core::ServerId;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Failure;
use crate::journal::{Backlog, Record};
use crate::output::{State, Status};

/// A trouble that goes on is mentioned again this often.
const REMIND_AFTER: Duration = Duration::from_hours(1);
/// After so many readings that were set aside, only each hundredth is mentioned.
const MENTIONED: u64 = 10;

/// Keeps the status, and says in the log what somebody should look at, once.
#[derive(Debug)]
pub(super) struct Report {
    output: String,
    status: watch::Sender<Status>,
    trouble: Option<Trouble>,
    /// Whether anything was delivered since the start.
    has_delivered: bool,
}

#[derive(Debug)]
struct Trouble {
    since: Instant,
    mentioned: Instant,
    words: String,
}

impl Report {
    pub(super) fn new(output: &str, status: watch::Sender<Status>) -> Self {
        Self {
            output: output.to_owned(),
            status,
            trouble: None,
            has_delivered: false,
        }
    }

    pub(super) fn backlog(&self, backlog: Backlog, left_out: u64) {
        self.status.send_if_modified(|status| {
            let before = (status.backlog, status.oldest, status.left_out);
            (status.backlog, status.oldest) = (backlog.readings, backlog.oldest);
            status.left_out = left_out;
            before != (status.backlog, status.oldest, status.left_out)
        });
    }

    pub(super) fn state(&self, state: State) {
        self.status
            .send_if_modified(|status| std::mem::replace(&mut status.state, state) != state);
    }

    /// The server at `to` acknowledged so many readings.
    pub(super) fn delivered(&mut self, readings: usize, to: impl Display) {
        self.status.send_modify(|status| {
            let readings = u64::try_from(readings).unwrap_or(0);
            status.delivered += readings;
            // It is counted again when there is nothing to send.
            status.backlog = status.backlog.saturating_sub(readings);
            status.last_success = Some(SystemTime::now());
            status.state = State::Delivering;
        });
        let first = !std::mem::replace(&mut self.has_delivered, true);
        if let Some(trouble) = self.trouble.take() {
            let seconds = trouble.since.elapsed().as_secs();
            tracing::info!(output = self.output, "delivering again after {seconds} s");
        } else if first {
            tracing::info!(output = self.output, "delivering to {to}");
        }
    }

    /// Readings were not taken and are tried again in `wait`.
    pub(super) fn failed(&mut self, failure: &Failure, wait: Duration) {
        let (state, words) = match failure {
            Failure::Retry { why, .. } => (State::Retrying, why),
            Failure::Misconfigured { why } => (State::Misconfigured, why),
            Failure::Rejected { answer, .. } => (State::Misconfigured, answer),
        };
        let words = words.clone();
        self.status.send_modify(|status| {
            status.last_error = Some(words.clone());
            status.state = state;
        });
        let now = Instant::now();
        let known = self.trouble.as_ref().is_some_and(|trouble| {
            trouble.words == words && now < trouble.mentioned + REMIND_AFTER
        });
        let seconds = wait.as_secs_f32();
        if known {
            tracing::debug!(output = self.output, "{words}; next try in {seconds:.1} s");
            return;
        }
        tracing::warn!(
            output = self.output,
            "{words}; readings are kept, next try in {seconds:.1} s"
        );
        let since = self.trouble.as_ref().map_or(now, |trouble| trouble.since);
        self.trouble = Some(Trouble {
            since,
            mentioned: now,
            words,
        });
    }

    /// A reading was set aside.
    pub(super) fn set_aside(&mut self, record: &Record, why: &str) {
        let mut count = 0;
        self.status.send_modify(|status| {
            status.rejected += 1;
            count = status.rejected;
        });
        let meter = ServerId(&record.meter).meter_id();
        let (output, time) = (&self.output, record.time);
        if count <= MENTIONED || count % 100 == 0 {
            tracing::warn!(
                output,
                "set aside a reading of meter {meter} at {time} (number {count}): {why}"
            );
        } else {
            tracing::debug!(
                output,
                "set aside a reading of meter {meter} at {time}: {why}"
            );
        }
    }

    /// The server refused a piece; smaller ones, or another try, will show why.
    pub(super) fn narrowing(&self, readings: usize, answer: &str) {
        if readings == 1 {
            tracing::info!(
                output = self.output,
                "one reading is answered {answer}; it is tried again"
            );
        } else {
            tracing::debug!(
                output = self.output,
                "{readings} readings are answered {answer}"
            );
        }
    }
}
