//! What is known of each meter: its time stamps, and a guard for each input that reads it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use meter_core::clock::SMALL_STEP;
use meter_core::{Guard, Reading, UnixMillis};

use crate::config;

/// One meter.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) times: Times,
    /// Whether its readings of earlier boots got their time.
    pub(super) restamped: bool,
    /// Where the journal ended when the guards began.
    pub(super) seed: Option<Seed>,
    /// Two inputs that read one meter see it at different moments, so each is held against itself.
    sources: Vec<Source>,
    /// The input of the last reading.
    last: Option<Arc<str>>,
    /// How often another input than the last one had a reading.
    turns: u32,
}

/// The newest reading that the journal has of a meter.
#[derive(Debug)]
pub(super) struct Seed {
    pub(super) body: Vec<u8>,
    pub(super) time: UnixMillis,
    /// How old it was at `at`.
    pub(super) age: Duration,
    /// On the monotonic clock.
    pub(super) at: Duration,
}

/// A meter as one input reads it.
#[derive(Debug)]
struct Source {
    input: Arc<str>,
    guard: Guard,
    /// Whether it was said that this meter was perhaps replaced.
    told: bool,
}

/// A reading, as far as the guard is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken<'a> {
    pub(super) input: &'a Arc<str>,
    pub(super) reading: &'a Reading<'a>,
    /// On the monotonic clock.
    pub(super) at: Duration,
    /// If the wall clock is right.
    pub(super) time: Option<UnixMillis>,
}

impl Meter {
    /// As if nothing was known of it but this.
    pub(super) fn begin_again(&mut self, seed: Option<Seed>) {
        self.sources.clear();
        self.seed = seed;
    }

    /// Why the guard refuses a reading, if it does.
    pub(super) fn suspect(&mut self, taken: Taken<'_>, config: &config::Guard) -> Option<String> {
        if !config.enabled {
            return None;
        }
        let source = self.source(taken, config);
        let implausible = match source.guard.check(taken.reading, taken.at) {
            Ok(()) => {
                source.told = false;
                return None;
            }
            Err(implausible) => implausible,
        };
        let name = taken.reading.meter_id();
        if source.guard.refused() == 1 {
            tracing::warn!(
                "meter {name}: a reading is not plausible and is kept apart: {implausible}"
            );
        }
        if implausible.perhaps_replaced && !source.told {
            source.told = true;
            tracing::warn!(
                "meter {name}: {} readings in a row are not plausible, but agree among themselves. \
                 If the meter was replaced or reset: `meterline suspects --accept '{name}'`",
                source.guard.refused()
            );
        }
        Some(implausible.to_string())
    }

    fn source(&mut self, taken: Taken<'_>, config: &config::Guard) -> &mut Source {
        let known = |source: &Source| source.input == *taken.input;
        let index = self.sources.iter().position(known).unwrap_or_else(|| {
            let mut guard = Guard::new(config.limits());
            let seed = self.seed.as_ref();
            // What came later through another input says nothing about this one. The clock may have
            // been trimmed in between.
            let earlier = |seed: &&Seed| {
                let begin = seed.time.saturating_sub(SMALL_STEP);
                taken.time.is_none_or(|time| begin < time)
            };
            if let Some(seed) = seed.filter(earlier)
                && let Ok(reading) = Reading::from_bytes(&seed.body)
            {
                guard.seed(&reading, seed.at, seed.age);
            }
            self.sources.push(Source {
                input: Arc::clone(taken.input),
                guard,
                told: false,
            });
            self.sources.len() - 1
        });
        &mut self.sources[index]
    }

    /// Says once that two inputs read this meter. One that takes over from another, as after a change
    /// of names, does not give the word back.
    pub(super) fn note_input(&mut self, input: &Arc<str>, reading: &Reading<'_>) {
        let other = self.last.as_ref().filter(|last| *last != input);
        if let Some(other) = other {
            self.turns = self.turns.saturating_add(1);
            if self.turns == 2 {
                tracing::warn!(
                    "meter {}: inputs {other} and {input} both read it, and every reading of both is \
                     stored and delivered. Remove one of them",
                    reading.meter_id()
                );
            }
        }
        if self.last.as_ref() != Some(input) {
            self.last = Some(Arc::clone(input));
        }
    }
}

/// The meters, by server id.
pub(super) type Meters = HashMap<Box<[u8]>, Meter>;

/// The time stamps of one meter, no two of which are the same.
///
/// Backends take two readings of one meter and one time for the same reading. Telegrams that arrive
/// together, as in a replay, and the trimming of the clock could make such pairs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    clock: i64,
    given: i64,
}

impl Times {
    /// The clock was set when it is further back than this.
    const TRIMMING: i64 = 1000;

    pub(super) fn after(newest: UnixMillis) -> Self {
        Self {
            clock: newest.0,
            given: newest.0,
        }
    }

    pub(super) fn next(&mut self, clock: UnixMillis) -> UnixMillis {
        let was_set = clock.0 < self.clock.saturating_sub(Self::TRIMMING);
        let later = self.given.saturating_add(1);
        self.given = if was_set { clock.0 } else { clock.0.max(later) };
        self.clock = clock.0;
        UnixMillis(self.given)
    }
}
