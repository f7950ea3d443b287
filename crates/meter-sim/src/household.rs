//! A household behind the meter: what it draws, and what its roof feeds in, second by second.
//!
//! Everything is in whole milliwatts and drawn from [`Dice`], so a seed gives the same day on every
//! machine. The power is constant within a virtual second.
//!
//! | part | where | how |
//! |---|---|---|
//! | base load | all phases | drifts between 25 and 120 W |
//! | fridge | L1 | 90 W for about 20 of 60 minutes, with a surge at each start |
//! | lights and small devices | all phases | follow the hour, with a morning and an evening peak |
//! | kettle, hob, oven, washing machine, dishwasher | their own phases | start by chance, by hour |
//! | photovoltaics | all phases, or L1 below 4.6 kW | a bell over the day times passing clouds |

use crate::dice::Dice;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// What one seeds a household with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HouseholdConfig {
    /// The same seed gives the same load.
    pub seed: u64,
    /// Peak power of the photovoltaic system in watts; 0 for none.
    pub pv_peak_w: u32,
}

/// What the meter measures in one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Active power of L1, L2 and L3 in milliwatts; negative when the household feeds in.
    pub power_mw: [i64; 3],
    /// Voltages in millivolts.
    pub voltage_mv: [i64; 3],
    /// Mains frequency in millihertz.
    pub frequency_mhz: i64,
}

impl Load {
    /// The sum over the phases in milliwatts.
    #[must_use]
    pub fn total_mw(&self) -> i64 {
        self.power_mw.iter().sum()
    }

    /// Current of a phase in milliamperes, at the power factor of [`Self::angle_millidegrees`].
    #[must_use]
    pub fn current_ma(&self, phase: usize) -> i64 {
        let power = self.power_mw.get(phase).copied().unwrap_or(0).abs();
        let voltage = self
            .voltage_mv
            .get(phase)
            .copied()
            .unwrap_or(230_000)
            .max(1);
        // A power factor of 0.95: I = P / (U cos phi).
        power * 100_000 / (voltage * 95)
    }

    /// Angle between current and voltage of a phase in thousandths of a degree: 18 degrees while
    /// it draws (cos phi = 0.95), 162 while it feeds in.
    #[must_use]
    pub fn angle_millidegrees(&self, phase: usize) -> i64 {
        if self.power_mw.get(phase).copied().unwrap_or(0) < 0 {
            162_000
        } else {
            18_000
        }
    }
}

/// One kind of device that is switched on now and then.
struct Appliance {
    /// Milliwatts per phase while it heats or turns.
    power_mw: [i64; 3],
    /// How long it stays on, in seconds.
    seconds: (i64, i64),
    /// Seconds of heating and of pause within a thermostat's cycle; no pause means always heating.
    cycle: (u64, u64),
    /// Starts per million seconds in each quarter of the day: night, morning, afternoon, evening.
    starts: [u64; 4],
}

const APPLIANCES: [Appliance; 5] = [
    // Kettle.
    Appliance {
        power_mw: [0, 2_050_000, 0],
        seconds: (70, 220),
        cycle: (1, 0),
        starts: [5, 110, 70, 90],
    },
    // Hob on two phases.
    Appliance {
        power_mw: [1_450_000, 1_150_000, 0],
        seconds: (480, 1800),
        cycle: (14, 9),
        starts: [0, 25, 35, 60],
    },
    // Oven.
    Appliance {
        power_mw: [0, 0, 2_300_000],
        seconds: (1500, 3600),
        cycle: (45, 75),
        starts: [0, 4, 9, 18],
    },
    // Washing machine: its heating first, as one long cycle.
    Appliance {
        power_mw: [0, 0, 1_980_000],
        seconds: (3600, 5400),
        cycle: (900, 4000),
        starts: [1, 12, 10, 4],
    },
    // Dishwasher.
    Appliance {
        power_mw: [1_850_000, 0, 0],
        seconds: (4500, 7200),
        cycle: (700, 2600),
        starts: [2, 4, 8, 16],
    },
];

/// Watts of lights and small devices at each hour, for the whole household.
const BY_HOUR: [i64; 24] = [
    60, 40, 30, 30, 30, 60, 220, 380, 300, 200, 180, 200, 280, 240, 190, 180, 210, 320, 470, 560,
    540, 430, 260, 130,
];

