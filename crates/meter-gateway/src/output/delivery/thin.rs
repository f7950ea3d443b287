//! The newest reading of each interval and meter, out of a stretch of the log.
//!
//! This works on what the journal holds, not on what arrives: a restart in the
//! middle of an interval changes nothing, and a backlog is thinned in the same
//! way as fresh readings.

use std::time::Duration;

use meter_core::UnixMillis;

use crate::journal::Record;

/// A stretch of the log, sorted out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Thinned {
    /// To be sent, oldest first.
    pub(super) due: Vec<Record>,
    /// Not to be sent: a newer one of the same interval is there.
    pub(super) superseded: Vec<u64>,
    /// How long until one that is held back now becomes due.
    pub(super) wake: Option<Duration>,
}

/// Sorts `records`, oldest first. The intervals begin at whole multiples of
/// `span` since 1970. `cut` says that the log goes on behind the last record, so
/// that nobody knows yet whether it is the newest of its interval.
pub(super) fn thin(records: Vec<Record>, span: Duration, now: UnixMillis, cut: bool) -> Thinned {
    let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX).max(1);
    let mut thinned = Thinned::default();
    let mut newest: Vec<Record> = Vec::new();
    for record in records {
        match newest.iter_mut().find(|other| other.meter == record.meter) {
            None => newest.push(record),
            Some(other) => {
                let same = other.time.0.div_euclid(span) == record.time.0.div_euclid(span);
                let older = std::mem::replace(other, record);
                if same {
                    thinned.superseded.push(older.seq);
                } else {
                    thinned.due.push(older);
                }
            }
        }
    }
    if cut && !(thinned.due.is_empty() && thinned.superseded.is_empty()) {
        newest.clear();
    }
    for record in newest {
        let end = record
            .time
            .0
            .div_euclid(span)
            .saturating_add(1)
            .saturating_mul(span);
        let left = end.saturating_sub(now.0);
        // More than an interval ahead of the clock means that the clock was set back.
        if left <= 0 || left > span {
            thinned.due.push(record);
        } else {
            let left = Duration::from_millis(left.unsigned_abs());
            thinned.wake = Some(thinned.wake.map_or(left, |wake| wake.min(left)));
        }
    }
    thinned.due.sort_by_key(|record| record.seq);
    thinned
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(seq: u64, meter: u8, time: i64) -> Record {
        Record {
            seq,
            meter: Box::new([meter]),
            time: UnixMillis(time),
            body: Vec::new(),
        }
    }

    fn seqs(records: &[Record]) -> Vec<u64> {
        records.iter().map(|record| record.seq).collect()
    }

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn the_newest_of_each_minute_and_meter() {
        let records = vec![
            record(1, b'a', 10_000),
            record(2, b'b', 11_000),
            record(3, b'a', 59_999),
            record(4, b'a', 60_000),
            record(5, b'a', 70_000),
        ];
        let thinned = thin(records.clone(), MINUTE, UnixMillis(100_000), false);
        assert_eq!(seqs(&thinned.due), [2, 3]);
        assert_eq!(thinned.superseded, [1, 4]);
        assert_eq!(thinned.wake, Some(Duration::from_secs(20)));
        let thinned = thin(records.clone(), MINUTE, UnixMillis(120_000), true);
        assert_eq!(seqs(&thinned.due), [3]);
        let thinned = thin(records, MINUTE, UnixMillis(120_000), false);
        assert_eq!(seqs(&thinned.due), [2, 3, 5]);
        assert_eq!(thinned.wake, None);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_back() {
        let thinned = thin(
            vec![record(1, b'a', 1_000_000)],
            MINUTE,
            UnixMillis(0),
            false,
        );
        assert_eq!(seqs(&thinned.due), [1]);
    }

    proptest! {
        #[test]
        fn every_record_goes_one_way(
            steps in proptest::collection::vec((0_u8..3, -5_000_i64..90_000), 0..50),
            now: i32,
        ) {
            let mut time = 0;
            let mut records = Vec::new();
            for (seq, (meter, step)) in (1..).zip(steps) {
                time += step;
                records.push(record(seq, meter, time));
            }
            let count = records.len();
            let thinned = thin(records, MINUTE, UnixMillis(now.into()), false);
            let held = count - thinned.due.len() - thinned.superseded.len();
            prop_assert!(held <= 3);
            prop_assert_eq!(held > 0, thinned.wake.is_some());
            prop_assert!(thinned.due.is_sorted_by_key(|record| record.seq));
        }
    }
}
