//! The loop of one output: wait, take what is next, send it, see what came of it.

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use meter_core::{Retry, RetryConfig};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::config::Delivery;
use super::pace::Pace;
use super::queue::{Next, Piece, Queue, Refused};
use super::report::Report;
use super::{Failure, Sender, Sent};
use crate::journal::{AskError, Cursor, Record};
use crate::output::shape::{Intervals, Numbers, Shape, Shaped};
use crate::output::{State, Status};

/// How long readings that are on their way may still take after a shutdown.
const GRACE: Duration = Duration::from_secs(1);
/// How often the backlog is counted while nothing can be sent.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// The journal is closed: there is nothing left to do.
struct Closed;

/// One output at work.
struct Loop<S> {
    sender: S,
    shape: Shape,
    intervals: Option<Intervals>,
    queue: Queue,
    pace: Pace,
    retry: Retry,
    recheck: Duration,
    /// Nothing is sent before this.
    not_before: Instant,
    /// The origin of the times that [`Retry`] sees.
    origin: Instant,
    report: Report,
}

/// Delivers until `shutdown`; see [`crate::output::Config::run`].
pub(in crate::output) async fn run(
    sender: impl Sender,
    config: &Delivery,
    cursor: Cursor,
    status: watch::Sender<Status>,
    shutdown: impl Future<Output = ()>,
) {
    let mut delivery = Loop::new(sender, config, cursor, status);
    let mut shutdown = pin!(shutdown);
    loop {
        let piece = tokio::select! {
            biased;
            () = &mut shutdown => break,
            piece = delivery.next() => piece,
        };
        let Ok(piece) = piece else { break };
        let mut sending = pin!(delivery.deliver(piece));
        tokio::select! {
            sent = &mut sending => if sent.is_err() { break },
            () = &mut shutdown => {
                // Without the answer the readings would be sent twice.
                let _ = timeout(GRACE, sending).await;
                break;
            }
        }
    }
    // Whoever does not hear it finds out by itself.
    let _ = timeout(GRACE, delivery.sender.close()).await;
}

impl<S: Sender> Loop<S> {
    fn new(sender: S, config: &Delivery, cursor: Cursor, status: watch::Sender<Status>) -> Self {
        let now = Instant::now();
        let mut most = sender.most();
        // A second's worth at most, so that no second sees more than the rate.
        if let Some(rate) = config.max_rate {
            most = most.min(usize::try_from(rate.get()).unwrap_or(usize::MAX));
        }
        Self {
            pace: Pace::new(config.max_rate, now),
            retry: Retry::new(RetryConfig {
                first: config.retry_first.get(),
                max: config.retry_max.get(),
            }),
            recheck: config.recheck.get(),
            not_before: now,
            origin: now,
            report: Report::new(cursor.output(), status),
            shape: config.shape.clone(),
            intervals: Intervals::new(&config.shape, config.interval.span(), cursor.journal()),
            queue: Queue::new(config, cursor, most),
            sender,
        }
    }

    /// Waits for the next piece that may be sent. Safe to cancel.
    async fn next(&mut self) -> Result<Piece, Closed> {
        loop {
            self.wait_until_allowed().await?;
            match self.queue.next().await {
                Ok(Next::Send(piece)) => return Ok(piece),
                Ok(Next::Wait(wake)) => self.wait_for_more(wake).await?,
                Err(error) => self.without_journal(error).await?,
            }
        }
    }

    async fn wait_until_allowed(&mut self) -> Result<(), Closed> {
        loop {
            let when = self.not_before.max(self.pace.next());
            let now = Instant::now();
            if now >= when {
                return Ok(());
            }
            self.count().await?;
            // After a failure the connection is left alone; between two paced pieces it is kept.
            let keeps = now >= self.not_before;
            let trouble = tokio::select! {
                () = sleep_until(when.min(now + COUNT_EVERY)) => None,
                trouble = self.sender.idle(), if keeps => Some(trouble),
            };
            if let Some(trouble) = trouble {
                self.failed(&trouble, None);
            }
        }
    }

    async fn wait_for_more(&mut self, wake: Option<Duration>) -> Result<(), Closed> {
        self.count().await?;
        self.report.state(State::Idle);
        let due = async {
            match wake {
                None => pending().await,
                Some(wake) => sleep(wake).await,
            }
        };
        tokio::select! {
            more = self.queue.wait_for_more() => more.map_err(|_| Closed)?,
            () = due => {}
            trouble = self.sender.idle() => self.failed(&trouble, None),
        }
        Ok(())
    }

    /// The journal does not answer; it says in the log why not.
    async fn without_journal(&self, error: AskError) -> Result<(), Closed> {
        match error {
            AskError::Closed => Err(Closed),
            AskError::Retry(reason) => {
                tracing::debug!(
                    output = self.queue.output(),
                    "the journal does not answer: {reason}"
                );
                sleep(COUNT_EVERY).await;
                Ok(())
            }
        }
    }

    async fn count(&self) -> Result<(), Closed> {
        match self.queue.backlog().await {
            Ok(backlog) => self.report.backlog(backlog, self.queue.left_out()),
            Err(AskError::Closed) => return Err(Closed),
            Err(AskError::Retry(_)) => {}
        }
        Ok(())
    }

