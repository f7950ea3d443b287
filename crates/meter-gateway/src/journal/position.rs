//! How far an output has come: everything up to a sequence number, and what was delivered ahead of
//! it. Pure; the journal's thread keeps it in memory and writes the changes down.

use std::collections::BTreeMap;

/// Ranges delivered ahead of the cursor that are remembered for each output. One more, and the
/// oldest is forgotten: its readings are delivered a second time, none is lost. A gateway that sends
/// the newest reading every minute while it drains a backlog gets there after almost three days.
pub(super) const MAX_RANGES: usize = 4096;

/// How far one output has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    after: u64,
    /// First to last, both included, neither touching each other nor `after`.
    ahead: BTreeMap<u64, u64>,
    /// Sequence numbers that this output would still have to deliver, but that have no reading any
    /// more, because it was thinned or dropped.
    missing: u64,
    changed: bool,
    /// Changes of `ahead` since the last write: the new last of a range, or that it is gone.
    edits: BTreeMap<u64, Option<u64>>,
}

impl Position {
    /// A position that begins behind `after`.
    pub(super) fn new(after: u64, missing: u64) -> Self {
        Self {
            after,
            missing,
            changed: true,
            ..Self::default()
        }
    }

    /// A position as it was written down.
    pub(super) fn restore(
        after: u64,
        missing: u64,
        ranges: impl IntoIterator<Item = (u64, u64)>,
    ) -> Self {
        let mut position = Self {
            after,
            missing,
            ..Self::default()
        };
        for (first, last) in ranges {
            position.insert(first, last);
        }
        position.swallow();
        position
    }

    /// Everything up to here is delivered.
    pub(super) fn after(&self) -> u64 {
        self.after
    }

    /// See the field.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// Whether this output is done with a reading.
    pub(super) fn delivered(&self, seq: u64) -> bool {
        seq <= self.after
            || self
                .ahead
                .range(..=seq)
                .next_back()
                .is_some_and(|(_, last)| seq <= *last)
    }

    /// The stretches up to `last` that are not delivered, oldest first: (first, last), both included.
    pub(super) fn gaps(&self, last: u64) -> impl Iterator<Item = (u64, u64)> {
        let mut from = self.after + 1;
        let ends = self
            .ahead
            .iter()
            .map(|(first, end)| (*first, *end))
            .chain([(last + 1, last + 1)]);
        ends.filter_map(move |(first, end)| {
            let gap = (from, first.min(last + 1) - 1);
            from = end + 1;
            (gap.0 <= gap.1).then_some(gap)
        })
    }

    /// How many readings up to `last` are not delivered.
    pub(super) fn backlog(&self, last: u64) -> u64 {
        self.numbers(last).saturating_sub(self.missing)
    }

    /// How many sequence numbers up to `last` are not delivered, with or without a reading.
    pub(super) fn numbers(&self, last: u64) -> u64 {
        let ahead: u64 = self.ahead.iter().map(|(first, end)| end - first + 1).sum();
        last.saturating_sub(self.after).saturating_sub(ahead)
    }

    /// Everything up to `through` is delivered.
    pub(super) fn ack(&mut self, through: u64) {
        if through <= self.after {
            return;
        }
        self.after = through;
        self.changed = true;
        self.swallow();
    }

    /// One reading is delivered, whatever comes before it.
    pub(super) fn ack_ahead(&mut self, seq: u64) {
        if self.delivered(seq) {
            return;
        }
        self.changed = true;
        self.insert(seq, seq);
        self.swallow();
        while self.ahead.len() > MAX_RANGES {
            if let Some((first, _)) = self.ahead.pop_first() {
                self.edits.insert(first, None);
            }
        }
    }

    /// `numbers` of the undelivered sequence numbers have lost their reading.
    pub(super) fn lose(&mut self, numbers: u64) {
        self.missing += numbers;
        self.changed |= numbers > 0;
    }

