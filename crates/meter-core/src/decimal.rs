//! Exact decimal numbers: what a meter means by an integer and a scaler.
//!
//! | SML | here |
//! |---|---|
//! | `value` 29416461614, `scaler` -4 | `2941646.1614` |
//! | `value` 2324, `scaler` 3 | `2324000` |
//! | `value` -10550, `scaler` -2 | `-105.50` |
//!
//! Nothing is rounded unless somebody asks for it. The digits the meter sends are its resolution, so trailing zeros
//! stay when a number is printed, and equal numbers of different resolution compare as equal.

use core::cmp::Ordering;
use core::fmt::{self, Write};
use core::num::NonZeroU64;
use core::ops::Neg;
use core::str::FromStr;

/// Most digits of a `u64`.
const DIGITS: usize = 20;

/// An exact decimal number: a sign, a magnitude and a power of ten.
///
/// Its value is `±magnitude × 10^scaler`. Comparing goes by value (`1.0 == 1`); printing keeps the
/// digits that were given and is a valid JSON number.
#[derive(Clone, Copy)]
pub struct Decimal {
    negative: bool,
    magnitude: u64,
    scaler: i8,
}

impl Decimal {
    /// Nought, without decimals.
    pub const ZERO: Self = Self::new(0, 0);

    /// `magnitude × 10^scaler`.
    #[must_use]
    pub const fn new(magnitude: u64, scaler: i8) -> Self {
        Self::from_parts(false, magnitude, scaler)
    }

    /// `value × 10^scaler`, for a value with a sign of its own.
    #[must_use]
    pub const fn signed(value: i64, scaler: i8) -> Self {
        Self::from_parts(value < 0, value.unsigned_abs(), scaler)
    }

    /// A number from its three parts. There is no negative nought: its sign is dropped.
    #[must_use]
    pub const fn from_parts(negative: bool, magnitude: u64, scaler: i8) -> Self {
        Self {
            negative: negative && magnitude != 0,
            magnitude,
            scaler,
        }
    }

    /// The digits without sign and decimal point.
    #[must_use]
    pub const fn magnitude(self) -> u64 {
        self.magnitude
    }

    /// The power of ten that the digits are multiplied with.
    #[must_use]
    pub const fn scaler(self) -> i8 {
        self.scaler
    }

