//! The reading loop: time stamp, guard, journal.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use meter_core::clock::{Clock, ClockEvent, Stamp};
use meter_core::{Guard, Reading, ServerId, UnixMillis};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::accept;
use super::clock::Clocks;
use super::task::Pulse;
use super::view::Board;
use crate::config;
use crate::input::Captured;
use crate::journal::{AppendError, AskError, Journal, Moment, Record, Suspect};

/// Nothing that a meter says was read before this: 2026-11-01, when the program was written.
const BUILT: UnixMillis = UnixMillis(1_793_491_200_000);

/// How often the clock and the state directory are looked at while no reading comes.
const TICK: Duration = Duration::from_secs(1);

/// Longer than this the loop is never without a turn, unless it hangs or the disk does.
pub(super) const LONGEST_TURN: Duration = Duration::from_secs(3);

/// The age of the newest stored reading is not known better than this when the program starts.
const SLACK: Duration = Duration::from_hours(1);

/// Its age while the clock is wrong: only a counter that falls can be noticed.
const UNKNOWN: Duration = Duration::from_hours(365 * 24);

/// Suspects that are looked at to find those that belong together.
const SUSPECTS: usize = 10_000;

/// What the reading loop works with; all of it survives a fault of the loop.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) journal: Journal,
    pub(super) clocks: Arc<dyn Clocks>,
    pub(super) guard: watch::Receiver<config::Guard>,
    pub(super) taken: Arc<Mutex<mpsc::Receiver<Captured>>>,
    pub(super) state_dir: PathBuf,
    pub(super) boot: Arc<str>,
    pub(super) board: Board,
    pub(super) pulse: Pulse,
}

impl Desk {
    /// Runs until every input has gone and nothing is left of what they took.
    pub(super) async fn run(self) {
        let taken = Arc::clone(&self.taken);
        let mut taken = taken.lock().await;
        let mut keeper = Keeper::new(self).await;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            keeper.desk.pulse.beat();
            tokio::select! {
                biased;
                reading = taken.recv() => match reading {
                    Some(reading) => keeper.take(reading).await,
                    None => return,
                },
                _ = tick.tick() => keeper.look_around().await,
            }
        }
    }
}

struct Keeper {
    desk: Desk,
    clock: Clock,
    /// By server id.
    meters: HashMap<Box<[u8]>, Meter>,
    guard: config::Guard,
    /// Readings of an earlier boot wait for the first index of their meter.
    waiting: bool,
}

struct Meter {
    guard: Guard,
    times: Times,
    /// Whether its readings of earlier boots got their time.
    restamped: bool,
    /// Whether it was said that this meter was perhaps replaced.
    told: bool,
}

impl Keeper {
    /// Begins where the journal ends.
    async fn new(mut desk: Desk) -> Self {
        let guard = desk.guard.borrow_and_update().clone();
        let newest = desk.journal.newest().await.unwrap_or_default();
        let waiting = desk
            .journal
            .status()
            .await
            .is_ok_and(|status| status.provisional > 0);
        let last_good = newest.iter().map(|record| record.time).max();
        for record in &newest {
            desk.board
                .reading(None, record.time, &record.meter, &record.body);
        }
        let mut keeper = Self {
            clock: Clock::new(BUILT, last_good),
            meters: HashMap::new(),
            guard,
            waiting,
            desk,
        };
        keeper.observe().await;
        keeper.seed(&newest);
        keeper
    }

    /// Lets every guard begin with the newest reading of its meter.
    fn seed(&mut self, newest: &[Record]) {
        let now = self.desk.clocks.now();
        for record in newest {
            let Ok(reading) = Reading::from_bytes(&record.body) else {
                continue;
            };
            let since = now.wall.0.saturating_sub(record.time.0);
            let age = match u64::try_from(since) {
                Ok(since) if self.clock.is_plausible() => Duration::from_millis(since) + SLACK,
                _ => UNKNOWN,
            };
            let mut meter = Meter::new(&self.guard);
            meter.guard.seed(&reading, now.monotonic, age);
            meter.times = Times::after(record.time);
            self.meters.insert(record.meter.clone(), meter);
        }
    }

    /// As if the program had just been started.
    async fn seed_again(&mut self) {
        match self.desk.journal.newest().await {
            Ok(newest) => self.seed(&newest),
            Err(error) => tracing::debug!("the guard goes on as it was: {error}"),
        }
    }

