//! What several time servers say of the first time after a start, and which of it is believed.
//!
//! There is no clock yet that an answer could be held against, and a reading that is stamped wrongly is
//! wrong for ever. So two servers must say the same. Where only one answers, it is believed when it has
//! said so for [`ALONE`]; where they say different things, the first in the settings that has said the
//! same for [`PERSISTENCE`], as there is nobody left to ask.

use core::time::Duration;

use heapless::Vec;
use meter_core::UnixMillis;
use meter_core::clock::{PERSISTENCE, SMALL_STEP};

use crate::settings::TIME_SERVERS;

/// A server that is the only one to answer is believed after this. The others were asked some four times
/// until then.
pub const ALONE: Duration = Duration::from_mins(1);

/// What a server said, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The time of day.
    pub time: UnixMillis,
    /// The monotonic clock then.
    pub at: Duration,
}

impl Answer {
    /// The time now, if the answer is right.
    pub fn now(self, now: Duration) -> UnixMillis {
        self.time.saturating_add(now.saturating_sub(self.at))
    }

    /// By how many milliseconds a later answer is ahead of this one.
    pub fn step(self, later: Self) -> i64 {
        later.now(later.at).millis_since(self.now(later.at))
    }

    /// Whether a later answer says the same.
    pub fn agrees(self, later: Self) -> bool {
        u128::from(self.step(later).unsigned_abs()) <= SMALL_STEP.as_millis()
    }
}

/// A server, by its place in the settings, and what it says.
#[derive(Clone, Copy, Debug)]
struct Witness {
    which: usize,
    /// Since when it has said the same.
    since: Answer,
    last: Answer,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// Nobody said anything that could be believed.
    Silence,
    /// Only this server says anything: it is believed a little later.
    Alone(usize),
    /// These two say different things.
    Disputed(usize, usize),
    /// This server is believed.
    One {
        which: usize,
        answer: Answer,
        /// Another says otherwise.
        disputed: bool,
    },
}

/// What each server said last.
#[derive(Debug, Default)]
pub struct Witnesses(Vec<Witness, TIME_SERVERS>);

impl Witnesses {
    /// Takes an answer in. Returns another server that says the same, if there is one.
    pub fn hear(&mut self, which: usize, answer: Answer) -> Option<usize> {
        let witness = self.0.iter_mut().find(|witness| witness.which == which);
        match witness {
            Some(witness) if witness.since.agrees(answer) => witness.last = answer,
            Some(witness) => (witness.since, witness.last) = (answer, answer),
            None => {
                let (since, last) = (answer, answer);
                // There is a place for each server.
                let _ = self.0.push(Witness { which, since, last });
            }
        }
        let mut others = self.0.iter().filter(|witness| witness.which != which);
        others
            .find(|other| other.last.agrees(answer))
            .map(|other| other.which)
    }

    /// What is to be believed where no two say the same, of what is not doubted for another reason.
    pub fn judge(&self, is_doubted: impl Fn(UnixMillis) -> bool) -> Belief {
        let sound = |witness: &&Witness| !is_doubted(witness.last.time);
        let mut witnesses = self.0.iter().filter(sound);
        let Some(first) = witnesses.next() else {
            return Belief::Silence;
        };
        let second = witnesses.next();
        let disputed = second.is_some();
        let needed = if disputed { PERSISTENCE } else { ALONE };
        let has_persisted =
            |witness: &&Witness| witness.last.at.saturating_sub(witness.since.at) >= needed;
        let steady = self.0.iter().filter(sound).filter(has_persisted);
        match (steady.min_by_key(|witness| witness.which), second) {
            (Some(&Witness { which, last, .. }), _) => Belief::One {
                which,
                answer: last,
                disputed,
            },
            (None, Some(second)) => Belief::Disputed(first.which, second.which),
            (None, None) => Belief::Alone(first.which),
        }
    }
}
