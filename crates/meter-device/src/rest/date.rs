//! Dates in headers: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
//!
//! The two older forms that the section also names are sent by nobody who is alive.

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// Seconds since 1970, leap seconds not counted.
pub(super) fn parse(text: &str) -> Option<i64> {
    let bytes: &[u8; 29] = text.as_bytes().try_into().ok()?;
    if bytes.get(3..5)? != b", " || bytes.get(25..)? != b" GMT" {
        return None;
    }
    let number = |from: usize, count: usize| -> Option<i64> {
        let digits = bytes.get(from..from + count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        core::str::from_utf8(digits).ok()?.parse().ok()
    };
    let name = bytes.get(8..11)?;
    let month = MONTHS.chunks(3).position(|month| month == name)?;
    let (day, year) = (number(5, 2)?, number(12, 4)?);
    let (hour, minute, second) = (number(17, 2)?, number(20, 2)?, number(23, 2)?);
    let days = days(year, i64::try_from(month).ok()?, day);
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days since 1970-01-01 of a day in the Gregorian calendar; months count from 0.
///
/// Years are counted from March, so that the leap day is a year's last.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 2 {
        (year - 1, month + 10)
    } else {
        (year, month - 2)
    };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (153 * month + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use meter_core::UnixMillis;
    use proptest::prelude::*;
    use std::format;
    use std::string::ToString;

    #[test]
    fn reads_the_example_of_the_specification() {
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
    }

    #[test]
    fn refuses_other_texts() {
        for text in [
            "",
            "120",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nix 1994 08:49:37 GMT",
            "Sun, 06 ovD 1994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:3ü GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        /// Against the printing of meter-core, which counts the other way.
        #[test]
        fn every_second_of_four_centuries(seconds in 0_i64..12_622_780_800) {
            let iso = UnixMillis(seconds * 1000).to_string();
            let month: usize = iso[5..7].parse().unwrap();
            let name = core::str::from_utf8(&MONTHS[month * 3 - 3..month * 3]).unwrap();
            let text = format!("Xxx, {} {name} {} {} GMT", &iso[8..10], &iso[..4], &iso[11..19]);
            prop_assert_eq!(parse(&text), Some(seconds));
        }

        #[test]
        fn nothing_panics(text in ".{29}|[ -~]{29}") {
            let _ = parse(&text);
        }
    }
}