    /// Whether the number is below nought.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.negative
    }

    /// Whether the number is nought, of whatever resolution.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.magnitude == 0
    }

    /// The number without its sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self::new(self.magnitude, self.scaler)
    }

    /// The smallest step that a number of this resolution can make: `10^scaler`.
    #[must_use]
    pub const fn step(self) -> Self {
        Self::new(1, self.scaler)
    }

    /// The number times `10^exponent`, exactly: `-3` makes kWh of Wh.
    ///
    /// `None` when the power of ten leaves the range of a scaler.
    #[must_use]
    pub const fn rescaled(self, exponent: i8) -> Option<Self> {
        match self.scaler.checked_add(exponent) {
            Some(scaler) => Some(Self { scaler, ..self }),
            None => None,
        }
    }

    /// The exact sum. `None` when it has more digits than a `u64` holds.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if let Some(sum) = self.add_aligned(other) {
            return Some(sum);
        }
        // Resolutions too far apart: a nought adds no digits, and trailing zeros may be in the way.
        match (self.is_zero(), other.is_zero()) {
            (true, _) => Some(other),
            (_, true) => Some(self),
            _ => self.stripped().add_aligned(other.stripped()),
        }
    }

    /// The exact difference. `None` when it has more digits than a `u64` holds.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(-other)
    }

    /// Whether the number is a whole multiple of `step`, which is a whole number itself.
    ///
    /// A meter that counts in whole kWh sends multiples of 1000 Wh. Every number is a multiple of
    /// nothing but itself when `step` is nought: only nought is.
    #[must_use]
    pub const fn is_multiple_of(self, step: u64) -> bool {
        if self.magnitude == 0 || step == 0 {
            return self.magnitude == 0;
        }
        let mut left = self.magnitude;
        let mut scaler = self.scaler;
        while scaler < 0 {
            if !left.is_multiple_of(10) {
                return false;
            }
            left /= 10;
            scaler += 1;
        }
        let mut rest = left as u128 % step as u128;
        while scaler > 0 && rest != 0 {
            rest = rest * 10 % step as u128;
            scaler -= 1;
        }
        rest == 0
    }

    /// The number with at most `decimals` digits behind the point, rounded half away from nought. One
    /// that has fewer stays as it is.
    #[must_use]
    pub fn rounded(self, decimals: u8) -> Self {
        if i16::from(self.scaler) >= -i16::from(decimals) {
            return self;
        }
        // A number gets no longer by being rounded, but for a nine that becomes a ten.
        self.divided(NonZeroU64::MIN, decimals).unwrap_or(self)
    }

    /// The number divided by another, with `decimals` digits behind the point, rounded half away from
    /// nought: how a mean is made of a sum. `None` when it has more digits than a `u64` holds.
    #[must_use]
    pub fn divided(self, divisor: NonZeroU64, decimals: u8) -> Option<Self> {
        let scaler = i8::try_from(-i16::from(decimals)).ok()?;
        let divisor = u128::from(divisor.get());
        let shift = i16::from(self.scaler) - i16::from(scaler);
        let tens = 10_u128.checked_pow(u32::from(shift.unsigned_abs()));
        let magnitude = u128::from(self.magnitude);
        let (dividend, divisor) = if shift >= 0 {
            (magnitude.checked_mul(tens?)?, divisor)
        } else {
            // What is divided by so much is nought.
            (
                magnitude,
                tens.and_then(|tens| divisor.checked_mul(tens))
                    .unwrap_or(u128::MAX),
            )
        };
        let (whole, rest) = (dividend / divisor, dividend % divisor);
        let quotient = whole + u128::from(rest >= divisor - rest);
        Some(Self::from_parts(
            self.negative,
            u64::try_from(quotient).ok()?,
            scaler,
        ))
    }

    /// The number with exactly `decimals` digits behind the point, the others cut off.
    #[must_use]
    pub const fn cut(self, decimals: u8) -> Cut {
        Cut {
            number: self,
            decimals,
        }
    }

    /// The sum at the finer of the two resolutions, when it fits.
    fn add_aligned(self, other: Self) -> Option<Self> {
        let scaler = self.scaler.min(other.scaler);
        let (left, right) = (self.at(scaler)?, other.at(scaler)?);
        let (negative, magnitude) = if self.negative == other.negative {
            (self.negative, left.checked_add(right)?)
        } else if left >= right {
            (self.negative, left - right)
        } else {
            (other.negative, right - left)
        };
        Self::reduced(negative, magnitude, scaler)
    }

    /// The magnitude in units of `10^scaler`, for a scaler that is not above its own.
    fn at(self, scaler: i8) -> Option<u128> {
        let shift = u32::try_from(i16::from(self.scaler) - i16::from(scaler)).ok()?;
        u128::from(self.magnitude).checked_mul(10_u128.checked_pow(shift)?)
    }

    /// A number from digits that may not fit a `u64` before their trailing zeros are dropped.
    fn reduced(negative: bool, mut magnitude: u128, mut scaler: i8) -> Option<Self> {
        loop {
            if let Ok(magnitude) = u64::try_from(magnitude) {
                return Some(Self::from_parts(negative, magnitude, scaler));
            }
            if !magnitude.is_multiple_of(10) {
                return None;
            }
            magnitude /= 10;
            scaler = scaler.checked_add(1)?;
        }
    }

    /// The same value without trailing zeros.
    fn stripped(mut self) -> Self {
        while self.magnitude != 0 && self.magnitude.is_multiple_of(10) && self.scaler < i8::MAX {
            self.magnitude /= 10;
            self.scaler += 1;
        }
        self
    }

    /// Compares the magnitudes of two numbers that are not nought.
    fn cmp_magnitude(self, other: Self) -> Ordering {
        let shift = i16::from(self.scaler) - i16::from(other.scaler);
        if shift < 0 {
            return other.cmp_magnitude(self).reverse();
        }
        // 10^20 is more than any u64, and up to 10^19 times a u64 fits a u128.
        match self.at(other.scaler) {
            Some(left) if shift < 20 => left.cmp(&u128::from(other.magnitude)),
            _ => Ordering::Greater,
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.is_zero(), number.negative) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => -1,
        };
        match (sign(self), sign(other)) {
            (1, 1) => self.cmp_magnitude(*other),
            (-1, -1) => other.cmp_magnitude(*self),
            (left, right) => left.cmp(&right),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl Neg for Decimal {
    type Output = Self;

    fn neg(self) -> Self {
        Self::from_parts(!self.negative, self.magnitude, self.scaler)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({self})")
    }
}

/// Every digit the meter sent, without exponent: a valid JSON number.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.scaler.min(0).unsigned_abs();
        write!(f, "{}", self.cut(decimals))
    }
}

