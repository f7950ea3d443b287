use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use meter_core::schedule::Align;
use meter_core::{Interval, Retry, RetryConfig, ServerId};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::file::Pace;
use super::source::{Memory, Source};
use super::status::called;
use super::telegrams::Telegram;
use super::{
    Captured, Config, Evidence, Fault, Finding, Medium, Moment, State, Status, Telegrams, Trouble,
    awake, monotonic,
};

/// The reading loop turns at least this often, whatever happens.
pub const TURN: Duration = Duration::from_secs(5);

/// How soon a source is opened again. A head that is plugged in again should be read at once, and
/// looking for it asks nothing of anybody else.
fn retry(config: &Config) -> RetryConfig {
    let max = match config.medium() {
        Medium::Head(_) => 4,
        Medium::Network | Medium::Pulse | Medium::Broker | Medium::Recording => 30,
    };
    RetryConfig {
        first: Duration::from_secs(1),
        max: Duration::from_secs(max),
    }
}

/// Somebody who has just plugged in a head waits for the first word.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// Bytes taken from the system at once: what a terminal holds at most.
const BUFFER: usize = 4096;

/// A recording that is read within this time needs no word about its progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(10);

/// A pause in a recording longer than this is not waited for.
const LONGEST_PAUSE: u64 = 60;

/// Why an input ended. Nothing else ends one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The recording is at its end.
    Finished,
    /// Nobody takes the readings any more.
    Stopped,
}

/// Reads an input for as long as somebody takes its readings.
///
/// `name` is what it is called in logs. A queue that is full holds reading up, so it should have
/// room for what comes while the journal is busy. To stop an input, drop the receiver or the future.
pub async fn run(
    name: Arc<str>,
    config: Config,
    readings: mpsc::Sender<Captured>,
    status: watch::Sender<Status>,
) -> End {
    let closed = readings.clone();
    let input = Input {
        silence: config.silence(),
        name,
        readings,
        status,
        telegrams: Telegrams::new(),
        newest: BTreeMap::new(),
        retry: Retry::new(retry(&config)),
        memory: Memory::default(),
        last_reading: None,
        started: monotonic(),
        foreign: None,
        said: BTreeSet::new(),
        replayed: None,
        progress_after: PROGRESS_AFTER,
        config,
    };
    tokio::select! {
        end = input.run() => end,
        () = closed.closed() => End::Stopped,
    }
}

struct Input {
    name: Arc<str>,
    config: Config,
    silence: Duration,
    readings: mpsc::Sender<Captured>,
    status: watch::Sender<Status>,
    telegrams: Telegrams,
    /// The newest reading of each meter.
    newest: BTreeMap<Box<[u8]>, Interval<Captured>>,
    retry: Retry,
    memory: Memory,
    last_reading: Option<Duration>,
    started: Duration,
    /// Another meter than the one that is to be read, heard since the last reading.
    foreign: Option<Box<[u8]>>,
    /// What has been said since the last reading.
    said: BTreeSet<&'static str>,
    /// Seconds index of the last reading of a recording.
    replayed: Option<u64>,
    /// How long after the start it is said how far a recording was read.
    progress_after: Duration,
}

/// Why a source is not read any longer.
enum Stop {
    End,
    Silent,
    Fault(Fault),
}

impl Input {
    async fn run(mut self) -> End {
        let config = self.config.clone();
        loop {
            let mut memory = std::mem::take(&mut self.memory);
            let opened = self.turning(Source::open(&config, &mut memory)).await;
            self.memory = memory;
            match opened {
                Ok(mut source) => {
                    self.opened(&source);
                    let stop = self.read(&mut source).await;
                    source.close(&mut self.memory);
                    match stop {
                        Stop::End => return self.finish().await,
                        Stop::Fault(fault) => self.faulty(&fault),
                        Stop::Silent => continue,
                    }
                }
                Err(fault) => self.faulty(&fault),
            }
            let now = monotonic();
            let again = self.retry.on_failure(now, rand::random(), None);
            self.turning(sleep(again.saturating_sub(now))).await;
        }
    }