    /// Sends a piece and settles what became of it.
    async fn deliver(&mut self, mut piece: Piece) -> Result<(), Closed> {
        let numbers = match &self.intervals {
            None => Vec::new(),
            Some(intervals) => match intervals.numbers(&piece.records).await {
                Ok(numbers) => numbers,
                Err(why) => {
                    self.failed(&Failure::Retry { why, after: None }, Some(piece));
                    return Ok(());
                }
            },
        };
        let readings = match shaped(&piece.records, &numbers, &self.shape) {
            Ok(readings) => readings,
            Err((index, error)) => {
                return self.set_aside_unreadable(piece, index, &error).await;
            }
        };
        let started = Instant::now();
        match self.sender.send(&readings).await {
            // Whoever takes nothing says why; what was not taken is never acknowledged.
            Ok(Sent { readings: 0, .. }) => {
                let why = format!("{}: nothing was taken", self.sender.to());
                self.failed(&Failure::Retry { why, after: None }, Some(piece));
                Ok(())
            }
            Ok(sent) => {
                let rest = piece.split_off(sent.readings.min(piece.records.len()));
                self.queue.put_back(rest);
                self.pace.sent(piece.records.len(), started);
                self.delivered(piece, sent).await
            }
            Err(Failure::Rejected {
                readings,
                answer,
                too_large,
            }) => {
                let rest = piece.split_off(readings.clamp(1, piece.records.len()));
                self.queue.put_back(rest);
                self.pace.sent(piece.records.len(), started);
                self.refused(piece, &answer, too_large).await
            }
            Err(failure) => {
                self.failed(&failure, Some(piece));
                Ok(())
            }
        }
    }

    async fn delivered(&mut self, mut piece: Piece, sent: Sent) -> Result<(), Closed> {
        self.retry.on_success();
        let mut taken = Vec::with_capacity(piece.records.len());
        let mut refused = sent.refused;
        for (index, record) in std::mem::take(&mut piece.records).into_iter().enumerate() {
            match refused.iter().position(|(place, _)| *place == index) {
                None => taken.push(record),
                Some(place) => {
                    let (_, answer) = refused.swap_remove(place);
                    self.queue
                        .set_aside(record.seq, "refused by the server", &answer)
                        .await
                        .map_err(|_| Closed)?;
                    let why = format!("{} answers {answer}", self.sender.to());
                    self.report.set_aside(&record, &why);
                }
            }
        }
        piece.records = taken;
        self.report.delivered(piece.records.len(), self.sender.to());
        self.queue.delivered(&piece).await.map_err(|_| Closed)
    }

    async fn refused(&mut self, piece: Piece, answer: &str, too_large: bool) -> Result<(), Closed> {
        self.report.narrowing(piece.records.len(), answer);
        match self.queue.refused(piece, answer, too_large).await {
            Ok(Refused::Narrowed) => {}
            Ok(Refused::SetAside(record)) => {
                let why = format!("{} answers {answer}", self.sender.to());
                self.report.set_aside(&record, &why);
            }
            Ok(Refused::Everything(count)) => {
                let why = format!(
                    "{}: it refuses every reading, {count} in a row, the newest too (last with \
                     {answer}): check {}; nothing was set aside",
                    self.sender.to(),
                    S::SUSPECT_KEYS
                );
                self.failed(&Failure::Misconfigured { why }, None);
            }
            Err(_) => return Err(Closed),
        }
        Ok(())
    }

    async fn set_aside_unreadable(
        &mut self,
        mut piece: Piece,
        index: usize,
        error: &sml_wire::Error,
    ) -> Result<(), Closed> {
        let record = piece.records.remove(index);
        let why = format!("the reading cannot be read: {error}");
        self.queue
            .set_aside(record.seq, &why, "")
            .await
            .map_err(|_| Closed)?;
        self.report.set_aside(&record, &why);
        self.queue.put_back(piece);
        Ok(())
    }

    /// Nothing was taken: the piece stays, and nothing is sent for a while.
    fn failed(&mut self, failure: &Failure, piece: Option<Piece>) {
        let now = Instant::now();
        self.not_before = match failure {
            Failure::Retry { after, .. } => {
                let since = now.duration_since(self.origin);
                self.origin + self.retry.on_failure(since, rand::random(), *after)
            }
            Failure::Misconfigured { .. } | Failure::Rejected { .. } => now + self.recheck,
        };
        self.report
            .failed(failure, self.not_before.duration_since(now));
        if let Some(piece) = piece {
            self.queue.put_back(piece);
        }
    }
}

/// The readings in records. The error names the first record that is none, by its index.
fn shaped<'a>(
    records: &'a [Record],
    numbers: &'a [Numbers],
    shape: &'a Shape,
) -> Result<Vec<Shaped<'a>>, (usize, sml_wire::Error)> {
    let readings = records.iter().enumerate().map(|(index, record)| {
        let numbers = numbers.get(index).map_or(&[][..], Vec::as_slice);
        Shaped::new(record, numbers, shape).map_err(|error| (index, error))
    });
    readings.collect()
}