/// A number cut to a fixed count of decimals, for printing. See [`Decimal::cut`].
///
/// The digits behind are dropped, not rounded, and missing ones are filled up with zeros; with no
/// decimals there is no point either. What is cut to nought has no sign.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    number: Decimal,
    decimals: u8,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [b'0'; DIGITS];
        let digits = digits(self.number.magnitude, &mut buffer);
        let scaler = i16::from(self.number.scaler);
        let length = i16::try_from(digits.len()).unwrap_or(0);
        // The digit with the weight 10^power: those before the number and behind it are zeros.
        let digit = |power: i16| {
            usize::try_from(length - 1 - (power - scaler))
                .ok()
                .and_then(|index| digits.get(index))
                .map_or('0', |digit| char::from(*digit))
        };
        let highest = if self.number.is_zero() {
            0
        } else {
            (length - 1 + scaler).max(0)
        };
        let lowest = -i16::from(self.decimals);

        if self.number.negative && (lowest..=highest).any(|power| digit(power) != '0') {
            f.write_char('-')?;
        }
        for power in (lowest..=highest).rev() {
            if power == -1 {
                f.write_char('.')?;
            }
            f.write_char(digit(power))?;
        }
        Ok(())
    }
}

/// The decimal digits of a number, most significant first, at the end of the buffer.
fn digits(mut number: u64, buffer: &mut [u8; DIGITS]) -> &[u8] {
    let mut used = 0;
    for slot in buffer.iter_mut().rev() {
        *slot = b'0' + u8::try_from(number % 10).unwrap_or(0);
        used += 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    buffer.get(DIGITS - used..).unwrap_or_default()
}

/// A text that is no decimal number: something other than digits, more than one point, more digits
/// than a `u64` holds or more than 128 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseDecimalError;

impl fmt::Display for ParseDecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a decimal number: write digits with at most one point, like -105.50")
    }
}

impl core::error::Error for ParseDecimalError {}

/// Reads what [`Display`](fmt::Display) prints: `-105.50`, `2324000`. No exponent, no `+`.
impl FromStr for Decimal {
    type Err = ParseDecimalError;

