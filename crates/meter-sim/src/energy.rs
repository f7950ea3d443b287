//! Energy, counted exactly: power times time in whole numbers, never a float, never a rounding.

/// The smallest steps in which a counter counts: milliwatts times milliseconds (microjoules).
pub const MICROJOULES_PER_WH: u64 = 3_600_000_000;

/// An energy counter with tariffs, as meters have them.
///
/// It counts whole units of the meter's own resolution and keeps what is left over for the next
/// unit. Each unit goes to the tariff that is in force when it becomes full, so the tariffs add up
/// to the total at every moment, to the last digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Microjoules in one unit.
    unit: u64,
    /// Whole units in each tariff: 1 (high) and 2 (low).
    tariffs: [u64; 2],
    /// Microjoules on the way to the next unit; less than one unit.
    rest: u64,
}

/// Which of the two tariffs is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tariff {
    /// Tariff 1, "HT": register x.8.1.
    High,
    /// Tariff 2, "NT": register x.8.2.
    Low,
}

impl Counter {
    /// A counter in units of 10^`scaler` Wh that starts with these whole watt-hours in its tariffs.
    ///
    /// The scaler may be from -5 (36 mJ, the finest seen in a meter) to 3; others are taken as the
    /// nearest of these.
    #[must_use]
    pub fn new(scaler: i8, start_wh: [u64; 2]) -> Self {
        let scaler = scaler.clamp(-5, 3);
        let power_of_ten = 10_u64.pow(u32::from(scaler.unsigned_abs()));
        let unit = if scaler < 0 {
            MICROJOULES_PER_WH / power_of_ten
        } else {
            MICROJOULES_PER_WH * power_of_ten
        };
        let tariffs = start_wh.map(|wh| {
            let units = u128::from(wh) * u128::from(MICROJOULES_PER_WH) / u128::from(unit);
            u64::try_from(units).unwrap_or(u64::MAX)
        });
        Self {
            unit,
            tariffs,
            rest: 0,
        }
    }

    /// Counts `milliwatts` that flow for `milliseconds`.
    pub fn add(&mut self, milliwatts: u64, milliseconds: u64, tariff: Tariff) {
        let sum = u128::from(milliwatts) * u128::from(milliseconds) + u128::from(self.rest);
        let unit = u128::from(self.unit);
        let units = u64::try_from(sum / unit).unwrap_or(u64::MAX);
        self.rest = u64::try_from(sum % unit).unwrap_or_default();
        let register = match tariff {
            Tariff::High => &mut self.tariffs[0],
            Tariff::Low => &mut self.tariffs[1],
        };
        *register = register.saturating_add(units);
    }

    /// Whole units in both tariffs together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.tariffs[0].saturating_add(self.tariffs[1])
    }

    /// Whole units in one tariff.
    #[must_use]
    pub fn tariff(&self, tariff: Tariff) -> u64 {
        match tariff {
            Tariff::High => self.tariffs[0],
            Tariff::Low => self.tariffs[1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counter, Tariff};

    #[test]
    fn one_kilowatt_for_one_hour_is_one_kilowatt_hour() {
        for scaler in -5..=3 {
            let mut counter = Counter::new(scaler, [0, 0]);
            for _ in 0..3600 {
                counter.add(1_000_000, 1000, Tariff::High);
            }
            let scale = 10_u64.pow(u32::from(scaler.unsigned_abs()));
            let expected = if scaler < 0 {
                1000 * scale
            } else {
                1000 / scale
            };
            assert_eq!(counter.total(), expected, "scaler {scaler}");
        }
    }

    #[test]
    fn nothing_is_lost_in_small_pieces() {
        let mut whole = Counter::new(-1, [0, 0]);
        let mut pieces = Counter::new(-1, [0, 0]);
        whole.add(123_457, 999_983, Tariff::Low);
        for _ in 0..999_983 {
            pieces.add(123_457, 1, Tariff::Low);
        }
        assert_eq!(whole, pieces);
    }

    #[test]
    fn tariffs_add_up_to_the_total() {
        let mut counter = Counter::new(-4, [12, 34]);
        for second in 0..10_000_u64 {
            let tariff = if second % 7 < 3 {
                Tariff::High
            } else {
                Tariff::Low
            };
            counter.add(second * 37 % 9001, 1000, tariff);
            let sum = counter.tariff(Tariff::High) + counter.tariff(Tariff::Low);
            assert_eq!(counter.total(), sum);
        }
    }
}
