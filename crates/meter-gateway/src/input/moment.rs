use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meter_core::UnixMillis;
use rustix::time::{ClockId, clock_gettime};

/// One instant on both clocks of the host, taken together.
///
/// The wall clock may be wrong and may jump; the monotonic one may not, and
/// goes on while the machine sleeps. With both, a reading that was taken before
/// the time was known gets its time stamp later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock, milliseconds since 1970 in UTC.
    pub wall: UnixMillis,
    /// Time since the machine started.
    pub mono: Duration,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        Self {
            wall: UnixMillis(wall),
            mono: monotonic(),
        }
    }
}

/// Time since the machine started, sleep included.
#[must_use]
pub fn monotonic() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    // Neither clock is ever negative.
    clock_gettime(clock).try_into().unwrap_or_default()
}

/// Time since the machine started, sleep not included: for what may not hang.
#[must_use]
pub fn awake() -> Duration {
    clock_gettime(ClockId::Monotonic)
        .try_into()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_run() {
        let first = Moment::now();
        std::thread::sleep(Duration::from_millis(20));
        let second = Moment::now();
        assert!(second.mono.saturating_sub(first.mono) >= Duration::from_millis(20));
        assert!(second.wall.0 - first.wall.0 >= 19, "{first:?} {second:?}");
        assert!(first.wall.0 > 1_700_000_000_000);
    }
}
