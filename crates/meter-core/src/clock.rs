//! Which time a reading gets, when the clock of the host or the device cannot be trusted blindly.
//!
//! A board without a battery starts in 1970, a clock chip forgets, somebody types a wrong year, and
//! time synchronisation sets all of it right a minute later. A reading that was filed under the
//! wrong year once is wrong for ever, so the wall clock is followed with care:
//!
//! | the wall clock | its time stamps |
//! |---|---|
//! | is before the program was built | provisional: monotonic, re-stamped once it is plausible |
//! | starts more than [`SMALL_STEP`] before the last good time, not synchronised | provisional, until it has gone on for [`PERSISTENCE`] |
//! | starts on a host whose clock stands still while it is off | provisional, until it is synchronised or set, or the host has been up for [`PERSISTENCE`] |
//! | steps by up to [`LARGE_STEP`], or [less](Clock::doubting_steps_above) | followed at once |
//! | steps by more, and the kernel calls it synchronised | followed at once |
//! | steps by more otherwise | not followed until it has persisted for [`PERSISTENCE`] |
//!
//! A host without a clock chip (a Raspberry Pi) starts with the time at which it was switched off,
//! which is as plausible as any other and may be hours old. Such a host says so with
//! [`Clock::stands_still_while_off`], and is believed when time synchronisation had its chance.
//!
//! While a step is not followed, time goes on from the monotonic clock. Every step above
//! [`SMALL_STEP`] is reported once.

use core::time::Duration;

use crate::time::{UnixMillis, millis};

/// Steps up to this are the ordinary trimming of a clock and are not reported, and a clock that starts
/// so much before the last good time was trimmed in between.
pub const SMALL_STEP: Duration = Duration::from_secs(2);

/// Steps above this are doubted unless the kernel calls the clock synchronised.
pub const LARGE_STEP: Duration = Duration::from_hours(24);

/// How long a doubted time must go on before it is believed.
pub const PERSISTENCE: Duration = Duration::from_mins(10);

/// What the clocks of the host or the device say at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub wall: UnixMillis,
    /// A clock that is never set and goes on in suspend (`CLOCK_BOOTTIME` on Linux).
    pub monotonic: Duration,
    /// Whether the kernel calls the wall clock synchronised (`adjtimex` without `STA_UNSYNC`).
    pub synchronised: bool,
}

/// The time of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// UTC.
    Utc(UnixMillis),
    /// Monotonic, until [`Clock::resolve`] can tell the UTC time of it.
    Provisional(Duration),
}

/// Something about the wall clock that belongs into the log. Steps are in milliseconds, positive
/// when the clock went ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockEvent {
    /// The clock is before the program was built or before the last good time: time stamps are
    /// provisional.
    Implausible {
        /// What it says.
        wall: UnixMillis,
    },
    /// The clock may have stood still while the host was off: time stamps are provisional.
    Unsure {
        /// What it says.
        wall: UnixMillis,
    },
    /// The clock is plausible for the first time: provisional stamps can be resolved.
    Plausible {
        /// What it says.
        wall: UnixMillis,
    },
    /// The clock was set, and time follows it.
    Stepped {
        /// By how much.
        by: i64,
    },
    /// The clock was set by more than is believed at once; time goes on without it.
    Doubted {
        /// By how much.
        by: i64,
    },
    /// A doubted clock came back to the time that went on without it.
    Returned,
}

/// Gives time stamps from a wall clock and a monotonic one. See the [module](self).
#[derive(Clone, Debug)]
pub struct Clock {
    built: UnixMillis,
    last_good: UnixMillis,
    /// The time at the start of the host may be that of its end.
    stood_still: bool,
    /// A step above this is doubted.
    large_step: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// No observation yet.
    New,
    /// No plausible time yet. A candidate is not before the build, only before the last good time.
    Waiting(Option<Pair>),
    /// The last pair that was believed, and the doubted one that it may give way to.
    Running(Pair, Option<Pair>),
}

/// A wall time and the monotonic time that belongs to it. The pair of a doubt is its first moment.
#[derive(Clone, Copy, Debug)]
struct Pair {
    wall: UnixMillis,
    monotonic: Duration,
}

