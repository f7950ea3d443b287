//! The loop of one output: wait, take what is next, send it, see what came of it.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use meter_core::{Retry, RetryConfig};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::client::Client;
use super::config::{Config, ConfigError};
use super::error::{Error, Refusal};
use super::pace::Pace;
use super::payload::{NoBody, Payload};
use super::queue::{Next, Piece, Queue, Refused};
use super::report::Report;
use crate::journal::{AskError, Cursor};
use crate::output::{State, Status};

/// How long a POST that is on its way may still take after a shutdown.
const GRACE: Duration = Duration::from_secs(1);
/// How often the backlog is counted while nothing can be sent.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// The journal is closed: there is nothing left to do.
struct Closed;

/// One output at work.
struct Delivery {
    client: Client,
    payload: Payload,
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
    config: &Config,
    cursor: Cursor,
    status: tokio::sync::watch::Sender<Status>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ConfigError> {
    let mut delivery = Delivery::new(config, cursor, status)?;
    let mut shutdown = pin!(shutdown);
    loop {
        let piece = tokio::select! {
            biased;
            () = &mut shutdown => return Ok(()),
            piece = delivery.next() => piece,
        };
        let Ok(piece) = piece else { return Ok(()) };
        let mut sending = pin!(delivery.deliver(piece));
        tokio::select! {
            sent = &mut sending => if sent.is_err() { return Ok(()) },
            () = &mut shutdown => {
                // Without the answer the readings would be sent twice.
                let _ = timeout(GRACE, sending).await;
                return Ok(());
            }
        }
    }
}

impl Delivery {
    fn new(
        config: &Config,
        cursor: Cursor,
        status: tokio::sync::watch::Sender<Status>,
    ) -> Result<Self, ConfigError> {
        let payload = Payload::new(config)?;
        let now = Instant::now();
        Ok(Self {
            client: Client::new(config)?,
            pace: Pace::new(config.max_rate, now),
            retry: Retry::new(RetryConfig {
                first: config.retry_first.get(),
                max: config.retry_max.get(),
            }),
            recheck: config.recheck.get(),
            not_before: now,
            origin: now,
            report: Report::new(cursor.output(), status),
            queue: Queue::new(config, cursor, payload.most()),
            payload,
        })
    }

    /// Waits for the next piece that may be sent. Safe to cancel.
    async fn next(&mut self) -> Result<Piece, Closed> {
        loop {
            self.wait_until(self.not_before.max(self.pace.next()))
                .await?;
            match self.queue.next().await {
                Ok(Next::Send(piece)) => return Ok(piece),
                Ok(Next::Wait(wake)) => self.wait_for_more(wake).await?,
                Err(error) => self.without_journal(error).await?,
            }
        }
    }

    async fn wait_until(&self, when: Instant) -> Result<(), Closed> {
        while Instant::now() < when {
            self.count().await?;
            sleep_until(when.min(Instant::now() + COUNT_EVERY)).await;
        }
        Ok(())
    }

    async fn wait_for_more(&mut self, wake: Option<Duration>) -> Result<(), Closed> {
        self.count().await?;
        self.report.state(State::Idle);
        let more = self.queue.wait_for_more();
        let result = match wake {
            None => more.await,
            Some(wake) => timeout_at(Instant::now() + wake, more)
                .await
                .unwrap_or(Ok(())),
        };
        result.map_err(|_| Closed)
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
        let body = match self.payload.write(&piece.records) {
            Ok(body) => body,
            Err(NoBody::Unreadable { index, reason }) => {
                return self.set_aside_unreadable(piece, index, &reason).await;
            }
            Err(NoBody::Template(reason)) => {
                let to = self.client.endpoint().redacted();
                let cause = Refusal::Template(reason);
                self.failed(&Error::Misconfigured { to, cause }, Some(piece));
                return Ok(());
            }
        };
        let rest = piece.split_off(body.readings);
        self.queue.put_back(rest);
        self.pace.sent(body.readings, Instant::now());
        match self.client.send(body.bytes).await {
            Ok(()) => {
                self.retry.on_success();
                let to = self.client.endpoint().redacted();
                self.report.delivered(piece.records.len(), &to);
                self.queue.delivered(&piece).await.map_err(|_| Closed)?;
            }
            Err(Error::Rejected { to, answer }) => {
                self.report.narrowing(piece.records.len(), &answer);
                match self.queue.refused(piece, &answer).await {
                    Ok(Refused::Narrowed) => {}
                    Ok(Refused::SetAside(record)) => {
                        self.report
                            .set_aside(&record, &format!("{to} answers {answer}"));
                    }
                    Ok(Refused::Everything(count)) => {
                        let cause = Refusal::Everything { count, answer };
                        self.failed(&Error::Misconfigured { to, cause }, None);
                    }
                    Err(_) => return Err(Closed),
                }
            }
            Err(error) => self.failed(&error, Some(piece)),
        }
        Ok(())
    }

    async fn set_aside_unreadable(
        &mut self,
        mut piece: Piece,
        index: usize,
        reason: &str,
    ) -> Result<(), Closed> {
        let record = piece.records.remove(index);
        let why = format!("the reading cannot be read: {reason}");
        self.queue
            .set_aside(record.seq, &why, "")
            .await
            .map_err(|_| Closed)?;
        self.report.set_aside(&record, &why);
        self.queue.put_back(piece);
        Ok(())
    }

    /// Nothing was taken: the piece stays, and nothing is sent for a while.
    fn failed(&mut self, error: &Error, piece: Option<Piece>) {
        let now = Instant::now();
        self.not_before = match error {
            Error::Retry { after, .. } => {
                let since = now.duration_since(self.origin);
                self.origin + self.retry.on_failure(since, rand::random(), *after)
            }
            Error::Misconfigured { .. } | Error::Rejected { .. } => now + self.recheck,
        };
        self.report
            .failed(error, self.not_before.duration_since(now));
        if let Some(piece) = piece {
            self.queue.put_back(piece);
        }
    }
}