    /// `numbers` of those without a reading are no longer ahead of us.
    pub(super) fn find(&mut self, numbers: u64) {
        self.changed |= numbers > 0 && self.missing > 0;
        self.missing = self.missing.saturating_sub(numbers);
    }

    /// Adds a range and joins it with its neighbours.
    fn insert(&mut self, first: u64, last: u64) {
        let (mut first, mut last) = (first, last);
        while let Some((start, end)) = self
            .ahead
            .range(..=last.saturating_add(1))
            .next_back()
            .map(|(s, e)| (*s, *e))
        {
            if end.saturating_add(1) < first {
                break;
            }
            first = first.min(start);
            last = last.max(end);
            self.ahead.remove(&start);
            self.edits.insert(start, None);
        }
        self.ahead.insert(first, last);
        self.edits.insert(first, Some(last));
    }

    /// Moves over the ranges that the cursor has reached.
    fn swallow(&mut self) {
        while let Some(entry) = self.ahead.first_entry() {
            if *entry.key() > self.after + 1 {
                break;
            }
            let (first, last) = entry.remove_entry();
            self.after = self.after.max(last);
            self.edits.insert(first, None);
            self.changed = true;
        }
    }

    /// Whether something has to be written down.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    /// The ranges to write (with their last) and to remove (without).
    pub(super) fn edits(&self) -> impl Iterator<Item = (u64, Option<u64>)> {
        self.edits.iter().map(|(first, last)| (*first, *last))
    }

    /// What was changed is written down.
    pub(super) fn written(&mut self) {
        self.changed = false;
        self.edits.clear();
    }

    /// Nothing is written down any more: the next write has to be complete.
    pub(super) fn unwritten(&mut self) {
        self.changed = true;
        self.edits = self
            .ahead
            .iter()
            .map(|(first, last)| (*first, Some(*last)))
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Deed {
        Ack(u64),
        Ahead(u64),
    }

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let deed = prop_oneof![
            (1..60_u64).prop_map(Deed::Ack),
            (1..60_u64).prop_map(Deed::Ahead),
            (1..60_u64).prop_map(Deed::Ahead)
        ];
        prop::collection::vec(deed, 0..40)
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_delivered_numbers(deeds in deeds(), last in 60..70_u64) {
            let mut position = Position::new(0, 0);
            let mut written = BTreeMap::new();
            let mut model = BTreeSet::new();
            for deed in deeds {
                match deed {
                    Deed::Ack(through) => {
                        position.ack(through);
                        model.extend(1..=through);
                    }
                    Deed::Ahead(seq) => {
                        position.ack_ahead(seq);
                        model.insert(seq);
                    }
                }
                for (first, end) in position.edits() {
                    match end {
                        Some(end) => written.insert(first, end),
                        None => written.remove(&first),
                    };
                }
                position.written();
                prop_assert_eq!(&written, &position.ahead);
            }
            let open: Vec<u64> = (1..=last).filter(|seq| !model.contains(seq)).collect();
            let gaps: Vec<u64> = position.gaps(last).flat_map(|(first, end)| first..=end).collect();
            prop_assert_eq!(&gaps, &open);
            prop_assert_eq!(position.backlog(last), open.len() as u64);
            for seq in 1..=last {
                prop_assert_eq!(position.delivered(seq), model.contains(&seq));
            }
            let again = Position::restore(position.after(), 0, written);
            prop_assert_eq!(again.after, position.after);
            prop_assert_eq!(again.ahead, position.ahead);
        }
    }

    #[test]
    fn too_many_ranges_are_delivered_twice_and_never_lost() {
        let mut position = Position::new(0, 0);
        let ranges = MAX_RANGES as u64 + 3;
        for index in 1..=ranges {
            position.ack_ahead(index * 2);
        }
        assert_eq!(position.ahead.len(), MAX_RANGES);
        assert!(!position.delivered(2) && !position.delivered(6));
        assert!(position.delivered(8) && position.delivered(ranges * 2));
    }
}
