//! The reading loop: time stamp, guard, journal.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use meter_core::clock::{Clock, ClockEvent, Stamp};
use meter_core::{Guard, Reading, UnixMillis};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::accept;
use super::clock::Clocks;
use super::meters::{Meters, Seed, Taken, Times};
use super::task::{End, Pulse};
use super::view::Board;
use crate::config;
use crate::input::{Captured, MeterName};
use crate::journal::{AppendError, AskError, Journal, Moment, Record, Suspect};

/// Nothing that a meter says was read before this: 2026-11-01, when the program was written.
const BUILT: UnixMillis = UnixMillis(1_793_491_200_000);

/// How often the clock is looked at while no reading comes.
const TICK: Duration = Duration::from_secs(1);

/// How often the state directory and the journal are looked at.
const LOOK: Duration = Duration::from_secs(3);

/// Longer than this the loop is never without a turn, unless it hangs or the disk does.
pub(super) const LONGEST_TURN: Duration = Duration::from_secs(3);

/// The age of the newest stored reading is not known better than this when the program starts.
const SLACK: Duration = Duration::from_hours(1);

/// Its age while the clock is wrong: only a counter that falls can be noticed.
const UNKNOWN: Duration = Duration::from_hours(365 * 24);

/// The longest body that the journal takes.
const LONGEST: usize = 64 * 1024;

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
    pub(super) async fn run(self) -> End {
        let taken = Arc::clone(&self.taken);
        let mut taken = taken.lock().await;
        let mut keeper = Keeper::new(self).await;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            keeper.desk.pulse.beat();
            tokio::select! {
                biased;
                reading = taken.recv() => match reading {
                    Some(reading) => keeper.take(reading).await,
                    None => return End::Done,
                },
                _ = tick.tick() => keeper.follow().await,
                _ = look.tick() => keeper.look_around().await,
            }
        }
    }
}