    /// Reads an open source until something is wrong with it.
    async fn read(&mut self, source: &mut Source) -> Stop {
        let mut buffer = vec![0; BUFFER];
        let mut patience = self.patience();
        let mut deadline = Instant::now() + patience;
        loop {
            let read = timeout_at(deadline, source.read(&mut buffer));
            match self.turning(read).await {
                Ok(Ok(0)) => return Stop::End,
                Ok(Ok(count)) => {
                    let at = Moment::now();
                    self.progress(source);
                    if self.take(&buffer[..count], at, source).await {
                        patience = self.silence;
                        deadline = Instant::now() + patience;
                    }
                }
                Ok(Err(fault)) => return Stop::Fault(fault),
                Err(_) => {}
            }
            if Instant::now() >= deadline {
                self.silent(patience);
                if source.reopens() {
                    return Stop::Silent;
                }
                patience = self.silence;
                deadline = Instant::now() + patience;
            }
        }
    }

    /// How long no reading may come.
    fn patience(&self) -> Duration {
        match self.config.medium() {
            Medium::Head(_) | Medium::Network if self.last_reading.is_none() => {
                self.silence.min(FIRST_WORD)
            }
            _ => self.silence,
        }
    }

    /// Takes bytes in; whether there was a reading among them.
    async fn take(&mut self, bytes: &[u8], mut at: Moment, source: &Source) -> bool {
        let mut good = false;
        let mut input = bytes;
        while let Some(telegram) = self.telegrams.next(&mut input) {
            if self
                .config
                .meter()
                .is_some_and(|meter| !meter.is(&telegram.server_id))
            {
                self.foreign = Some(telegram.server_id);
                self.status.send_modify(|status| status.foreign += 1);
                continue;
            }
            if self.is_paced() {
                self.pause(telegram.seconds).await;
                at = Moment::now();
            }
            good = true;
            self.well(&telegram, at, source);
            self.offer(telegram, at).await;
        }
        let counts = self.telegrams.counts();
        self.status.send_modify(|status| {
            status.bytes += bytes.len() as u64;
            status.last_byte = Some(at.mono);
            status.note(counts);
        });
        good
    }

    /// Hands a reading on, or keeps it until its interval is over.
    async fn offer(&mut self, telegram: Telegram, at: Moment) {
        let reading = Captured {
            input: Arc::clone(&self.name),
            at,
            server_id: telegram.server_id,
            body: telegram.body,
            crc: telegram.crc,
        };
        let Some(span) = self.config.interval().span() else {
            return self.send(reading).await;
        };
        let newest = self
            .newest
            .entry(reading.server_id.clone())
            .or_insert_with(|| Interval::new(span, Align::First));
        let due = newest.offer(at.mono, reading);
        if let Some(reading) = due {
            self.send(reading).await;
        }
    }

    async fn send(&self, reading: Captured) {
        // When nobody takes readings any more, `run` ends by itself.
        let _ = self.readings.send(reading).await;
    }

