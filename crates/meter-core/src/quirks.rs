//! What meters send and do not mean. The rules apply themselves and say so.
//!
//! A reading stays as the meter sent it; a rule is applied when a register is looked at, and the
//! register names the rule and keeps the raw entry beside the corrected value.

use sml_wire::Integer;

use crate::decimal::Decimal;
use crate::meter_id::{Maker, ServerId};
use crate::names::{Conductor, Sense, power_register};
use crate::reading::Reading;
use crate::status::{Direction, StatusWord};
use crate::{Obis, Unit};

/// A rule by which the value of a register was corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// DZG DVS74 and WS74 send power that is drawn as an unsigned number with the type of a signed
    /// one: `53 8b 28` is +356.24 W and not -299.12 W.
    ///
    /// Applied to 16.7.0, 36.7.0, 56.7.0 and 76.7.0 of a DZG meter that are negative, have one to
    /// three bytes, and stand beside an mME status word that says "drawn". Newer DZG meters send
    /// true negative numbers, and then the word says "fed in".
    DzgUnsignedPower,
    /// 15.7.0 of EMH and others is never negative; the status word says whether it is fed in.
    DirectionSign,
}

impl Rule {
    /// The name used in payloads. It never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DzgUnsignedPower => "dzg_unsigned_power",
            Self::DirectionSign => "direction_sign",
        }
    }
}

impl core::fmt::Display for Rule {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the rules need to know about the whole list.
///
/// A list without a status word leaves every value as it is: a wrong correction would be worse than
/// a value that is plainly strange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) status: Option<StatusWord>,
    dzg: bool,
}

impl Circumstances {
    pub(crate) fn new(server_id: ServerId<'_>, status: Option<StatusWord>) -> Self {
        Self {
            status,
            dzg: server_id.meter_id().maker() == Some(Maker::DZG),
        }
    }

    /// What an integer of a register means, and by which rule if it is not what it says.
    pub(crate) fn correct(
        &self,
        obis: Obis,
        integer: Integer,
        scaler: i8,
    ) -> (Decimal, Option<Rule>) {
        let plain = Decimal::from_parts(integer.is_negative(), integer.magnitude(), scaler);
        match (power_register(obis), self.status) {
            (Some((_, Sense::Signed)), Some(status))
                if self.dzg
                    && integer.is_negative()
                    && integer.width() <= 3
                    && status.is_mme()
                    && status.direction() == Direction::Import =>
            {
                let unsigned = integer.reinterpret_unsigned();
                let number = Decimal::new(unsigned.magnitude(), scaler);
                (number, Some(Rule::DzgUnsignedPower))
            }
            (Some((Conductor::Sum, Sense::Absolute)), Some(status))
                if status.direction() == Direction::Export
                    && !plain.is_negative()
                    && !plain.is_zero() =>
            {
                (-plain, Some(Rule::DirectionSign))
            }
            _ => (plain, None),
        }
    }
}

/// Whether a reading looks like one of a meter whose PIN was not entered: it has counters, each of
/// them a whole number of kWh, and no power.
///
/// One reading can look so by chance, where a meter without a power register has a round number on
/// its counters. [`ReducedDetector`] is sure.
pub(crate) fn is_reduced(reading: &Reading<'_>) -> bool {
    let mut counters = false;
    for register in reading.registers() {
        if power_register(register.obis).is_some() {
            return false;
        }
        let (Some(number), Some(Unit::WATT_HOUR)) = (register.number(), register.unit) else {
            continue;
        };
        if !number.is_multiple_of(1000) {
            return false;
        }
        // Nought is a multiple of everything, unless the meter says that it counts in kWh.
        counters |= !number.is_zero() || number.scaler() >= 3;
    }
    counters
}

/// Tells over several readings whether a meter sends its reduced set of values, as "moderne
/// Messeinrichtungen" do until their PIN is entered.
#[derive(Clone, Copy, Debug)]
pub struct ReducedDetector {
    needed: u32,
    seen: u32,
}

impl ReducedDetector {
    /// A detector that is sure after so many reduced readings in a row.
    #[must_use]
    pub const fn new(needed: u32) -> Self {
        Self { needed, seen: 0 }
    }

    /// Takes in a reading and says whether the verdict changed. One full reading clears it.
    pub fn observe(&mut self, reading: &Reading<'_>) -> bool {
        let before = self.is_reduced();
        self.seen = if reading.reduced() {
            self.seen.saturating_add(1)
        } else {
            0
        };
        before != self.is_reduced()
    }

    /// Whether the meter sends its reduced set: probably its PIN has not been entered.
    #[must_use]
    pub const fn is_reduced(&self) -> bool {
        self.seen > 0 && self.seen >= self.needed
    }
}

/// Ten readings, which is ten seconds for most meters.
impl Default for ReducedDetector {
    fn default() -> Self {
        Self::new(10)
    }
}
