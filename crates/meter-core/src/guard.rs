//! Which readings are plausible: a counter of energy never falls and never rises faster than the
//! fuses allow.
//!
//! Two checksums guard a telegram, but not against a meter or an adapter that sends nonsense, and a
//! single spike ruins a year's statistics. So each counter of a meter is compared with the last one
//! that was accepted:
//!
//! ```text
//! before ≤ now ≤ before + max power × (elapsed + 2 s) + steps of the resolution
//! ```
//!
//! The elapsed time is that of the host, or the meter's own seconds where they are more: after a
//! stalled connection, and in a replay, many readings arrive at once. A reading that fails in one
//! counter is refused as a whole and changes nothing. When readings keep failing and agree among
//! themselves, the meter was perhaps replaced or reset; that is only reported, and
//! [`Guard::accept`] is for a person who knows.

use core::cmp::Ordering;
use core::fmt;
use core::time::Duration;

use crate::Obis;
use crate::decimal::Decimal;
use crate::reading::{Reading, Register};
use crate::time::millis;

/// How many counters of a meter are watched. Those beyond are not: a meter with four tariffs in each
/// direction has ten.
pub const COUNTERS: usize = 24;

/// Longest server id that is told apart in full; DIN 43863-5 has ten octets.
const ID_OCTETS: usize = 32;

/// Added to the elapsed time, since readings do not arrive as evenly as they are taken.
const JITTER: Duration = Duration::from_secs(2);

/// What is plausible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardConfig {
    /// The highest power in W that can flow, in either direction.
    pub max_power: u32,
    /// By how many steps of its resolution a counter may be ahead: meters that count in kWh, or that
    /// begin to show more digits, rise by a whole step at once.
    pub steps: u8,
    /// How many readings that agree among themselves must be refused in a row before the meter
    /// counts as perhaps replaced …
    pub suspect_after: u32,
    /// … and for how long.
    pub suspect_for: Duration,
}

/// Three fuses of 63 A at 230 V, which is what houses have at the most; ten readings over five
/// minutes.
impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            max_power: 3 * 63 * 230,
            steps: 2,
            suspect_after: 10,
            suspect_for: Duration::from_mins(5),
        }
    }
}

/// Why a reading is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Implausible {
    /// The first counter that fails.
    pub obis: Obis,
    /// Its last accepted value, in Wh.
    pub before: Decimal,
    /// The value that is refused, in Wh.
    pub now: Decimal,
    /// What is wrong with it.
    pub reason: Reason,
    /// Time since the accepted value, as far as it was taken into account.
    pub elapsed: Duration,
    /// Whether readings have been refused for so long, and agree so well, that the meter was perhaps
    /// replaced or reset.
    pub perhaps_replaced: bool,
}

/// What is wrong with a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It fell.
    Fell,
    /// It rose faster than the fuses allow.
    Rose {
        /// The highest value that would have been accepted, in Wh.
        limit: Decimal,
    },
}

impl Reason {
    /// The name used in payloads and statistics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fell => "fell",
            Self::Rose { .. } => "rose_too_fast",
        }
    }
}

impl fmt::Display for Implausible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            obis,
            before,
            now,
            elapsed,
            ..
        } = self;
        let seconds = elapsed.as_secs();
        match self.reason {
            Reason::Fell => write!(f, "{obis} fell from {before} Wh to {now} Wh"),
            Reason::Rose { limit } => write!(
                f,
                "{obis} rose from {before} Wh to {now} Wh within {seconds} s, and {limit} Wh is the most that the fuses allow"
            ),
        }?;
        if self.perhaps_replaced {
            f.write_str("; perhaps the meter was replaced or reset")?;
        }
        Ok(())
    }
}

impl core::error::Error for Implausible {}

/// Watches the counters of one meter. See the [module](self).
#[derive(Clone, Debug)]
pub struct Guard {
    config: GuardConfig,
    meter: Meter,
    accepted: Counters,
    rival: Option<Rival>,
}

/// What the refused readings say, as long as they agree.
#[derive(Clone, Debug)]
struct Rival {
    counters: Counters,
    since: i64,
    readings: u32,
}

impl Guard {
    /// Accepts the first reading, whatever it says.
    #[must_use]
    pub fn new(config: GuardConfig) -> Self {
        Self {
            config,
            meter: Meter::default(),
            accepted: Counters::default(),
            rival: None,
        }
    }

    /// Starts from a reading that was accepted `age` before `now`, such as the newest one stored.
    pub fn seed(&mut self, reading: &Reading<'_>, now: Duration, age: Duration) {
        self.meter = Meter::of(reading);
        self.rival = None;
        self.accepted = Counters::default();
        self.accepted
            .update(reading, millis(now).saturating_sub(millis(age)));
    }

    /// Checks a reading, and remembers it if it is plausible.
    ///
    /// `now` is monotonic and goes on in suspend. Use one guard for each meter: a reading of another
    /// meter is never compared, and the guard starts anew with it.
    pub fn check(&mut self, reading: &Reading<'_>, now: Duration) -> Result<(), Implausible> {
        let now = millis(now);
        let meter = Meter::of(reading);
        if self.meter != meter {
            self.meter = meter;
            self.accepted = Counters::default();
            self.rival = None;
        }
        match self.accepted.compare(reading, now, &self.config) {
            Ok(()) => {
                self.accepted.update(reading, now);
                self.rival = None;
                Ok(())
            }
            Err(implausible) => Err(Implausible {
                perhaps_replaced: self.refuse(reading, now),
                ..implausible
            }),
        }
    }