    /// Waits for `work` and meanwhile does what is due.
    async fn turning<F: Future>(&mut self, work: F) -> F::Output {
        let mut work = pin!(work);
        loop {
            let now = monotonic();
            self.status.send_if_modified(|status| {
                status.turned = awake();
                false
            });
            for reading in self.due(now) {
                self.send(reading).await;
            }
            let next = self.newest.values().filter_map(Interval::poll_at).min();
            let wait = next.map_or(TURN, |due| due.saturating_sub(now).min(TURN));
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = sleep_until(Instant::now() + wait) => {}
            }
        }
    }

    /// The readings whose intervals are over.
    fn due(&mut self, now: Duration) -> Vec<Captured> {
        let newest = self.newest.values_mut();
        newest.filter_map(|newest| newest.poll(now)).collect()
    }

    async fn finish(mut self) -> End {
        self.telegrams.finish();
        for reading in self.kept() {
            self.send(reading).await;
        }
        let counts = self.telegrams.counts();
        if self.last_reading.is_none() {
            self.silent(Duration::ZERO);
        }
        self.status.send_modify(|status| {
            status.note(counts);
            status.state = State::Finished;
        });
        tracing::info!(input = %self.name, "the recording is at its end: {} telegrams", counts.frames);
        End::Finished
    }

    /// The newest readings of intervals that are not over.
    fn kept(&mut self) -> Vec<Captured> {
        let newest = self.newest.values_mut();
        newest.filter_map(Interval::flush).collect()
    }

    fn opened(&mut self, source: &Source) {
        let label = source.label();
        tracing::debug!(input = %self.name, "open: {label}");
        self.telegrams.forget();
        self.foreign = None;
        self.status.send_modify(|status| {
            status.opened += 1;
            status.source = Some(label);
            if status.state == State::Opening {
                status.state = State::Listening;
            }
        });
    }

    /// Notes a reading, and says so if it is the first, or the first in a while.
    fn well(&mut self, telegram: &Telegram, at: Moment, source: &Source) {
        self.retry.on_success();
        self.foreign = None;
        let since = at
            .mono
            .saturating_sub(self.last_reading.unwrap_or(self.started));
        let other = self.memory.meter.as_deref() != Some(&*telegram.server_id);
        let meter = called(&telegram.server_id);
        let label = source.label();
        if self.last_reading.is_some() && !self.said.is_empty() {
            let seconds = since.as_secs();
            tracing::info!(input = %self.name, "reading {meter} from {label} again after {seconds} s");
        } else if other {
            tracing::info!(input = %self.name, "reading {meter} from {label}");
        }
        self.said.clear();
        self.last_reading = Some(at.mono);
        if other {
            self.memory.meter = Some(telegram.server_id.clone());
        }
        self.status.send_modify(|status| {
            status.state = State::Reading;
            status.readings += 1;
            status.last_reading = Some(at.mono);
            if other {
                status.meter = Some(telegram.server_id.clone());
            }
        });
    }

    /// Says from time to time how far a long recording was read.
    fn progress(&mut self, source: &Source) {
        if monotonic().saturating_sub(self.started) < self.progress_after {
            return;
        }
        // Twice as late each time: neither a minute nor a day in the recording's own pace is noisy.
        self.progress_after *= 2;
        if let Some(percent) = source.percent() {
            tracing::info!(input = %self.name, "{percent} % of the recording is read");
        }
    }

    /// The source cannot be opened, or broke.
    fn faulty(&mut self, fault: &Fault) {
        let quiet = self
            .last_reading
            .map(|last| monotonic().saturating_sub(last));
        if fault.is_passing() && quiet.is_some_and(|quiet| quiet < self.silence) {
            tracing::debug!(input = %self.name, "{fault}");
            return;
        }
        self.say(fault.kind(), fault.to_string());
    }

    /// The source is open, and no readings came for as long as they may stay away.
    fn silent(&mut self, patience: Duration) {
        let medium = self.config.medium();
        if let (Some(wanted), Some(found)) = (self.config.meter(), &self.foreign) {
            let found = ServerId(found).meter_id();
            let text = format!(
                "meter {found} speaks here, not {wanted}: set meter = \"{found}\", or port = \"auto\" \
                 to look for {wanted} on the other ports"
            );
            return self.say("other-meter", text);
        }
        let finding = Finding::of(&Evidence {
            bytes: self.telegrams.bytes(),
            sample: self.telegrams.sample(),
            broken: self.telegrams.broken(),
            sent: &[],
        });
        let advice = finding.advice(medium);
        let text = match medium {
            Medium::Recording => advice,
            _ => format!("no reading for {} s: {advice}", patience.as_secs_f32()),
        };
        self.say(finding.kind(), text);
    }

    /// Makes a trouble known: in the log once until readings come again, in the status always.
    fn say(&mut self, kind: &'static str, text: String) {
        // That an unplugged head is not there is no news.
        let known = self.said.contains(kind)
            || (self.said.contains("unplugged")
                && matches!(kind, "no-device" | "no-ports" | "no-meter"));
        if known {
            tracing::debug!(input = %self.name, "{text}");
        } else {
            tracing::warn!(input = %self.name, "{text}");
            self.said.insert(kind);
        }
        let now = monotonic();
        self.status.send_modify(|status| {
            let since = match &status.state {
                State::Trouble(before) => before.since,
                _ => now,
            };
            status.state = State::Trouble(Trouble { kind, text, since });
        });
    }

    fn is_paced(&self) -> bool {
        matches!(&self.config, Config::File(file) if file.pace == Pace::Recorded)
    }

    /// Waits as long as the meter did since its last reading.
    async fn pause(&mut self, next: Option<u64>) {
        let last = std::mem::replace(&mut self.replayed, next);
        if self.last_reading.is_none() {
            return;
        }
        let seconds = match (last, next) {
            (Some(last), Some(next)) => next.saturating_sub(last).clamp(1, LONGEST_PAUSE),
            _ => 1,
        };
        self.turning(sleep(Duration::from_secs(seconds))).await;
    }
}

/// An input is stopped by dropping it, in the middle of an interval.
impl Drop for Input {
    fn drop(&mut self) {
        for reading in self.kept() {
            if let Err(TrySendError::Full(_)) = self.readings.try_send(reading) {
                tracing::warn!(
                    input = %self.name,
                    "the last reading is lost, because the journal does not keep up with the readings"
                );
            }
        }
    }
}
