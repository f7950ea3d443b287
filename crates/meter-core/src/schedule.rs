//! The newest of each interval: meters send every second, most people want every ten.

use core::time::Duration;

/// Where intervals begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Align {
    /// At the first item, and every length after it.
    #[default]
    First,
    /// At whole multiples of the length on the caller's clock. With time since 1970 in UTC, an
    /// interval of 15 minutes ends at each quarter of an hour.
    Clock,
}

/// Lets the newest item of each interval through.
///
/// `now` may be any clock as long as it is always the same one. A clock that is set back does not
/// hold an item for longer than one interval.
#[derive(Clone, Debug)]
pub struct Interval<T> {
    length: Duration,
    align: Align,
    /// Start of the grid for [`Align::First`].
    first: Option<Duration>,
    pending: Option<Pending<T>>,
}

/// The newest item of the interval that goes on, and when it ends.
#[derive(Clone, Debug)]
struct Pending<T> {
    item: T,
    due: Duration,
}

impl<T> Interval<T> {
    /// Intervals of one length. A length of nought lets every item through.
    #[must_use]
    pub const fn new(length: Duration, align: Align) -> Self {
        Self {
            length,
            align,
            first: None,
            pending: None,
        }
    }

    /// Takes in an item and returns the one that is due: with a length of nought the same one,
    /// otherwise the newest of an interval that is over and that nobody polled for.
    pub fn offer(&mut self, now: Duration, item: T) -> Option<T> {
        if self.length.is_zero() {
            return Some(item);
        }
        let over = self.poll(now);
        let due = match &self.pending {
            Some(pending) => pending.due,
            None => self.end(now),
        };
        self.pending = Some(Pending { item, due });
        over
    }

    /// Returns the newest item of an interval that is over.
    pub fn poll(&mut self, now: Duration) -> Option<T> {
        let due = self.pending.as_ref()?.due;
        let set_back = due.saturating_sub(now) > self.length;
        if now < due && !set_back {
            return None;
        }
        self.flush()
    }

    /// When [`poll`](Self::poll) will have something, if nothing else comes.
    #[must_use]
    pub fn poll_at(&self) -> Option<Duration> {
        self.pending.as_ref().map(|pending| pending.due)
    }

    /// Returns the newest item although its interval is not over, as at the end of the program.
    pub fn flush(&mut self) -> Option<T> {
        self.pending.take().map(|pending| pending.item)
    }

    /// The end of the interval that `now` is in.
    fn end(&mut self, now: Duration) -> Duration {
        let start = match self.align {
            Align::Clock => Duration::ZERO,
            Align::First => {
                let first = self.first.filter(|first| *first <= now).unwrap_or(now);
                self.first = Some(first);
                first
            }
        };
        let length = self.length.as_nanos();
        let past = now.saturating_sub(start).as_nanos() % length;
        let left = u64::try_from(length - past).unwrap_or(u64::MAX);
        now.saturating_add(Duration::from_nanos(left))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_newest_of_each_interval() {
        let mut interval = Interval::new(seconds(10), Align::First);
        for second in 3..13 {
            assert_eq!(interval.offer(seconds(second), second), None);
        }
        assert_eq!(interval.poll_at(), Some(seconds(13)));
        assert_eq!(interval.poll(seconds(12)), None);
        assert_eq!(interval.poll(seconds(13)), Some(12));
        assert_eq!(interval.poll(seconds(13)), None);
        assert_eq!(interval.poll_at(), None);
    }

    #[test]
    fn an_item_behind_the_end_starts_the_next_interval() {
        let mut interval = Interval::new(seconds(10), Align::First);
        assert_eq!(interval.offer(seconds(0), 'a'), None);
        assert_eq!(interval.offer(seconds(10), 'b'), Some('a'));
        // Silence for a while does not move the grid.
        assert_eq!(interval.poll(seconds(20)), Some('b'));
        assert_eq!(interval.offer(seconds(57), 'c'), None);
        assert_eq!(interval.poll_at(), Some(seconds(60)));
        assert_eq!(interval.flush(), Some('c'));
    }

    #[test]
    fn aligned_to_the_clock() {
        let mut interval = Interval::new(seconds(900), Align::Clock);
        assert_eq!(interval.offer(seconds(1_732_290_123), ()), None);
        assert_eq!(interval.poll_at(), Some(seconds(1_732_290_300)));
    }

    #[test]
    fn nought_lets_all_through() {
        let mut interval = Interval::new(Duration::ZERO, Align::Clock);
        assert_eq!(interval.offer(seconds(1), 'a'), Some('a'));
        assert_eq!(interval.offer(seconds(1), 'b'), Some('b'));
        assert_eq!(interval.poll_at(), None);
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nothing() {
        for align in [Align::First, Align::Clock] {
            let mut interval = Interval::new(seconds(10), align);
            assert_eq!(interval.offer(seconds(100_000), 'a'), None);
            assert_eq!(interval.offer(seconds(50), 'b'), Some('a'));
            assert_eq!(interval.poll_at(), Some(seconds(60)));
            assert_eq!(interval.offer(seconds(63), 'c'), Some('b'));
            assert_eq!(interval.poll_at(), Some(seconds(70)), "on the new grid");
        }
    }

    proptest! {
        #[test]
        fn each_interval_gives_its_newest(
            steps in proptest::collection::vec(0_u64..25, 1..100),
            length in 1_u64..20,
            clock: bool,
        ) {
            let align = if clock { Align::Clock } else { Align::First };
            let mut interval = Interval::new(seconds(length), align);
            let mut now = 7;
            let mut times = Vec::new();
            let mut out = Vec::new();
            for step in steps {
                now += step;
                times.push(now);
                out.extend(interval.offer(seconds(now), now));
            }
            out.extend(interval.flush());
            let start = if clock { 0 } else { times.first().copied().unwrap_or(0) };
            let mut wanted: Vec<u64> = Vec::new();
            for time in times {
                match wanted.last_mut() {
                    Some(last) if (*last - start) / length == (time - start) / length => *last = time,
                    _ => wanted.push(time),
                }
            }
            prop_assert_eq!(out, wanted);
        }
    }
}
