//! The meter that an emulation shows.
//!
//! vzlogger can show many meters. A Tasmota head, an `EcoTracker` and a Shelly are one meter each, and have to know
//! which.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use meter_core::names::Conductor;
use meter_core::{Decimal, Obis, Reading, ServerId, Unit, UnixMillis};

use super::problem::Problem;
use super::site::{Glance, Site};
use crate::input::MeterName;
use crate::run::MeterView;

/// Why there is nothing to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unavailable {
    /// Wait.
    #[error("no meter was read yet")]
    NoMeter,
    /// Look at the name.
    #[error("meter {wanted}, which [http] names, was never read; these were: {known}")]
    Unknown {
        /// The name in the configuration.
        wanted: String,
        /// The meters there are.
        known: String,
    },
    /// Choose one.
    #[error(
        "several meters are read, and [http] does not say which one to show: write meter = \"…\" there with one of {0}"
    )]
    Several(String),
    /// Look at the input.
    #[error("the newest reading of the meter is {} s old, which is too old", .0.as_secs())]
    Old(Duration),
    /// The clock cannot say how old the newest reading is.
    #[error("the newest reading of the meter is from before the program was started")]
    Left,
    /// Look at the meter: its PIN, say.
    #[error("the meter sends no power; many do so only after their PIN was entered")]
    NoPower,
}

impl From<Unavailable> for Problem {
    fn from(why: Unavailable) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string())
    }
}

/// Finds the meter to show.
#[derive(Clone)]
pub(super) struct Chooser {
    site: Site,
    meter: Option<MeterName>,
    /// Whether it was said that nobody has chosen.
    told: Arc<AtomicBool>,
}

impl Chooser {
    pub(super) fn new(site: Site, meter: Option<MeterName>) -> Self {
        Self {
            site,
            meter,
            told: Arc::default(),
        }
    }

    pub(super) fn glance(&self) -> Glance {
        self.site.glance()
    }

    /// The meter, whatever the age of its newest reading.
    pub(super) fn meter<'g>(
        &self,
        glance: &'g Glance,
    ) -> Result<(&'g [u8], &'g MeterView), Unavailable> {
        let meters = || glance.snapshot.meters.iter();
        if let Some(wanted) = &self.meter {
            let found = meters().find(|(id, _)| wanted.is(id));
            let unknown = || Unavailable::Unknown {
                wanted: wanted.to_string(),
                known: names(meters().map(|(id, _)| &**id)),
            };
            return found.map(|(id, view)| (&**id, view)).ok_or_else(unknown);
        }
        // A meter that was replaced is still known from an earlier run.
        let read: Vec<_> = meters().filter(|(_, view)| view.input.is_some()).collect();
        let candidates = if read.is_empty() {
            meters().collect()
        } else {
            read
        };
        match candidates[..] {
            [] => Err(Unavailable::NoMeter),
            [(id, view)] => Ok((id, view)),
            _ => {
                let several = Unavailable::Several(names(candidates.iter().map(|(id, _)| &***id)));
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::warn!("http: {several}");
                }
                Err(several)
            }
        }
    }

    /// What it shows now.
    pub(super) fn shown<'g>(&self, glance: &'g Glance) -> Result<Shown<'g>, Unavailable> {
        let (_, view) = self.meter(glance)?;
        let age = glance.age(view).ok_or(Unavailable::Left)?;
        let reading = Reading::from_bytes(&view.body).ok();
        let reading = reading.filter(|_| glance.is_fresh(view));
        Ok(Shown {
            age,
            time: view.time,
            reading: reading.ok_or(Unavailable::Old(age))?,
        })
    }
}

/// As people write them, in quotes.
fn names<'a>(ids: impl Iterator<Item = &'a [u8]>) -> String {
    let names = ids.map(|id| format!("\"{}\"", ServerId(id).meter_id()));
    names.collect::<Vec<_>>().join(", ")
}

/// The conductors, in their order.
pub(super) const CONDUCTORS: [Conductor; 3] = [Conductor::L1, Conductor::L2, Conductor::L3];

/// A fresh reading.
pub(super) struct Shown<'g> {
    pub(super) age: Duration,
    pub(super) time: UnixMillis,
    reading: Reading<'g>,
}

impl Shown<'_> {
    /// Power in W, negative when fed in.
    pub(super) fn power(&self) -> Result<Decimal, Unavailable> {
        self.reading.power().ok_or(Unavailable::NoPower)
    }

    /// Power of each conductor in W, if the meter sends it.
    pub(super) fn powers(&self) -> [Option<Decimal>; 3] {
        CONDUCTORS.map(|conductor| self.reading.power_of(conductor))
    }

    /// Energy drawn in Wh, of a tariff or of all (0).
    pub(super) fn import(&self, tariff: u8) -> Option<Decimal> {
        self.number((1, 8, tariff), Unit::WATT_HOUR)
    }

    /// Energy fed in in Wh, of all tariffs.
    pub(super) fn export(&self) -> Option<Decimal> {
        self.number((2, 8, 0), Unit::WATT_HOUR)
    }

    /// Voltage of each conductor.
    pub(super) fn voltages(&self) -> [Option<Decimal>; 3] {
        [32, 52, 72].map(|c| self.number((c, 7, 0), Unit::VOLT))
    }

    /// Current of each conductor.
    pub(super) fn currents(&self) -> [Option<Decimal>; 3] {
        [31, 51, 71].map(|c| self.number((c, 7, 0), Unit::AMPERE))
    }

    /// Mains frequency in Hz.
    pub(super) fn frequency(&self) -> Option<Decimal> {
        self.number((14, 7, 0), Unit::HERTZ)
    }

    /// The running value of an electricity register, whatever its channel.
    fn number(&self, quantity: (u8, u8, u8), unit: Unit) -> Option<Decimal> {
        let fits = |obis: Obis| matches!(obis.0, [1, .., 255]) && obis.quantity() == quantity;
        let mut registers = self.reading.registers();
        let register = registers.find(|register| fits(register.obis))?;
        register.number().filter(|_| register.unit == Some(unit))
    }
}