struct Keeper {
    desk: Desk,
    clock: Clock,
    meters: Meters,
    guard: config::Guard,
    /// Readings of an earlier boot wait for the first index of their meter.
    waiting: bool,
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
            desk.board.left(record);
        }
        let mut clock = Clock::new(BUILT, last_good);
        if !desk.clocks.go_on_while_off() {
            clock = clock.stands_still_while_off();
        }
        let mut keeper = Self {
            clock,
            meters: Meters::new(),
            guard,
            waiting,
            desk,
        };
        keeper.observe().await;
        keeper.seed(newest);
        if keeper.clock.is_plausible() {
            // A run of this boot may have ended before the clock was right.
            keeper.restamp().await;
        }
        keeper
    }

    /// Lets every guard begin with the newest reading of its meter.
    fn seed(&mut self, newest: Vec<Record>) {
        let now = self.desk.clocks.now();
        for record in newest {
            let since = now.wall.0.saturating_sub(record.time.0);
            let age = match u64::try_from(since) {
                Ok(since) if self.clock.is_plausible() => Duration::from_millis(since) + SLACK,
                _ => UNKNOWN,
            };
            let meter = self.meters.entry(record.meter).or_default();
            meter.times = Times::after(record.time);
            meter.begin_again(Some(Seed {
                body: record.body,
                time: record.time,
                age,
                at: now.monotonic,
            }));
        }
    }

    /// As if the program had just been started.
    async fn seed_again(&mut self) {
        match self.desk.journal.newest().await {
            Ok(newest) => {
                for meter in self.meters.values_mut() {
                    meter.begin_again(None);
                }
                self.seed(newest);
            }
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
        if reading.server_id().as_bytes().is_empty() {
            if let Some(body) = named(&reading, &taken.input) {
                self.keep(Captured { body, ..taken }).await;
            } else {
                tracing::error!("input {}: a reading is too long and is lost", taken.input);
            }
        } else {
            self.keep(taken).await;
        }
    }

    async fn keep(&mut self, taken: Captured) {
        let Ok(reading) = Reading::from_bytes(&taken.body) else {
            return;
        };
        let id: Box<[u8]> = reading.server_id().as_bytes().into();
        let index = reading.seconds_index();
        let stamp = self.clock.stamp(taken.at.mono);
        let time = self.clock.resolve(stamp);
        let meter = self.meters.entry(id.clone()).or_default();
        meter.note_input(&taken.input, &reading);
        let checked = Taken {
            input: &taken.input,
            reading: &reading,
            at: taken.at.mono,
            time,
        };
        if let Some(reason) = meter.suspect(checked, &self.guard) {
            self.keep_apart(&id, stamp, &reason, taken).await;
            return;
        }
        // While the clock is wrong it is shown all the same.
        let shown = time.map_or(taken.at.wall, |time| meter.times.next(time));
        self.desk.board.reading(&taken, shown, &id);
        match stamp {
            Stamp::Utc(_) => self.append(&id, shown, index, taken.body).await,
            Stamp::Provisional(mono) => {
                let moment = self.moment(mono);
                let journal = &self.desk.journal;
                let stored = journal.append_provisional(&id, moment, index, taken.body);
                stored.await.unwrap_or_else(complain);
            }
        }
    }

    async fn keep_apart(&mut self, id: &[u8], stamp: Stamp, reason: &str, taken: Captured) {
        let journal = &self.desk.journal;
        let stored = match stamp {
            Stamp::Utc(time) => journal.append_suspect(id, time, reason, taken.body).await,
            Stamp::Provisional(mono) => {
                let (moment, wall) = (self.moment(mono), taken.at.wall);
                journal
                    .append_provisional_suspect(id, moment, wall, reason, taken.body)
                    .await
            }
        };
        stored.unwrap_or_else(complain);
        self.desk.board.suspect(id);
    }

    fn moment(&self, mono: Duration) -> Moment {
        Moment {
            boot: Arc::clone(&self.desk.boot),
            monotonic_ms: u64::try_from(mono.as_millis()).unwrap_or(u64::MAX),
        }
    }

    async fn append(&mut self, meter: &[u8], time: UnixMillis, index: Option<u64>, body: Vec<u8>) {
        self.restamp_by_index(meter, index, time).await;
        match self.desk.journal.append(meter, time, body).await {
            Ok(_) => self.desk.board.stored(),
            Err(error) => complain(error),
        }
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

    /// Follows the clock and the settings.
    async fn follow(&mut self) {
        self.observe().await;
        if self.desk.guard.has_changed().unwrap_or(false) {
            self.guard = self.desk.guard.borrow_and_update().clone();
            self.seed_again().await;
        }
    }

    /// What the outside asks for, and what it is shown.
    async fn look_around(&mut self) {
        // While the clock is wrong the readings that are asked for have no time.
        let requests = if self.clock.is_plausible() {
            accept::requests(&self.desk.state_dir)
        } else {
            Vec::new()
        };
        for meter in requests {
            match self.accept(&meter).await {
                Ok(0) => tracing::warn!(
                    "no reading of a meter {meter} is kept apart, so none is accepted; \
                     `meterline suspects` shows those that are"
                ),
                Ok(count) => tracing::info!(
                    "meter {meter} is accepted as it is now, with {count} readings that were kept apart"
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
    async fn accept(&mut self, name: &MeterName) -> Result<u64, AskError> {
        let journal = &self.desk.journal;
        let mut accepted = 0;
        for meter in journal.suspected_meters().await? {
            if !name.is(&meter) {
                continue;
            }
            let suspects = journal.suspects_of(&meter, SUSPECTS).await?;
            if let Some(first) = first_of_the_last_run(&suspects, self.guard.limits()) {
                accepted += journal.accept_suspects(&meter, first).await?;
            }
        }
        for (_, meter) in self.meters.iter_mut().filter(|(id, _)| name.is(id)) {
            meter.begin_again(None);
        }
        Ok(accepted)
    }
}

/// A spike of last week stays a spike when the meter is replaced today: only the newest suspects that
/// agree among themselves are accepted. Takes those of one meter, oldest first; returns the number of the first of them.
fn first_of_the_last_run(suspects: &[Suspect], limits: meter_core::GuardConfig) -> Option<u64> {
    let mut run: Option<(u64, Guard)> = None;
    for suspect in suspects {
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

/// The reading of a meter that says nowhere which one it is, with the name of its input as its id: two
/// such meters are not the same.
fn named(reading: &Reading<'_>, input: &str) -> Option<Vec<u8>> {
    let mut list = *reading.list();
    list.server_id = input.as_bytes();
    let mut body = vec![0; LONGEST];
    let length = Reading::new(list).emit(&mut body).ok()?.len();
    body.truncate(length);
    Some(body)
}

fn tell(event: ClockEvent) {
    match event {
        ClockEvent::Implausible { wall } => tracing::warn!(
            "the clock says {wall}, which cannot be: readings are kept and get their time as soon as \
             the clock is right. Check time synchronisation (`timedatectl`)"
        ),
        ClockEvent::Unsure { wall } => tracing::info!(
            "the clock says {wall}, and may have stood still while this machine was off: readings are \
             kept and get their time as soon as the clock is synchronised, or after 10 minutes"
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
        AppendError::Fault => tracing::error!("a reading is perhaps lost: {error}"),
        AppendError::Closed => tracing::debug!("a reading came after the journal was closed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sml_wire::{GetListRes, Sequence};

    #[test]
    fn a_meter_without_an_id_has_that_of_its_input() {
        let nameless = Reading::new(GetListRes {
            client_id: None,
            server_id: &[],
            list_name: None,
            sensor_time: None,
            entries: Sequence::from(&[][..]),
            signature: None,
            gateway_time: None,
        });
        let body = named(&nameless, "cellar").unwrap();
        let reading = Reading::from_bytes(&body).unwrap();
        assert_eq!(reading.server_id().as_bytes(), b"cellar");
    }
}
