//! What is not in the file yet. Everything passes through here: for a moment until its batch is
//! committed, or for as long as the disk takes nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use meter_core::UnixMillis;

use super::record::{Moment, Record};
use super::store::Store;

/// Something that becomes a row.
#[derive(Debug)]
pub(super) enum Row {
    Reading(Record),
    Provisional {
        meter: Box<[u8]>,
        moment: Moment,
        seconds_index: Option<u64>,
        body: Vec<u8>,
    },
    Suspect {
        meter: Box<[u8]>,
        time: UnixMillis,
        /// Set while the wall clock, and with it `time`, cannot be believed.
        moment: Option<Moment>,
        reason: String,
        body: Vec<u8>,
    },
    Rejected {
        output: Arc<str>,
        seq: u64,
        at: UnixMillis,
        reason: String,
        answer: String,
    },
}

impl Row {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Reading(record) => record.body.len() + record.meter.len(),
                Self::Provisional { meter, body, .. } => body.len() + meter.len(),
                Self::Suspect {
                    meter,
                    reason,
                    body,
                    ..
                } => body.len() + meter.len() + reason.len(),
                Self::Rejected { reason, answer, .. } => reason.len() + answer.len(),
            }
    }

    fn write(&self, store: &mut Store) -> rusqlite::Result<()> {
        match self {
            Self::Reading(record) => store.insert(record),
            Self::Provisional {
                meter,
                moment,
                seconds_index,
                body,
            } => store.provisional(
                meter,
                &moment.boot,
                moment.monotonic_ms,
                *seconds_index,
                body,
            ),
            Self::Suspect {
                meter,
                time,
                moment,
                reason,
                body,
            } => store.suspect(meter, *time, moment.as_ref(), reason, body),
            Self::Rejected {
                output,
                seq,
                at,
                reason,
                answer,
            } => store.reject(*seq, output, *at, reason, answer),
        }
    }
}

/// Rows in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Pending {
    rows: VecDeque<Row>,
    bytes: usize,
}

impl Pending {
    pub(super) fn push(&mut self, row: Row) {
        self.bytes += row.bytes();
        self.rows.push_back(row);
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The reading that came last, if nothing came after it.
    pub(super) fn newest(&self) -> Option<&Record> {
        match self.rows.back() {
            Some(Row::Reading(record)) => Some(record),
            _ => None,
        }
    }

    /// Writes all of them, in the transaction that is open.
    pub(super) fn write(&self, store: &mut Store) -> rusqlite::Result<()> {
        self.rows.iter().try_for_each(|row| row.write(store))
    }

    /// Rows that are no readings of the log.
    pub(super) fn others(&self) -> impl Iterator<Item = &Row> {
        self.rows
            .iter()
            .filter(|row| !matches!(row, Row::Reading(_)))
    }

    /// They are committed.
    pub(super) fn written(&mut self) {
        self.rows.clear();
        self.rows.shrink_to(64);
        self.bytes = 0;
    }

    /// The readings among them between two sequence numbers, both included, oldest first.
    pub(super) fn readings(
        &self,
        first: u64,
        last: u64,
    ) -> impl DoubleEndedIterator<Item = &Record> {
        self.rows.iter().filter_map(move |row| match row {
            Row::Reading(record) if (first..=last).contains(&record.seq) => Some(record),
            _ => None,
        })
    }

    /// Drops the oldest rows until at most `bytes` are left. Returns the sequence numbers of the
    /// readings among them, and how many other rows went.
    pub(super) fn trim(&mut self, bytes: usize) -> (Vec<u64>, u64) {
        let (mut seqs, mut others) = (Vec::new(), 0);
        while self.bytes > bytes && self.rows.len() > 1 {
            let Some(row) = self.rows.pop_front() else {
                break;
            };
            self.bytes -= row.bytes();
            match row {
                Row::Reading(record) => seqs.push(record.seq),
                _ => others += 1,
            }
        }
        (seqs, others)
    }
}