    /// One reading, from the input to the journal.
    async fn take(&mut self, taken: Captured) {
        self.observe().await;
        let Ok(reading) = Reading::from_bytes(&taken.body) else {
            tracing::error!(
                "input {} gave a reading that cannot be read back; it is dropped, please report it",
                taken.input
            );
            return;
        };
        let meter: Box<[u8]> = reading.server_id().as_bytes().into();
        let index = reading.seconds_index();
        let stamp = self.clock.stamp(taken.at.mono);
        let suspicion = self.suspect(&meter, &reading, taken.at.mono);
        match (suspicion, stamp) {
            (Some(reason), stamp) => {
                let time = self.clock.resolve(stamp).unwrap_or(taken.at.wall);
                let stored = self
                    .desk
                    .journal
                    .append_suspect(&meter, time, &reason, taken.body);
                stored.await.unwrap_or_else(complain);
                self.desk.board.suspect(&meter);
            }
            (None, Stamp::Utc(time)) => {
                let times = self.meters.get_mut(&meter).map(|meter| &mut meter.times);
                let time = times.map_or(time, |times| times.next(time));
                self.desk
                    .board
                    .reading(Some(&taken.input), time, &meter, &taken.body);
                self.append(&meter, time, index, taken.body).await;
            }
            (None, Stamp::Provisional(mono)) => {
                let moment = Moment {
                    boot: Arc::clone(&self.desk.boot),
                    monotonic_ms: u64::try_from(mono.as_millis()).unwrap_or(u64::MAX),
                };
                self.desk
                    .board
                    .reading(Some(&taken.input), taken.at.wall, &meter, &taken.body);
                let stored = self
                    .desk
                    .journal
                    .append_provisional(&meter, moment, index, taken.body);
                stored.await.unwrap_or_else(complain);
            }
        }
    }

    async fn append(&mut self, meter: &[u8], time: UnixMillis, index: Option<u64>, body: Vec<u8>) {
        self.restamp_by_index(meter, index, time).await;
        match self.desk.journal.append(meter, time, body).await {
            Ok(_) => self.desk.board.stored(),
            Err(error) => complain(error),
        }
    }

    /// Why the guard refuses a reading, if it does.
    fn suspect(&mut self, id: &[u8], reading: &Reading<'_>, now: Duration) -> Option<String> {
        let guard = &self.guard;
        let meter = self
            .meters
            .entry(id.into())
            .or_insert_with(|| Meter::new(guard));
        if !guard.enabled {
            return None;
        }
        let implausible = match meter.guard.check(reading, now) {
            Ok(()) => {
                meter.told = false;
                return None;
            }
            Err(implausible) => implausible,
        };
        let name = reading.meter_id();
        if meter.guard.refused() == 1 {
            tracing::warn!(
                "meter {name}: a reading is not plausible and is kept apart: {implausible}"
            );
        }
        if implausible.perhaps_replaced && !meter.told {
            meter.told = true;
            tracing::warn!(
                "meter {name}: {} readings in a row are not plausible, but agree among themselves. \
                 If the meter was replaced or reset: `meterline suspects --accept '{name}'`",
                meter.guard.refused()
            );
        }
        Some(implausible.to_string())
    }

    /// Lets the clock be followed, and gives waiting readings their time.
    async fn observe(&mut self) {
        let (_, event) = self.clock.observe(self.desk.clocks.now());
        let Some(event) = event else { return };
        tell(event);
        self.desk
            .board
            .set(|view| &mut view.clock_wrong, !self.clock.is_plausible());
        match event {
            // A machine without a clock of its own starts with the time at which it was switched off,
            // and the meter has counted since.
            ClockEvent::Stepped { by } if by > 0 => self.seed_again().await,
            ClockEvent::Plausible { .. } => self.restamp().await,
            _ => {}
        }
    }

    /// Readings of this boot that waited for the clock get their time.
    async fn restamp(&mut self) {
        let Some(boot_time) = self.clock.resolve(Stamp::Provisional(Duration::ZERO)) else {
            return;
        };
        match self.desk.journal.restamp(&self.desk.boot, boot_time).await {
            Ok(0) => {}
            Ok(count) => {
                tracing::info!("{count} readings that waited for the clock have their time");
            }
            Err(error) => {
                tracing::error!("readings wait for their time until the next start: {error}");
            }
        }
    }

