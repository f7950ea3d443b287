//! Readings that a server refused while it may be the server's fault.
//!
//! A wrong path or format makes a server refuse everything; setting aside what
//! it refuses would then set aside the whole backlog. So a reading is set aside
//! only when it was refused **twice, at last alone, and another one was accepted
//! in between**. Until then it stays in the journal, and after [`MOST`] of them
//! nothing is sent but one newest reading now and then, to see whether the
//! server takes any.

use crate::journal::Record;

/// How many readings may be refused in a row before everything else waits.
pub(super) const MOST: usize = 8;

/// A reading that was refused alone.
#[derive(Debug)]
struct Suspect {
    record: Record,
    /// Whether another reading was accepted since.
    evidence: bool,
}

/// The readings that wait for evidence, oldest first.
#[derive(Debug, Default)]
pub(super) struct Suspects(Vec<Suspect>);

/// What comes of a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The reading waits for evidence.
    Suspected,
    /// The reading is refused for good.
    Rejected,
}

impl Suspects {
    /// `record` was refused alone. `evidence` says that others were accepted
    /// after it was refused together with some.
    pub(super) fn refused(&mut self, record: &Record, evidence: bool) -> Verdict {
        let known = self
            .0
            .iter()
            .position(|suspect| suspect.record.seq == record.seq);
        let earlier = known.is_some_and(|index| self.0[index].evidence);
        if evidence || earlier {
            self.0.retain(|suspect| suspect.record.seq != record.seq);
            return Verdict::Rejected;
        }
        if known.is_none() {
            self.0.push(Suspect {
                record: record.clone(),
                evidence: false,
            });
        }
        Verdict::Suspected
    }

    /// Readings were accepted, these: the server takes some. Returns the
    /// suspects that are to be tried once more.
    pub(super) fn accepted(&mut self, seqs: &[u64]) -> Vec<Record> {
        self.0.retain(|suspect| !seqs.contains(&suspect.record.seq));
        let waiting = self.0.iter_mut().filter(|suspect| !suspect.evidence);
        waiting
            .map(|suspect| {
                suspect.evidence = true;
                suspect.record.clone()
            })
            .collect()
    }

    pub(super) fn contains(&self, seq: u64) -> bool {
        self.0.iter().any(|suspect| suspect.record.seq == seq)
    }

    /// Whether nothing but a trial may be sent.
    pub(super) fn block(&self) -> bool {
        self.0.iter().filter(|suspect| !suspect.evidence).count() >= MOST
    }

    pub(super) fn oldest(&self) -> Option<&Record> {
        self.0.first().map(|suspect| &suspect.record)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meter_core::UnixMillis;

    fn record(seq: u64) -> Record {
        Record {
            seq,
            meter: Box::new([1]),
            time: UnixMillis(0),
            body: Vec::new(),
        }
    }

    #[test]
    fn only_twice_and_with_evidence_in_between() {
        let mut suspects = Suspects::default();
        assert_eq!(suspects.refused(&record(1), false), Verdict::Suspected);
        assert_eq!(suspects.refused(&record(1), false), Verdict::Suspected);
        assert_eq!(suspects.accepted(&[2]), [record(1)]);
        assert_eq!(suspects.accepted(&[3]), []);
        assert_eq!(suspects.refused(&record(1), false), Verdict::Rejected);
        assert!(suspects.is_empty());
    }

    #[test]
    fn refused_with_others_that_were_accepted_since() {
        let mut suspects = Suspects::default();
        assert_eq!(suspects.refused(&record(1), true), Verdict::Rejected);
        assert!(suspects.is_empty());
    }

    #[test]
    fn one_that_is_taken_after_all_is_no_suspect() {
        let mut suspects = Suspects::default();
        suspects.refused(&record(1), false);
        suspects.refused(&record(2), false);
        assert_eq!(suspects.accepted(&[1]), [record(2)]);
        assert!(!suspects.contains(1) && suspects.contains(2));
    }

    #[test]
    fn too_many_block_until_there_is_evidence() {
        let mut suspects = Suspects::default();
        for seq in 0..8 {
            assert!(!suspects.block());
            suspects.refused(&record(seq), false);
        }
        assert!(suspects.block());
        assert_eq!(suspects.accepted(&[99]).len(), 8);
        assert!(!suspects.block());
    }
}
