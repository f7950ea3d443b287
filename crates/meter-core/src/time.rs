//! Points in time as the host or the device knows them.

use core::fmt;
use core::time::Duration;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// Milliseconds since 1970-01-01T00:00:00 UTC, leap seconds not counted.
///
/// Printed as in RFC 3339, always UTC and always with milliseconds: `2026-11-22T17:53:00.123Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// This time and `elapsed`; the last time there is when it would be past that.
    #[must_use]
    pub fn saturating_add(self, elapsed: Duration) -> Self {
        Self(self.0.saturating_add(millis(elapsed)))
    }

    /// This time less `elapsed`; the first time there is when it would be before that.
    #[must_use]
    pub fn saturating_sub(self, elapsed: Duration) -> Self {
        Self(self.0.saturating_sub(millis(elapsed)))
    }

    /// Milliseconds from `earlier` to this time, negative when it is the later one.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Year, month (from 1) and day (from 1) of this time in UTC.
    #[must_use]
    pub fn date(self) -> (i64, i64, i64) {
        civil(self.0.div_euclid(MILLIS_PER_DAY))
    }
}

/// A duration in whole milliseconds, at most some 292 million years.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let millis = self.0.rem_euclid(MILLIS_PER_DAY);
        let (hours, minutes, seconds) =
            (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z",
            millis % 1000
        )
    }
}

/// Year, month and day of a count of days since 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March in eras of 400 years, so that the leap day is a year's last.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;

    #[test]
    fn prints_rfc_3339() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_732_290_000_123, "2024-11-22T15:40:00.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(UnixMillis(time).to_string(), text);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = civil(-150_000);
        for days in -149_999..150_000 {
            let now = civil(days);
            let next_day = now == (before.0, before.1, before.2 + 1);
            let next_month = now == (before.0, before.1 + 1, 1) && before.2 >= 28;
            let next_year = now == (before.0 + 1, 1, 1) && (before.1, before.2) == (12, 31);
            assert!(next_day || next_month || next_year, "{before:?} -> {now:?}");
            before = now;
        }
    }

    #[test]
    fn the_ends_of_time_print() {
        assert_eq!(
            UnixMillis(i64::MAX).to_string(),
            "292278994-08-17T07:12:55.807Z"
        );
        assert!(
            UnixMillis(i64::MIN)
                .to_string()
                .starts_with("-292275055-05-16")
        );
    }
}
