//! No faster than the server wants it.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// Spaces POSTs so that, over any second, no more readings are sent than
/// `max_rate` says. A POST is never larger than a second's worth.
#[derive(Debug)]
pub(super) struct Pace {
    per_reading: Duration,
    next: Instant,
}

impl Pace {
    pub(super) fn new(max_rate: Option<NonZeroU32>, now: Instant) -> Self {
        let per_reading =
            max_rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.get());
        Self {
            per_reading,
            next: now,
        }
    }

    /// When the next POST may leave.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// So many readings were sent at `now`, whatever became of them.
    pub(super) fn sent(&mut self, readings: usize, now: Instant) {
        let readings = u32::try_from(readings).unwrap_or(u32::MAX);
        self.next = self.next.max(now) + self.per_reading.saturating_mul(readings);
    }
}
