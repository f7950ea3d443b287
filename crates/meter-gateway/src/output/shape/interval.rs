//! What stands for the power of an interval: the mean, the smallest or the largest of what the journal
//! has of it.
//!
//! The journal is asked, and nothing is counted beside it, so that a restart in the middle of an
//! interval changes nothing, and a backlog has the same numbers as fresh readings.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use meter_core::{Decimal, Obis, Reading, Register, Unit, UnixMillis};
use tokio::task::spawn_blocking;

use super::{Numbers, OfInterval, Shape};
use crate::journal::{Journal, OpenError, Record, Span};

/// A mean is rounded to so many digits behind the point at most.
const DECIMALS_OF_MEAN: u8 = 3;

/// Makes the numbers of intervals.
#[derive(Debug)]
pub(in crate::output) struct Intervals {
    of: OfInterval,
    /// To how many digits a mean is rounded. Rounding it once more would not be exact.
    decimals: u8,
    /// How long an interval is, in milliseconds.
    span: i64,
    journal: Journal,
}

/// One reading and the interval that it stands for.
#[derive(Debug)]
struct Asked {
    span: Span,
    through: u64,
    record: Record,
}

impl Intervals {
    /// `None` when a reading stands for itself.
    pub(in crate::output) fn new(
        shape: &Shape,
        span: Option<Duration>,
        journal: &Journal,
    ) -> Option<Self> {
        let span = i64::try_from(span?.as_millis()).unwrap_or(i64::MAX).max(1);
        let of = shape.power_of_interval;
        (of != OfInterval::Last).then(|| Self {
            of,
            decimals: shape
                .decimals
                .map_or(DECIMALS_OF_MEAN, |decimals| decimals.min(DECIMALS_OF_MEAN)),
            span,
            journal: journal.clone(),
        })
    }

    /// For each of `records` the numbers of its interval up to it. The error says why the journal cannot
    /// be read, for people.
    pub(in crate::output) async fn numbers(
        &self,
        records: &[Record],
    ) -> Result<Vec<Numbers>, String> {
        let asked: Vec<Asked> = records.iter().map(|record| self.asked(record)).collect();
        let (of, decimals, journal) = (self.of, self.decimals, self.journal.clone());
        let counted = spawn_blocking(move || {
            let look = journal.look()?;
            let numbers = asked.into_iter().map(|asked| {
                let mut tally = Tally::new(of);
                let mut with_itself = false;
                look.up_to(&asked.span, asked.through, |record| {
                    with_itself |= record.seq == asked.through;
                    tally.add(&record);
                })?;
                // What the disk does not take is in memory only.
                if !with_itself {
                    tally.add(&asked.record);
                }
                Ok(tally.numbers(decimals))
            });
            numbers.collect::<Result<Vec<Numbers>, OpenError>>()
        });
        match counted.await {
            Ok(Ok(numbers)) => Ok(numbers),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn asked(&self, record: &Record) -> Asked {
        let from = record
            .time
            .0
            .div_euclid(self.span)
            .saturating_mul(self.span);
        Asked {
            span: Span {
                meter: record.meter.clone(),
                from: UnixMillis(from),
                to: UnixMillis(from.saturating_add(self.span)),
            },
            through: record.seq,
            record: record.clone(),
        }
    }
}

/// What was found of the powers of an interval.
#[derive(Debug)]
struct Tally {
    of: OfInterval,
    found: BTreeMap<Obis, Found>,
}

/// What was found of one power.
#[derive(Debug)]
struct Found {
    /// The sum, or the smallest, or the largest; `None` when it has too many digits.
    value: Option<Decimal>,
    count: NonZeroU64,
}

impl Tally {
    fn new(of: OfInterval) -> Self {
        Self {
            of,
            found: BTreeMap::new(),
        }
    }

    fn add(&mut self, record: &Record) {
        // One that cannot be read is set aside in its turn.
        let Ok(reading) = Reading::from_bytes(&record.body) else {
            return;
        };
        for register in reading.registers().filter(is_power) {
            let Some(number) = register.number() else {
                continue;
            };
            let of = self.of;
            self.found
                .entry(register.obis)
                .and_modify(|found| found.add(of, number))
                .or_insert(Found {
                    value: Some(number),
                    count: NonZeroU64::MIN,
                });
        }
    }

    fn numbers(self, decimals: u8) -> Numbers {
        let of = self.of;
        let numbers = self.found.into_iter();
        numbers
            .map(|(obis, found)| (obis, found.number(of, decimals)))
            .collect()
    }
}

impl Found {
    fn add(&mut self, of: OfInterval, number: Decimal) {
        self.count = self.count.saturating_add(1);
        self.value = self.value.and_then(|value| match of {
            OfInterval::Last => Some(number),
            OfInterval::Mean => value.checked_add(number),
            OfInterval::Min => Some(value.min(number)),
            OfInterval::Max => Some(value.max(number)),
        });
    }

    fn number(self, of: OfInterval, decimals: u8) -> Option<Decimal> {
        match of {
            OfInterval::Mean => self.value?.divided(self.count, decimals),
            OfInterval::Last | OfInterval::Min | OfInterval::Max => self.value,
        }
    }
}

/// An instantaneous power, of the sum or of a phase: D = 7, in W.
fn is_power(register: &Register<'_>) -> bool {
    register.unit == Some(Unit::WATT) && register.obis.quantity().1 == 7
}