/// When photovoltaics begin and end, in seconds of the day (a spring day: 06:30 to 19:30).
const SUN: (u64, u64) = (23_400, 70_200);

/// A household as it lives on: each call of [`Household::second`] is one virtual second.
#[derive(Debug, Clone)]
pub struct Household {
    dice: Dice,
    pv_peak_mw: i64,
    base_mw: [i64; 3],
    /// Seconds that each appliance stays on, and how long it has been on.
    running: [(u64, u64); APPLIANCES.len()],
    fridge: Fridge,
    /// Share of the sunlight that comes through, in thousandths, and where it drifts to.
    clouds: (i64, i64),
    voltage_mv: [i64; 3],
    frequency_mhz: i64,
}

#[derive(Debug, Clone, Copy)]
struct Fridge {
    cooling: bool,
    seconds_left: u64,
    surge: u64,
}

impl Household {
    /// A household at rest; the first second already belongs to the day it is asked for.
    #[must_use]
    pub fn new(config: HouseholdConfig) -> Self {
        let mut dice = Dice::new(config.seed, 1);
        let fridge = Fridge {
            cooling: false,
            seconds_left: dice.below(2400),
            surge: 0,
        };
        Self {
            pv_peak_mw: i64::from(config.pv_peak_w) * 1000,
            base_mw: std::array::from_fn(|_| dice.between(30_000, 90_000)),
            running: [(0, 0); APPLIANCES.len()],
            fridge,
            clouds: (900, 900),
            voltage_mv: std::array::from_fn(|_| dice.between(228_000, 234_000)),
            frequency_mhz: 50_000,
            dice,
        }
    }

    /// Lives through one second and says what the meter measured in it. `second` counts from some
    /// midnight; it should go on by one from call to call.
    pub fn second(&mut self, second: u64) -> Load {
        let of_day = second % DAY;
        let mut power_mw = self.base();
        for (phase, load) in power_mw.iter_mut().zip(self.small_devices(of_day)) {
            *phase += load;
        }
        power_mw[0] += self.fridge();
        for (phase, load) in power_mw.iter_mut().zip(self.appliances(of_day)) {
            *phase += load;
        }
        for (phase, sun) in power_mw.iter_mut().zip(self.photovoltaics(of_day)) {
            *phase -= sun;
        }
        Load {
            power_mw,
            voltage_mv: self.voltages(&power_mw),
            frequency_mhz: self.frequency(),
        }
    }

    fn base(&mut self) -> [i64; 3] {
        for watts in &mut self.base_mw {
            *watts = (*watts + self.dice.between(-400, 400)).clamp(25_000, 120_000);
        }
        self.base_mw
    }

    fn small_devices(&mut self, of_day: u64) -> [i64; 3] {
        let hour = usize::try_from(of_day / 3600).unwrap_or(0) % 24;
        let within = i64::try_from(of_day % 3600).unwrap_or(0);
        let now = BY_HOUR[hour];
        let next = BY_HOUR[(hour + 1) % 24];
        let total_mw = (now * (3600 - within) + next * within) * 1000 / 3600;
        [5, 3, 2].map(|tenths| {
            let share = total_mw * tenths / 10;
            share + self.dice.between(-share / 20, share / 20)
        })
    }

    fn fridge(&mut self) -> i64 {
        let fridge = &mut self.fridge;
        if fridge.seconds_left == 0 {
            fridge.cooling = !fridge.cooling;
            let (low, high) = if fridge.cooling {
                (1000, 1500)
            } else {
                (2000, 2800)
            };
            fridge.seconds_left = self.dice.between(low, high).unsigned_abs();
            fridge.surge = if fridge.cooling { 2 } else { 0 };
        }
        fridge.seconds_left -= 1;
        if !fridge.cooling {
            return 0;
        }
        if fridge.surge > 0 {
            fridge.surge -= 1;
            return 720_000;
        }
        90_000 + self.dice.between(-2_500, 2_500)
    }