    /// Accepts what the refused readings say, if any are: the meter was replaced or reset. Returns
    /// whether there was something to accept.
    pub fn accept(&mut self) -> bool {
        match self.rival.take() {
            Some(rival) => {
                self.accepted = rival.counters;
                true
            }
            None => false,
        }
    }

    /// How many readings in a row were refused and agree among themselves.
    #[must_use]
    pub fn refused(&self) -> u32 {
        self.rival.as_ref().map_or(0, |rival| rival.readings)
    }

    /// Notes a refused reading and says whether the meter was perhaps replaced.
    fn refuse(&mut self, reading: &Reading<'_>, now: i64) -> bool {
        let config = &self.config;
        let rival = self
            .rival
            .take()
            .filter(|rival| rival.counters.compare(reading, now, config).is_ok());
        let mut rival = rival.unwrap_or_else(|| Rival {
            counters: Counters::default(),
            since: now,
            readings: 0,
        });
        rival.counters.update(reading, now);
        rival.readings = rival.readings.saturating_add(1);
        let replaced = rival.readings >= config.suspect_after
            && now.saturating_sub(rival.since) >= millis(config.suspect_for);
        self.rival = Some(rival);
        replaced
    }
}

/// The server id of a meter, as far as it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Meter {
    octets: [u8; ID_OCTETS],
    length: usize,
}

impl Meter {
    fn of(reading: &Reading<'_>) -> Self {
        let id = reading.server_id().as_bytes();
        let mut octets = [0; ID_OCTETS];
        for (octet, of_id) in octets.iter_mut().zip(id) {
            *octet = *of_id;
        }
        Self {
            octets,
            length: id.len(),
        }
    }
}

/// The last values of a meter's counters.
#[derive(Clone, Debug, Default)]
struct Counters([Option<Counter>; COUNTERS]);

/// One counter: its value, and when it was that on the host's clock and on the meter's.
#[derive(Clone, Copy, Debug)]
struct Counter {
    obis: Obis,
    value: Decimal,
    at: i64,
    index: Option<u64>,
}

impl Counter {
    fn of(register: &Register<'_>, at: i64, index: Option<u64>) -> Option<Self> {
        let value = register.number().filter(|_| register.is_counter())?;
        Some(Self {
            obis: register.obis,
            value,
            at,
            index,
        })
    }

    /// Time from this to a later value.
    fn elapsed(&self, later: &Self) -> Duration {
        let host = u64::try_from(later.at.saturating_sub(self.at)).unwrap_or(0);
        let meter = match (self.index, later.index) {
            (Some(before), Some(now)) => now.saturating_sub(before).saturating_mul(1000),
            _ => 0,
        };
        Duration::from_millis(host.max(meter))
    }

    fn compare(&self, later: &Self, config: &GuardConfig) -> Result<(), Implausible> {
        let elapsed = self.elapsed(later);
        let refuse = |reason| Implausible {
            obis: later.obis,
            before: self.value,
            now: later.value,
            reason,
            elapsed,
            perhaps_replaced: false,
        };
        let scaler = self.value.scaler().max(later.value.scaler());
        match later.value.cmp(&self.value) {
            Ordering::Equal => Ok(()),
            Ordering::Less => {
                // A meter that shows fewer digits from now on cuts the others off. At the same
                // resolution no fall is less than a step.
                let cut = self
                    .value
                    .checked_sub(later.value)
                    .is_some_and(|fall| fall < Decimal::new(1, scaler));
                if cut {
                    Ok(())
                } else {
                    Err(refuse(Reason::Fell))
                }
            }
            Ordering::Greater => {
                let limit = energy(config.max_power, elapsed)
                    .checked_add(Decimal::new(config.steps.into(), scaler))
                    .and_then(|rise| rise.checked_add(self.value))
                    // Only values that no meter can have do not add up.
                    .unwrap_or(self.value);
                if later.value <= limit {
                    Ok(())
                } else {
                    Err(refuse(Reason::Rose { limit }))
                }
            }
        }
    }
}

impl Counters {
    fn compare(
        &self,
        reading: &Reading<'_>,
        now: i64,
        config: &GuardConfig,
    ) -> Result<(), Implausible> {
        let index = reading.seconds_index();
        reading
            .registers()
            .filter_map(|register| Counter::of(&register, now, index))
            .try_for_each(|later| {
                let before = self
                    .0
                    .iter()
                    .flatten()
                    .find(|before| before.obis == later.obis);
                before.map_or(Ok(()), |before| before.compare(&later, config))
            })
    }

    fn update(&mut self, reading: &Reading<'_>, now: i64) {
        let index = reading.seconds_index();
        for register in reading.registers() {
            let Some(counter) = Counter::of(&register, now, index) else {
                continue;
            };
            let slot = self
                .0
                .iter_mut()
                .find(|slot| slot.is_none_or(|known| known.obis == counter.obis));
            if let Some(slot) = slot {
                *slot = Some(counter);
            }
        }
    }
}

/// The most energy in Wh, to the mWh, that can flow in a time.
fn energy(max_power: u32, elapsed: Duration) -> Decimal {
    let millis = elapsed.saturating_add(JITTER).as_millis();
    let milliwatt_hours = u128::from(max_power).saturating_mul(millis) / 3600;
    Decimal::new(u64::try_from(milliwatt_hours).unwrap_or(u64::MAX), -3)
}