impl Pair {
    fn of(now: Now) -> Self {
        Self {
            wall: now.wall,
            monotonic: now.monotonic,
        }
    }

    /// The wall time at a monotonic time before or after this pair.
    fn at(self, monotonic: Duration) -> UnixMillis {
        match monotonic.checked_sub(self.monotonic) {
            Some(elapsed) => self.wall.saturating_add(elapsed),
            None => self
                .wall
                .saturating_sub(self.monotonic.saturating_sub(monotonic)),
        }
    }

    /// By how much the wall clock was set since this pair.
    fn step(self, now: Now) -> i64 {
        now.wall.millis_since(self.at(now.monotonic))
    }

    /// Whether this doubt is old enough to be believed.
    fn persisted(self, now: Now) -> bool {
        now.monotonic.saturating_sub(self.monotonic) >= PERSISTENCE
    }
}

/// Whether a step is longer than a limit, in either direction.
fn exceeds(step: i64, limit: Duration) -> bool {
    step.saturating_abs() > millis(limit)
}

impl Clock {
    /// A clock that believes nothing before `built`, and nothing before `last_good` at once.
    ///
    /// `built` is the program's build date; `last_good` the newest time that was stored in an
    /// earlier run, if there is one.
    #[must_use]
    pub fn new(built: UnixMillis, last_good: Option<UnixMillis>) -> Self {
        let last_good = last_good.map_or(built, |good| good.saturating_sub(SMALL_STEP));
        Self {
            built,
            last_good: last_good.max(built),
            stood_still: false,
            large_step: LARGE_STEP,
            state: State::New,
        }
    }

    /// For a host without a clock chip: its wall clock goes on from where it was when the host was
    /// switched off, so it is not believed at once after the host has started.
    #[must_use]
    pub fn stands_still_while_off(self) -> Self {
        Self {
            stood_still: true,
            ..self
        }
    }

    /// For a clock that nobody sets by hand: steps above this are doubted, instead of those above
    /// [`LARGE_STEP`].
    #[must_use]
    pub fn doubting_steps_above(self, large_step: Duration) -> Self {
        Self { large_step, ..self }
    }

    /// Takes in what the clocks say, at every reading and now and then between them.
    ///
    /// Returns the time stamp for a reading of this moment, and what is to be logged.
    pub fn observe(&mut self, now: Now) -> (Stamp, Option<ClockEvent>) {
        let event = match self.state {
            State::New => self.start(now),
            State::Waiting(candidate) => self.wait(now, candidate),
            State::Running(pair, doubt) => self.run(now, pair, doubt),
        };
        (self.stamp(now.monotonic), event)
    }

    /// The time stamp for a moment, without a look at the wall clock.
    #[must_use]
    pub fn stamp(&self, monotonic: Duration) -> Stamp {
        match self.state {
            State::Running(pair, _) => Stamp::Utc(pair.at(monotonic)),
            State::New | State::Waiting(_) => Stamp::Provisional(monotonic),
        }
    }

    /// The UTC time of a stamp; `None` while the clock is not plausible yet.
    #[must_use]
    pub fn resolve(&self, stamp: Stamp) -> Option<UnixMillis> {
        let known = match stamp {
            Stamp::Utc(_) => stamp,
            Stamp::Provisional(monotonic) => self.stamp(monotonic),
        };
        match known {
            Stamp::Utc(time) => Some(time),
            Stamp::Provisional(_) => None,
        }
    }

    /// Whether a wall time is doubted as the first one: it is before the build or the last good time.
    #[must_use]
    pub fn doubts_as_first(&self, wall: UnixMillis) -> bool {
        wall < self.last_good
    }

    /// Whether time stamps are UTC.
    #[must_use]
    pub const fn is_plausible(&self) -> bool {
        matches!(self.state, State::Running(..))
    }

    fn start(&mut self, now: Now) -> Option<ClockEvent> {
        match self.wait(now, Some(Pair::of(now))) {
            Some(ClockEvent::Plausible { .. }) => None,
            _ if now.wall >= self.last_good => Some(ClockEvent::Unsure { wall: now.wall }),
            _ => Some(ClockEvent::Implausible { wall: now.wall }),
        }
    }

