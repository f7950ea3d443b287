//! A simulated meter: a model in front of a household, in virtual time.

use std::sync::Arc;

use crate::dice::Dice;
use crate::encode::{Measured, encode};
use crate::energy::{Counter, Tariff};
use crate::household::{Household, HouseholdConfig, Load};
use crate::model::Model;
use crate::telegram::Telegram;

/// 2026-06-01 08:00 UTC: a morning on which a household is busy and the sun shines.
const DEFAULT_START: u64 = 1_780_300_800;

/// How a simulated meter is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterConfig {
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// Whether the PIN has been entered. Models without a lock show everything either way.
    pub pin_entered: bool,
    /// Virtual time of the first telegram, in seconds since 1970. The household lives by UTC.
    pub start: u64,
    /// Virtual milliseconds from telegram to telegram; the model's interval if none.
    pub step_ms: Option<u64>,
    /// Energy drawn before the first telegram, in watt-hours; by the seed if none.
    pub import_wh: Option<u64>,
    /// Energy fed in before the first telegram, in watt-hours; by the seed if none, 0 without
    /// photovoltaics.
    pub export_wh: Option<u64>,
    /// Peak power of the photovoltaic system in watts; 0 for none.
    pub pv_peak_w: u32,
    /// The serial number, which replaces the last four bytes of the model's server id, so that there
    /// can be many meters of one model.
    pub serial: Option<u32>,
}

impl Default for MeterConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            pin_entered: true,
            start: DEFAULT_START,
            step_ms: None,
            import_wh: None,
            export_wh: None,
            pv_peak_w: 0,
            serial: None,
        }
    }
}

/// A meter that goes on for ever: an iterator over its telegrams.
///
/// ```
/// use meter_sim::{Meter, MeterConfig, model};
///
/// let mut meter = Meter::new(model::find("emh-mme40")?, &MeterConfig::default());
/// let telegram = meter.telegram();
/// assert_eq!(telegram.bytes.len(), 328);
/// # Ok::<(), meter_sim::ModelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Meter {
    model: Arc<Model>,
    pin_entered: bool,
    server_id: Vec<u8>,
    public_key: [u8; 48],
    household: Household,
    load: Load,
    import: Counter,
    export: Counter,
    start_ms: u64,
    now_ms: u64,
    step_ms: u64,
    sent: u64,
}

impl Meter {
    /// A meter of this model.
    #[must_use]
    pub fn new(model: Arc<Model>, config: &MeterConfig) -> Self {
        let mut dice = Dice::new(config.seed, 2);
        let mut public_key = [0; 48];
        for octets in public_key.chunks_exact_mut(8) {
            octets.copy_from_slice(&dice.bits().to_be_bytes());
        }
        let counter = |start_wh: u64| {
            // A little more than two thirds of the energy goes through the high tariff.
            let high = start_wh / 10 * 7;
            Counter::new(model.energy_scaler(), [high, start_wh - high])
        };
        let import_wh = 1_000_000 + dice.below(29_000_000);
        let export_wh = 500_000 + dice.below(9_500_000);
        let export_wh = if config.pv_peak_w == 0 { 0 } else { export_wh };
        let mut household = Household::new(HouseholdConfig {
            seed: config.seed,
            pv_peak_w: config.pv_peak_w,
        });
        let start_ms = config.start.saturating_mul(1000);
        Self {
            server_id: server_id(&model, config.serial),
            public_key,
            load: household.second(config.start),
            household,
            import: counter(config.import_wh.unwrap_or(import_wh)),
            export: counter(config.export_wh.unwrap_or(export_wh)),
            start_ms,
            now_ms: start_ms,
            step_ms: config.step_ms.unwrap_or(model.interval_ms),
            sent: 0,
            pin_entered: config.pin_entered || !model.pin_lock,
            model,
        }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The server id with the configured serial number.
    #[must_use]
    pub fn server_id(&self) -> &[u8] {
        &self.server_id
    }

    /// Virtual time of the next telegram in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// What the meter measures for the next telegram.
    #[must_use]
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// The next telegram; then virtual time goes on by one step.
    pub fn telegram(&mut self) -> Telegram {
        let measured = Measured {
            load: &self.load,
            import: &self.import,
            export: &self.export,
            server_id: &self.server_id,
            public_key: &self.public_key,
            seconds_index: self.model.seconds_start + (self.now_ms - self.start_ms) / 1000,
            pin_entered: self.pin_entered,
            number: self.sent,
        };
        let telegram = encode(&self.model, &measured);
        self.sent += 1;
        self.advance(self.step_ms);
        telegram
    }

    /// Lets virtual time pass and counts the energy that flows in it.
    fn advance(&mut self, mut milliseconds: u64) {
        while milliseconds > 0 {
            let left_of_second = 1000 - self.now_ms % 1000;
            let part = left_of_second.min(milliseconds);
            let tariff = tariff_at(self.now_ms / 1000);
            let total = self.load.total_mw();
            let counter = if total < 0 {
                &mut self.export
            } else {
                &mut self.import
            };
            counter.add(total.unsigned_abs(), part, tariff);
            milliseconds -= part;
            self.now_ms += part;
            if part == left_of_second {
                self.load = self.household.second(self.now_ms / 1000);
            }
        }
    }
}

impl Iterator for Meter {
    type Item = Telegram;

    fn next(&mut self) -> Option<Telegram> {
        Some(self.telegram())
    }
}

/// The high tariff is in force from 6 to 22 o'clock.
fn tariff_at(second: u64) -> Tariff {
    if (6..22).contains(&(second / 3600 % 24)) {
        Tariff::High
    } else {
        Tariff::Low
    }
}

fn server_id(model: &Model, serial: Option<u32>) -> Vec<u8> {
    let mut id = model.server_id.0.clone();
    if let Some((serial, last)) = serial.zip(id.last_chunk_mut::<4>()) {
        *last = serial.to_be_bytes();
    }
    id
}
