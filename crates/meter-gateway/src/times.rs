//! The wall clock, and times as people and requests write them.

use std::time::{Duration, SystemTime};

use meter_core::UnixMillis;
use toml::value::{Date, Datetime, Offset};

/// What the wall clock shows.
#[must_use]
pub fn now() -> UnixMillis {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Why a text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no time: write milliseconds since 1970, a day like 2026-11-22 (it begins at midnight UTC), or a time with \
     its zone like 2026-11-22T17:53:00Z"
)]
pub struct BadTime;

/// Reads milliseconds since 1970, a day, or a time of RFC 3339.
pub fn parse(text: &str) -> Result<UnixMillis, BadTime> {
    if let Ok(millis) = text.parse() {
        return Ok(UnixMillis(millis));
    }
    // A `+` that was not escaped arrives as a space.
    let text = match text.split_once('T') {
        Some((date, time)) => format!("{date}T{}", time.replace(' ', "+")),
        None => text.to_owned(),
    };
    let given: Datetime = text.parse().map_err(|_| BadTime)?;
    let days = days(given.date.ok_or(BadTime)?);
    let (time, offset) = match (given.time, given.offset) {
        (None, None) => return Ok(UnixMillis(days * 86_400_000)),
        (Some(time), Some(offset)) => (time, offset),
        _ => return Err(BadTime),
    };
    let minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let minute = (days * 24 + i64::from(time.hour)) * 60 + i64::from(time.minute) - minutes;
    let second = minute * 60 + i64::from(time.second.unwrap_or(0));
    let millis = i64::from(time.nanosecond.unwrap_or(0)) / 1_000_000;
    Ok(UnixMillis(second * 1000 + millis))
}

/// Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap day is
/// the last of its year.
fn days(date: Date) -> i64 {
    let month = i64::from(date.month);
    let year = i64::from(date.year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + i64::from(date.day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form() {
        for (text, millis) in [
            ("1795369980123", 1_795_369_980_123),
            ("-1", -1),
            ("1970-01-01", 0),
            ("2026-11-22T17:53:00.123Z", 1_795_369_980_123),
            ("2026-11-22T18:53:00.123+01:00", 1_795_369_980_123),
            ("2026-11-22T18:53:00.123 01:00", 1_795_369_980_123),
            ("2026-11-22T12:53:00.123-05:00", 1_795_369_980_123),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("1969-12-31T23:59:59Z", -1000),
        ] {
            assert_eq!(parse(text), Ok(UnixMillis(millis)), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-11-22T17:53:00",
            "17:53:00",
            "2026-02-30",
        ] {
            assert_eq!(parse(text), Err(BadTime), "{text}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for day in (-200_000..200_000).step_by(97) {
            let time = UnixMillis(day * 86_400_000 + 3_661_001);
            if (0..10_000).contains(&time.date().0) {
                assert_eq!(parse(&time.to_string()), Ok(time));
            }
        }
    }
}