    fn wait(&mut self, now: Now, candidate: Option<Pair>) -> Option<ClockEvent> {
        let pair = Pair::of(now);
        if now.wall < self.built {
            self.state = State::Waiting(None);
            return None;
        }
        let same = candidate.filter(|candidate| !exceeds(candidate.step(now), SMALL_STEP));
        // Somebody has set the clock since it was first seen, and nobody sets it to an old time.
        let was_set = same.is_none();
        let may_be_old = self.stood_still && !was_set && now.monotonic < PERSISTENCE;
        // The last good time may itself have been wrong, so it only delays.
        let candidate = same.unwrap_or(pair);
        let believed = now.wall >= self.last_good && !may_be_old;
        if believed || now.synchronised || candidate.persisted(now) {
            self.state = State::Running(pair, None);
            return Some(ClockEvent::Plausible { wall: now.wall });
        }
        self.state = State::Waiting(Some(candidate));
        None
    }

    fn run(&mut self, now: Now, pair: Pair, doubt: Option<Pair>) -> Option<ClockEvent> {
        let step = pair.step(now);
        // A clock before the build is wrong whoever calls it synchronised and however long it lasts.
        let possible = now.wall >= self.built;
        if possible && (now.synchronised || !exceeds(step, self.large_step)) {
            self.state = State::Running(Pair::of(now), None);
            return match doubt {
                Some(_) if !exceeds(step, SMALL_STEP) => Some(ClockEvent::Returned),
                _ if exceeds(step, SMALL_STEP) => Some(ClockEvent::Stepped { by: step }),
                _ => None,
            };
        }
        match doubt {
            Some(doubt) if !exceeds(doubt.step(now), SMALL_STEP) => {
                if possible && doubt.persisted(now) {
                    self.state = State::Running(Pair::of(now), None);
                    return Some(ClockEvent::Stepped { by: step });
                }
                None
            }
            _ => {
                self.state = State::Running(pair, Some(Pair::of(now)));
                Some(ClockEvent::Doubted { by: step })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BUILT: i64 = 1_700_000_000_000;
    const TODAY: i64 = BUILT + 400 * DAY;
    const DAY: i64 = 86_400_000;
    const YEAR: i64 = 365 * DAY;

    fn at(second: i64, offset: i64) -> Now {
        Now {
            wall: UnixMillis(TODAY + second * 1000 + offset),
            monotonic: Duration::from_secs(second.unsigned_abs()),
            synchronised: false,
        }
    }

    fn synchronised(now: Now) -> Now {
        Now {
            synchronised: true,
            ..now
        }
    }

    fn good(second: i64) -> Stamp {
        Stamp::Utc(UnixMillis(TODAY + second * 1000))
    }

    fn clock() -> Clock {
        Clock::new(UnixMillis(BUILT), None)
    }

    fn running() -> Clock {
        let mut clock = clock();
        assert_eq!(clock.observe(at(100, 0)), (good(100), None));
        clock
    }

    #[test]
    fn a_clock_of_a_device_doubts_smaller_steps() {
        let mut clock = clock().doubting_steps_above(Duration::from_secs(10));
        assert_eq!(clock.observe(at(100, 0)), (good(100), None));
        let (_, event) = clock.observe(at(200, 9_000));
        assert!(matches!(event, Some(ClockEvent::Stepped { by: 9_000 })));
        let (stamp, event) = clock.observe(at(300, 20_000));
        assert_eq!(stamp, Stamp::Utc(UnixMillis(TODAY + 309_000)));
        assert!(matches!(event, Some(ClockEvent::Doubted { .. })));
        let (stamp, _) = clock.observe(synchronised(at(301, 20_000)));
        assert_eq!(stamp, Stamp::Utc(UnixMillis(TODAY + 321_000)));
    }

    #[test]
    fn readings_before_the_clock_is_plausible_are_stamped_later() {
        let mut clock = clock();
        let epoch = -TODAY;
        let (early, event) = clock.observe(at(5, epoch));
        assert_eq!(early, Stamp::Provisional(Duration::from_secs(5)));
        assert!(matches!(event, Some(ClockEvent::Implausible { .. })));
        assert_eq!(clock.resolve(early), None);
        assert_eq!(clock.observe(at(6, epoch)).1, None, "said once");

        let (stamp, event) = clock.observe(at(30, 0));
        assert_eq!(stamp, good(30));
        assert!(matches!(event, Some(ClockEvent::Plausible { .. })));
        assert_eq!(clock.resolve(early).map(Stamp::Utc), Some(good(5)));
        assert_eq!(clock.resolve(stamp).map(Stamp::Utc), Some(good(30)));
    }

    #[test]
    fn a_clock_behind_the_last_good_time_waits_for_synchronisation() {
        let mut clock = Clock::new(UnixMillis(BUILT), Some(UnixMillis(TODAY)));
        let (stamp, _) = clock.observe(at(1, -DAY));
        assert_eq!(stamp, Stamp::Provisional(Duration::from_secs(1)));
        let (stamp, _) = clock.observe(synchronised(at(2, -DAY)));
        assert_eq!(stamp, Stamp::Utc(UnixMillis(TODAY + 2000 - DAY)));
    }

    #[test]
    fn a_clock_that_was_trimmed_between_two_runs_is_believed() {
        let started = |before| {
            let last_good = UnixMillis(TODAY + before);
            let mut clock = Clock::new(UnixMillis(BUILT), Some(last_good));
            clock.observe(at(0, 0)).1
        };
        assert_eq!(started(2000), None);
        assert!(matches!(
            started(2001),
            Some(ClockEvent::Implausible { .. })
        ));
    }

    #[test]
    fn a_clock_that_stood_still_waits_to_be_synchronised_or_set() {
        let hours = 7 * 3_600_000;
        let still =
            || Clock::new(UnixMillis(BUILT), Some(UnixMillis(TODAY))).stands_still_while_off();

        let mut clock = still();
        let (early, event) = clock.observe(at(20, 0));
        assert_eq!(early, Stamp::Provisional(Duration::from_secs(20)));
        assert!(matches!(event, Some(ClockEvent::Unsure { .. })));
        let (stamp, event) = clock.observe(at(50, hours));
        assert_eq!(stamp, Stamp::Utc(UnixMillis(TODAY + 50_000 + hours)));
        assert!(matches!(event, Some(ClockEvent::Plausible { .. })));
        assert_eq!(
            clock.resolve(early),
            Some(UnixMillis(TODAY + 20_000 + hours))
        );

        let mut clock = still();
        clock.observe(at(20, 0));
        assert_eq!(clock.observe(synchronised(at(21, 0))).0, good(21));

        let mut clock = still();
        assert!(matches!(clock.observe(at(599, 0)).0, Stamp::Provisional(_)));
        assert_eq!(
            clock.observe(at(600, 0)).0,
            good(600),
            "nobody can tell better"
        );

        assert_eq!(
            still().observe(at(86_400, 0)).0,
            good(86_400),
            "up for long"
        );
    }

    #[test]
    fn a_last_good_time_in_the_future_does_not_stop_the_clock_for_good() {
        let mut clock = Clock::new(UnixMillis(BUILT), Some(UnixMillis(TODAY + YEAR)));
        for second in 0..600 {
            assert!(matches!(
                clock.observe(at(second, 0)).0,
                Stamp::Provisional(_)
            ));
        }
        let (stamp, event) = clock.observe(at(600, 0));
        assert_eq!(stamp, good(600));
        assert!(matches!(event, Some(ClockEvent::Plausible { .. })));
    }

    #[test]
    fn a_clock_that_is_set_while_it_waits_starts_its_time_again() {
        let mut clock = Clock::new(UnixMillis(BUILT), Some(UnixMillis(TODAY + YEAR)));
        clock.observe(at(0, -DAY));
        clock.observe(at(300, 0));
        assert!(matches!(clock.observe(at(700, 0)).0, Stamp::Provisional(_)));
        assert_eq!(clock.observe(at(900, 0)).0, good(900));
    }

    #[test]
    fn small_steps_are_followed_silently_and_larger_ones_reported() {
        let mut clock = running();
        assert_eq!(clock.observe(at(101, 1900)).1, None);
        let (stamp, event) = clock.observe(at(102, -3_600_000));
        assert_eq!(stamp, Stamp::Utc(UnixMillis(TODAY + 102_000 - 3_600_000)));
        assert_eq!(event, Some(ClockEvent::Stepped { by: -3_601_900 }));
        assert_eq!(clock.observe(at(103, -3_600_000)).1, None);
    }

    #[test]
    fn a_year_is_not_followed_at_once() {
        for year in [YEAR, -YEAR] {
            let mut clock = running();
            let (stamp, event) = clock.observe(at(101, year));
            assert_eq!(
                (stamp, event),
                (good(101), Some(ClockEvent::Doubted { by: year }))
            );
            for second in 102..701 {
                assert_eq!(clock.observe(at(second, year)), (good(second), None));
            }
            let (stamp, event) = clock.observe(at(701, year));
            assert_eq!(stamp, Stamp::Utc(UnixMillis(TODAY + 701_000 + year)));
            assert_eq!(event, Some(ClockEvent::Stepped { by: year }));
            // And back again, which takes as long.
            assert_eq!(
                clock.observe(at(702, 0)).1,
                Some(ClockEvent::Doubted { by: -year })
            );
        }
    }

    #[test]
    fn a_glitch_leaves_nothing_behind() {
        let mut clock = running();
        assert_eq!(
            clock.observe(at(101, YEAR)).1,
            Some(ClockEvent::Doubted { by: YEAR })
        );
        assert_eq!(clock.observe(at(200, 300)).1, Some(ClockEvent::Returned));
        assert_eq!(clock.observe(at(201, 300)).1, None);
        // The next glitch waits the full time.
        clock.observe(at(202, YEAR));
        assert_eq!(
            clock.observe(at(702, YEAR)).0,
            Stamp::Utc(UnixMillis(TODAY + 702_300))
        );
    }

    #[test]
    fn a_doubted_clock_that_moves_on_starts_its_time_again() {
        let mut clock = running();
        clock.observe(at(101, YEAR));
        let (_, event) = clock.observe(at(600, 2 * YEAR));
        assert_eq!(event, Some(ClockEvent::Doubted { by: 2 * YEAR }));
        assert_eq!(clock.observe(at(1100, 2 * YEAR)).0, good(1100));
        assert_eq!(
            clock.observe(at(1200, 2 * YEAR)).1,
            Some(ClockEvent::Stepped { by: 2 * YEAR })
        );
    }

    #[test]
    fn a_synchronised_clock_is_followed() {
        let mut clock = running();
        let (_, event) = clock.observe(synchronised(at(101, YEAR)));
        assert_eq!(event, Some(ClockEvent::Stepped { by: YEAR }));
        clock.observe(at(102, 0));
        let (stamp, event) = clock.observe(synchronised(at(103, 0)));
        assert_eq!(
            (stamp, event),
            (good(103), Some(ClockEvent::Stepped { by: -YEAR }))
        );
    }

    #[test]
    fn a_clock_before_the_build_is_never_followed() {
        let mut clock = running();
        for second in 101..2000 {
            let (stamp, _) = clock.observe(synchronised(at(second, -TODAY)));
            assert_eq!(stamp, good(second));
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_glitches_never_show(
            glitches in proptest::collection::vec((any::<i64>(), 1_u64..300), 1..50),
        ) {
            let mut clock = running();
            let mut second = 100;
            for (wall, length) in glitches {
                let wrong = Now {
                    wall: UnixMillis(wall),
                    monotonic: Duration::from_secs(second),
                    synchronised: false,
                };
                prop_assume!(wall.saturating_sub(TODAY).saturating_abs() > 2 * DAY);
                prop_assert_eq!(clock.observe(wrong).0, good(i64::try_from(second)?));
                second += length;
                prop_assert_eq!(clock.observe(at(i64::try_from(second)?, 0)).0, good(i64::try_from(second)?));
                second += 1;
            }
        }
    }
}
