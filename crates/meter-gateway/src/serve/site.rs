//! What the faces look at.

use std::sync::Arc;
use std::time::Duration;

use meter_core::UnixMillis;
use tokio::sync::watch;

use crate::input::monotonic;
use crate::journal::Journal;
use crate::run::{Clocks, MeterView, Snapshot};

/// A value lives for so many of its meter's readings.
const LIFE: u32 = 5;

/// No value lives shorter than this: a few telegrams may be damaged.
const SHORTEST_LIFE: Duration = Duration::from_mins(1);

/// What the program shows of itself, as it changes.
pub(super) type View = watch::Receiver<Snapshot>;

/// What the server is given to show.
#[derive(Clone)]
pub struct Site {
    /// What the program shows of itself.
    pub view: watch::Receiver<Snapshot>,
    /// What the meters said before.
    pub journal: Journal,
    /// The clocks.
    pub clocks: Arc<dyn Clocks>,
}

impl Site {
    /// Everything as it is now.
    pub(super) fn glance(&self) -> Glance {
        Glance {
            snapshot: self.view.borrow().clone(),
            wall: self.clocks.now().wall,
            monotonic: monotonic(),
        }
    }
}

/// Everything at one moment.
pub(super) struct Glance {
    pub(super) snapshot: Snapshot,
    pub(super) wall: UnixMillis,
    monotonic: Duration,
}

impl Glance {
    /// How long ago the newest reading of a meter was taken. `None` when it is from an earlier run and
    /// the clock cannot say.
    pub(super) fn age(&self, meter: &MeterView) -> Option<Duration> {
        if let Some(taken) = meter.taken {
            // A reading may be shown between the two looks.
            return Some(self.monotonic.saturating_sub(taken));
        }
        let millis = self.wall.millis_since(meter.time);
        (!self.snapshot.clock_wrong)
            .then(|| u64::try_from(millis).ok().map(Duration::from_millis))
            .flatten()
    }

    /// Whether the newest reading may stand for what the meter shows now. One that is older than five
    /// of its meter's readings, and than a minute, may not.
    pub(super) fn is_fresh(&self, meter: &MeterView) -> bool {
        self.age(meter).is_some_and(|age| age <= life(meter))
    }
}

/// How long a value of a meter lives.
fn life(meter: &MeterView) -> Duration {
    let pace = meter.pace.unwrap_or_default();
    pace.saturating_mul(LIFE).max(SHORTEST_LIFE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_796_083_200_000);

    fn glance(clock_wrong: bool) -> Glance {
        Glance {
            snapshot: Snapshot {
                clock_wrong,
                ..Snapshot::default()
            },
            wall: NOW,
            monotonic: Duration::from_hours(2),
        }
    }

    fn meter(age: Duration, pace: Option<Duration>, this_run: bool) -> MeterView {
        MeterView {
            input: this_run.then(|| "house".to_owned()),
            time: NOW.saturating_sub(age),
            taken: this_run.then(|| Duration::from_hours(2).saturating_sub(age)),
            pace,
            body: Arc::from([]),
            readings: 1,
            suspects: 0,
        }
    }

    #[test]
    fn a_value_lives_for_five_readings_and_a_minute_at_the_least() {
        let seconds = Duration::from_secs;
        for (age, pace, fresh) in [
            (60, None, true),
            (61, None, false),
            (60, Some(1), true),
            (61, Some(1), false),
            (100, Some(20), true),
            (101, Some(20), false),
        ] {
            let meter = meter(seconds(age), pace.map(seconds), true);
            assert_eq!(glance(false).is_fresh(&meter), fresh, "{age} {pace:?}");
        }
    }

    #[test]
    fn a_clock_that_is_wrong_makes_nothing_fresh_that_an_earlier_run_has_left() {
        let left = meter(Duration::from_secs(30), None, false);
        assert!(glance(false).is_fresh(&left));
        assert_eq!(glance(true).age(&left), None);
        assert!(!glance(true).is_fresh(&left));
        let read = meter(Duration::from_secs(30), None, true);
        assert!(glance(true).is_fresh(&read));
    }

    #[test]
    fn a_reading_from_the_future_is_not_fresh() {
        let mut left = meter(Duration::ZERO, None, false);
        left.time = NOW.saturating_add(Duration::from_hours(1));
        assert!(!glance(false).is_fresh(&left));
    }
}