    fn appliances(&mut self, of_day: u64) -> [i64; 3] {
        let quarter = usize::try_from(of_day / (DAY / 4)).unwrap_or(0).min(3);
        let mut sum = [0; 3];
        for (appliance, (left, on)) in APPLIANCES.iter().zip(&mut self.running) {
            let started = self.dice.in_a_million(appliance.starts[quarter]);
            if *left == 0 && started {
                *left = self
                    .dice
                    .between(appliance.seconds.0, appliance.seconds.1)
                    .unsigned_abs();
                *on = 0;
            }
            if *left == 0 {
                continue;
            }
            let (heat, pause) = appliance.cycle;
            let heats = *on % (heat + pause) < heat;
            *left -= 1;
            *on += 1;
            for (phase, mw) in sum.iter_mut().zip(appliance.power_mw) {
                // Mains and elements vary by half a percent.
                *phase += if heats {
                    mw + self.dice.between(-mw / 200, mw / 200)
                } else {
                    mw / 40
                };
            }
        }
        sum
    }

    fn photovoltaics(&mut self, of_day: u64) -> [i64; 3] {
        // Clouds pass at night too, so that the load of a seed does not depend on the system.
        let (light, target) = &mut self.clouds;
        if self.dice.in_a_million(4_000) {
            *target = self.dice.between(120, 1000);
        }
        *light += (*target - *light).signum() * self.dice.between(0, 25);
        *light = (*light).clamp(100, 1000);
        if self.pv_peak_mw == 0 || of_day <= SUN.0 || of_day >= SUN.1 {
            return [0; 3];
        }
        // The product of the distances to both ends is a parabola; its square is a good bell.
        let length = i64::try_from(SUN.1 - SUN.0).unwrap_or(1);
        let from_rise = i64::try_from(of_day - SUN.0).unwrap_or(0);
        let parabola = 4 * from_rise * (length - from_rise) / (length * length / 1000);
        let bell = parabola * parabola / 1000;
        let total = self.pv_peak_mw * bell / 1000 * *light / 1000;
        if self.pv_peak_mw < 4_600_000 {
            return [total, 0, 0];
        }
        let share = total / 3;
        [total - 2 * share, share, share]
    }

    fn voltages(&mut self, power_mw: &[i64; 3]) -> [i64; 3] {
        for voltage in &mut self.voltage_mv {
            *voltage = (*voltage + self.dice.between(-60, 60)).clamp(226_000, 236_000);
        }
        let mut at_the_meter = self.voltage_mv;
        for (voltage, power) in at_the_meter.iter_mut().zip(power_mw) {
            // A house connection of about 0.2 ohm: one volt for each 1150 W.
            *voltage -= power / 1150;
        }
        at_the_meter
    }

    fn frequency(&mut self) -> i64 {
        let next = self.frequency_mhz + self.dice.between(-3, 3);
        self.frequency_mhz = next.clamp(49_950, 50_050);
        self.frequency_mhz
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, Household, HouseholdConfig, Load};

    fn day(seed: u64, pv_peak_w: u32) -> Vec<Load> {
        let mut household = Household::new(HouseholdConfig { seed, pv_peak_w });
        (0..DAY).map(|second| household.second(second)).collect()
    }

    fn wh(load: &[Load]) -> i64 {
        load.iter().map(Load::total_mw).sum::<i64>() / 3_600_000
    }

    #[test]
    fn a_seed_gives_the_same_day_and_another_seed_another() {
        assert_eq!(day(1, 8000), day(1, 8000));
        assert_ne!(day(1, 8000), day(2, 8000));
    }

    #[test]
    fn a_day_looks_like_a_household() {
        for seed in 0..5 {
            let load = day(seed, 0);
            let total = wh(&load);
            assert!(
                (5_000..30_000).contains(&total),
                "seed {seed}: {total} Wh a day"
            );
            assert!(load.iter().all(|l| l.power_mw.iter().all(|mw| *mw > 0)));
            let night = wh(&load[2 * 3600..4 * 3600]);
            let evening = wh(&load[18 * 3600..20 * 3600]);
            assert!(evening > night, "seed {seed}: {evening} Wh and {night} Wh");
            assert!(
                load.iter().any(|l| l.power_mw[1] > 1_900_000),
                "seed {seed}: no kettle"
            );
        }
    }

    #[test]
    fn the_sun_feeds_in_by_day_only_and_changes_nothing_else() {
        let without = day(3, 0);
        let with = day(3, 9000);
        let noon = 12 * 3600..14 * 3600;
        assert!(with[noon].iter().any(|l| l.total_mw() < -2_000_000));
        assert_eq!(with[..20_000], without[..20_000]);
        let generated = wh(&without) - wh(&with);
        assert!((10_000..80_000).contains(&generated), "{generated} Wh");
    }
}