    fn from_str(text: &str) -> Result<Self, ParseDecimalError> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        if whole.is_empty() || (unsigned.contains('.') && decimals.is_empty()) {
            return Err(ParseDecimalError);
        }
        let mut magnitude = 0_u64;
        for digit in whole.chars().chain(decimals.chars()) {
            let digit = digit.to_digit(10).ok_or(ParseDecimalError)?;
            magnitude = magnitude
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(u64::from(digit)))
                .ok_or(ParseDecimalError)?;
        }
        let scaler = i16::try_from(decimals.len())
            .ok()
            .and_then(|decimals| i8::try_from(-decimals).ok())
            .ok_or(ParseDecimalError)?;
        Ok(Self::from_parts(negative, magnitude, scaler))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::string::{String, ToString};

    #[test]
    fn prints_as_on_the_meter() {
        for (value, scaler, text) in [
            (29_416_461_614, -4, "2941646.1614"),
            (2324, 3, "2324000"),
            (-10550, -2, "-105.50"),
            (23_559_290, -1, "2355929.0"),
            (5, -2, "0.05"),
            (-5, -2, "-0.05"),
            (0, 3, "0"),
            (0, -1, "0.0"),
            (i64::MIN, 0, "-9223372036854775808"),
            (i64::MIN, -19, "-0.9223372036854775808"),
        ] {
            assert_eq!(Decimal::signed(value, scaler).to_string(), text);
        }
    }

    #[test]
    fn prints_the_ends_of_the_range() {
        let huge = Decimal::new(u64::MAX, i8::MAX).to_string();
        assert_eq!(huge, format!("{}{}", u64::MAX, "0".repeat(127)));
        let tiny = Decimal::new(7, i8::MIN).to_string();
        assert_eq!(tiny, format!("0.{}7", "0".repeat(127)));
    }

    #[test]
    fn cuts_and_never_rounds() {
        for (value, scaler, decimals, text) in [
            (29_416_461_614, -4, 1, "2941646.1"),
            (81026, -2, 1, "810.2"),
            (19999, -3, 1, "19.9"),
            (-10559, -2, 1, "-105.5"),
            (-4, -2, 1, "0.0"),
            (376, 0, 1, "376.0"),
            (2324, 3, 1, "2324000.0"),
            (19999, -3, 0, "19"),
            (
                5,
                -128,
                255,
                &format!("0.{}5{}", "0".repeat(127), "0".repeat(127)),
            ),
        ] {
            assert_eq!(
                Decimal::signed(value, scaler).cut(decimals).to_string(),
                text
            );
        }
    }

    #[test]
    fn rounds_when_asked() {
        for (value, scaler, decimals, text) in [
            (29_416_461_614, -4, 1, "2941646.2"),
            (29_416_461_614, -4, 4, "2941646.1614"),
            (29_416_461_614, -4, 9, "2941646.1614"),
            (25, -1, 0, "3"),
            (-25, -1, 0, "-3"),
            (-249, -2, 0, "-2"),
            (-4, -2, 1, "0.0"),
            (7, 3, 0, "7000"),
            (99_999, -4, 2, "10.00"),
            (i64::MAX, -19, 18, "0.922337203685477581"),
            (1, -128, 3, "0.000"),
        ] {
            let number = Decimal::signed(value, scaler);
            assert_eq!(number.rounded(decimals).to_string(), text, "{number}");
        }
    }

    #[test]
    fn divides_a_sum_into_a_mean() {
        for (sum, scaler, count, text) in [
            (1000, 0, 3, "333.333"),
            (2000, 0, 3, "666.667"),
            (-2000, -1, 3, "-66.667"),
            (1, 0, 2000, "0.001"),
            (1, 0, 2001, "0.000"),
            (5, 3, 4, "1250.000"),
        ] {
            let count = NonZeroU64::new(count).unwrap();
            let mean = Decimal::signed(sum, scaler).divided(count, 3);
            assert_eq!(mean.unwrap().to_string(), text);
        }
        let one = NonZeroU64::MIN;
        assert_eq!(Decimal::new(u64::MAX, 0).divided(one, 3), None);
        assert_eq!(Decimal::new(1, 127).divided(one, 0), None);
    }

    #[test]
    fn shifts_wh_to_kwh() {
        let wh = Decimal::new(29_416_461_614, -4);
        assert_eq!(
            wh.rescaled(-3).map(|kwh| kwh.to_string()).as_deref(),
            Some("2941.6461614")
        );
        assert_eq!(Decimal::new(1, i8::MIN).rescaled(-1), None);
    }

    #[test]
    fn knows_multiples() {
        assert!(Decimal::new(2324, 3).is_multiple_of(1000));
        assert!(Decimal::new(23_240_000, -1).is_multiple_of(1000));
        assert!(!Decimal::new(23_240_001, -1).is_multiple_of(1000));
        assert!(Decimal::new(0, -4).is_multiple_of(1000));
        assert!(Decimal::new(7, 127).is_multiple_of(1 << 40));
        assert!(!Decimal::new(7, 127).is_multiple_of(3));
        assert!(!Decimal::new(7, -128).is_multiple_of(1));
        assert!(Decimal::ZERO.is_multiple_of(0) && !Decimal::new(1, 0).is_multiple_of(0));
    }

    #[test]
    fn differences_at_the_limits() {
        let max = Decimal::new(u64::MAX, 0);
        assert_eq!(max.checked_add(Decimal::new(1, 0)), None);
        assert_eq!(max.checked_sub(max), Some(Decimal::ZERO));
        // More digits than fit at the finer resolution, but not after dropping zeros.
        let sum = Decimal::new(10_000_000_000_000_000_000, 19).checked_add(Decimal::new(0, -128));
        assert_eq!(sum, Some(Decimal::new(1, 38)));
        assert_eq!(
            Decimal::new(1, 127).checked_sub(Decimal::new(1, -128)),
            None
        );
    }

    #[test]
    fn refuses_texts_that_are_no_numbers() {
        for text in [
            "", "-", ".", "1.", ".5", "1e3", "+1", "1.2.3", "0x10", "1 ", "--1",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(ParseDecimalError), "{text}");
        }
        assert!("18446744073709551616".parse::<Decimal>().is_err());
        assert!(format!("0.{}", "0".repeat(129)).parse::<Decimal>().is_err());
    }

    /// The value at 10^-9, by plain integer arithmetic.
    fn nano(value: i64, scaler: i8) -> i128 {
        i128::from(value) * 10_i128.pow(u32::try_from(i16::from(scaler) + 9).unwrap_or(0))
    }

    /// The number as text by moving the point in a string.
    fn by_string(value: i64, scaler: i8) -> String {
        let mut digits = value.unsigned_abs().to_string();
        if scaler > 0 && value != 0 {
            digits.push_str(&"0".repeat(usize::from(scaler.unsigned_abs())));
        } else if scaler < 0 {
            let decimals = usize::from(scaler.unsigned_abs());
            let padded = format!("{}{digits}", "0".repeat(decimals + 1));
            let point = padded.len() - decimals;
            let (whole, rest) = padded.split_at(point);
            let whole = whole.trim_start_matches('0');
            digits = format!("{}.{rest}", if whole.is_empty() { "0" } else { whole });
        }
        format!("{}{digits}", if value < 0 { "-" } else { "" })
    }

    proptest! {
        #[test]
        fn display_moves_the_point(value: i64, scaler: i8) {
            let text = Decimal::signed(value, scaler).to_string();
            prop_assert_eq!(&text, &by_string(value, scaler));
            prop_assert!(text.len() <= 150);
            prop_assert!(serde_json::from_str::<serde_json::Number>(&text).is_ok());
        }

        #[test]
        fn display_reads_back(value: i64, scaler in -128_i8..=0) {
            let number = Decimal::signed(value, scaler);
            let back: Decimal = number.to_string().parse()?;
            prop_assert_eq!(back, number);
            prop_assert_eq!(back.scaler(), scaler);
        }

        #[test]
        fn compares_by_value(a: i64, s in -9_i8..=9, b: i64, t in -9_i8..=9) {
            let (x, y) = (Decimal::signed(a, s), Decimal::signed(b, t));
            prop_assert_eq!(x.cmp(&y), nano(a, s).cmp(&nano(b, t)));
        }

        #[test]
        fn small_numbers_compare_by_value(a in -99_i64..99, s in -3_i8..=3, b in -99_i64..99, t in -3_i8..=3) {
            let (x, y) = (Decimal::signed(a, s), Decimal::signed(b, t));
            prop_assert_eq!(x.cmp(&y), nano(a, s).cmp(&nano(b, t)));
        }

        #[test]
        fn order_is_antisymmetric_everywhere(a: i64, s: i8, b: i64, t: i8) {
            let (x, y) = (Decimal::signed(a, s), Decimal::signed(b, t));
            prop_assert_eq!(x.cmp(&y), y.cmp(&x).reverse());
            prop_assert_eq!(x.cmp(&y), (-y).cmp(&-x));
        }

        #[test]
        fn adds_and_subtracts_exactly(a: i64, s in -9_i8..=9, b: i64, t in -9_i8..=9) {
            let (x, y) = (Decimal::signed(a, s), Decimal::signed(b, t));
            for (result, exact) in [
                (x.checked_add(y), nano(a, s) + nano(b, t)),
                (x.checked_sub(y), nano(a, s) - nano(b, t)),
            ] {
                if let Some(number) = result {
                    let scaler = u32::try_from(i16::from(number.scaler()) + 9).unwrap_or(0);
                    let sign = if number.is_negative() { -1 } else { 1 };
                    prop_assert_eq!(sign * i128::from(number.magnitude()) * 10_i128.pow(scaler), exact);
                } else {
                    let mut digits = exact.unsigned_abs();
                    while digits % 10 == 0 { digits /= 10; }
                    prop_assert!(digits > u128::from(u64::MAX));
                }
            }
        }

        #[test]
        fn cutting_drops_characters(value: i64, scaler in -18_i8..=0, decimals in 0_u8..=18) {
            let number = Decimal::signed(value, scaler);
            let cut = number.cut(decimals).to_string();
            let unsigned = cut.trim_start_matches('-').to_string();
            let full = number.abs().cut(30).to_string();
            prop_assert!(full.starts_with(&unsigned));
            prop_assert_eq!(unsigned.split_once('.').map_or(0, |(_, d)| d.len()), usize::from(decimals));
        }

        #[test]
        fn multiples_by_plain_arithmetic(value: u32, scaler in 0_i8..=9, step in 1_u64..100_000) {
            let exact = u128::from(value) * 10_u128.pow(u32::from(scaler.unsigned_abs()));
            prop_assert_eq!(Decimal::new(value.into(), scaler).is_multiple_of(step), exact.is_multiple_of(step.into()));
        }

        #[test]
        fn nothing_panics(a: u64, s: i8, b: u64, t: i8, step: u64, exponent: i8) {
            let (x, y) = (Decimal::new(a, s), Decimal::new(b, t));
            let _ = (x.checked_add(y), x.checked_sub(y), x.is_multiple_of(step), x.rescaled(exponent));
        }
    }
}