    /// Readings of an earlier boot get their time by the meter's own seconds.
    async fn restamp_by_index(&mut self, id: &[u8], index: Option<u64>, time: UnixMillis) {
        let Some(index) = index.filter(|_| self.waiting) else {
            return;
        };
        let Some(meter) = self.meters.get_mut(id).filter(|meter| !meter.restamped) else {
            return;
        };
        meter.restamped = true;
        match self.desk.journal.restamp_by_index(id, index, time).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(
                "{count} readings from before a restart have their time by the meter's own clock"
            ),
            Err(error) => tracing::warn!("readings of an earlier boot go on waiting: {error}"),
        }
    }

    /// What there is to do while no reading comes.
    async fn look_around(&mut self) {
        self.observe().await;
        if self.desk.guard.has_changed().unwrap_or(false) {
            self.guard = self.desk.guard.borrow_and_update().clone();
            self.seed_again().await;
        }
        for meter in accept::requests(&self.desk.state_dir) {
            match self.accept(&meter).await {
                Ok(count) => tracing::info!(
                    "meter {} is accepted as it is now, with {count} readings that were kept apart",
                    ServerId(&meter).meter_id()
                ),
                Err(error) => {
                    tracing::warn!("suspects cannot be accepted yet: {error}");
                    continue;
                }
            }
            accept::done(&self.desk.state_dir, &meter);
        }
        if let Ok(status) = self.desk.journal.status().await {
            self.desk.board.set(|view| &mut view.journal, status);
        }
    }

    /// Takes in what was kept apart since the meter changed, and begins anew with this meter.
    async fn accept(&mut self, meter: &[u8]) -> Result<u64, AskError> {
        self.meters.remove(meter);
        let suspects = self.desk.journal.suspects(SUSPECTS).await?;
        let Some(first) = first_of_the_last_run(&suspects, meter, self.guard.limits()) else {
            return Ok(0);
        };
        self.desk.journal.accept_suspects(meter, first).await
    }
}

impl Meter {
    fn new(config: &config::Guard) -> Self {
        Self {
            guard: Guard::new(config.limits()),
            times: Times::default(),
            restamped: false,
            told: false,
        }
    }
}

/// The time stamps of one meter, no two of which are the same.
///
/// Backends take two readings of one meter and one time for the same reading. Telegrams that arrive
/// together, as in a replay, and the trimming of the clock could make such pairs.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    clock: i64,
    given: i64,
}

impl Times {
    /// The clock was set when it is further back than this.
    const TRIMMING: i64 = 1000;

    fn after(newest: UnixMillis) -> Self {
        Self {
            clock: newest.0,
            given: newest.0,
        }
    }

    fn next(&mut self, clock: UnixMillis) -> UnixMillis {
        let was_set = clock.0 < self.clock.saturating_sub(Self::TRIMMING);
        let later = self.given.saturating_add(1);
        self.given = if was_set { clock.0 } else { clock.0.max(later) };
        self.clock = clock.0;
        UnixMillis(self.given)
    }
}

/// A spike of last week stays a spike when the meter is replaced today: only the newest suspects that
/// agree among themselves are accepted. Returns the number of the first of them.
fn first_of_the_last_run(
    suspects: &[Suspect],
    meter: &[u8],
    limits: meter_core::GuardConfig,
) -> Option<u64> {
    let mut run: Option<(u64, Guard)> = None;
    for suspect in suspects.iter().filter(|suspect| *suspect.meter == *meter) {
        let Ok(reading) = Reading::from_bytes(&suspect.body) else {
            continue;
        };
        let now = Duration::from_millis(u64::try_from(suspect.time.0).unwrap_or(0));
        let fits = run
            .as_mut()
            .is_some_and(|(_, guard)| guard.check(&reading, now).is_ok());
        if !fits {
            let mut guard = Guard::new(limits);
            // The first reading of a guard always fits.
            let _ = guard.check(&reading, now);
            run = Some((suspect.id, guard));
        }
    }
    run.map(|(first, _)| first)
}

fn tell(event: ClockEvent) {
    match event {
        ClockEvent::Implausible { wall } => tracing::warn!(
            "the clock says {wall}, which cannot be: readings are kept and get their time as soon as \
             the clock is right. Check time synchronisation (`timedatectl`)"
        ),
        ClockEvent::Plausible { wall } => tracing::info!("the clock is right now: {wall}"),
        ClockEvent::Stepped { by } => {
            tracing::info!(
                "the clock was set by {} s, and time stamps follow it",
                by / 1000
            );
        }
        ClockEvent::Doubted { by } => tracing::warn!(
            "the clock was set by {} s, which is too much to be believed at once: time stamps go on as \
             before for 10 minutes. Check time synchronisation (`timedatectl`)",
            by / 1000
        ),
        ClockEvent::Returned => tracing::info!("the clock is back where it was"),
    }
}

fn complain(error: AppendError) {
    match error {
        // The journal says so itself, once.
        AppendError::Held { .. } => {}
        AppendError::TooLong(_) => tracing::error!("a reading is lost: {error}"),
        AppendError::Closed => tracing::debug!("a reading came after the journal was closed"),
    }
}
