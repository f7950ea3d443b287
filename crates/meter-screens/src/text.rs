//! Lines of text without allocation: numbers, ages, and what to do when something does not fit.

use core::fmt::{self, Write};
use core::time::Duration;

use embedded_graphics::primitives::Rectangle;
use meter_core::Decimal;

use crate::paper::{ELLIPSIS, Face, Paper, THIN_SPACE};

/// More than any line of any page has.
const CAPACITY: usize = 160;

/// A text of limited length, of letters that each face has.
#[derive(Clone)]
pub struct Line {
    bytes: [u8; CAPACITY],
    length: usize,
    /// Something had no room, and an ellipsis says so.
    is_full: bool,
}

impl Line {
    pub const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            length: 0,
            is_full: false,
        }
    }

    /// What a value prints as.
    pub fn of(value: impl fmt::Display) -> Self {
        let mut line = Self::new();
        line.add(value);
        line
    }

    /// Appends what a value prints as. What exceeds the capacity ends in an ellipsis.
    pub fn add(&mut self, value: impl fmt::Display) {
        // The only error is a full line, which shows that it is full.
        let _full = write!(self, "{value}");
    }

    pub fn as_str(&self) -> &str {
        let written = self.bytes.get(..self.length).unwrap_or_default();
        core::str::from_utf8(written).unwrap_or_default()
    }

    fn push(&mut self, letter: char) -> fmt::Result {
        if self.is_full {
            return Err(fmt::Error);
        }
        // There is always room for the sign that something is missing.
        self.is_full = self.length + letter.len_utf8() + ELLIPSIS.len_utf8() > CAPACITY;
        let letter = if self.is_full { ELLIPSIS } else { letter };
        let place = self.bytes.get_mut(self.length..).unwrap_or_default();
        self.length += letter.encode_utf8(place).len();
        Ok(())
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|letter| {
            self.push(match letter {
                ' '..='~' | '¡'..='ÿ' | THIN_SPACE | ELLIPSIS => letter,
                '−' | '–' => '-',
                _ => '?',
            })
        })
    }
}

/// A number in two parts, and its unit.
pub struct Number {
    /// Sign and whole digits, in groups of three when there are more than four.
    pub whole: Line,
    /// The point and the decimals; empty when there are none.
    pub fraction: Line,
    /// The unit.
    pub unit: &'static str,
}

/// Units that stand for a power of ten of the first quantity, smallest first.
pub type Units = &'static [(&'static str, i8)];

/// For W.
pub const POWER: Units = &[("W", 0), ("kW", -3), ("MW", -6), ("GW", -9)];
/// For Wh.
pub const ENERGY: Units = &[("kWh", -3), ("MWh", -6), ("GWh", -9), ("TWh", -12)];
/// For V.
pub const VOLTAGE: Units = &[("V", 0), ("kV", -3)];
/// For A.
pub const CURRENT: Units = &[("A", 0), ("kA", -3)];

impl Number {
    /// The number in the smallest unit in which it has at most so many whole digits, with at most
    /// so many decimals: those behind are dropped, as on the counter of a meter. Dashes when it is
    /// too large for any unit.
    pub fn new(value: Decimal, units: Units, most_whole: usize, most_decimals: u8) -> Self {
        let mut unit = "";
        for (name, exponent) in units {
            unit = name;
            let Some(scaled) = value.rescaled(*exponent) else {
                continue;
            };
            let decimals = scaled.scaler().min(0).unsigned_abs().min(most_decimals);
            let line = Line::of(scaled.cut(decimals));
            let text = line.as_str();
            let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
            if whole.trim_start_matches('-').len() <= most_whole {
                return Self {
                    whole: grouped(whole),
                    fraction: Line::of(fraction),
                    unit,
                };
            }
        }
        Self {
            whole: Line::of("---"),
            fraction: Line::new(),
            unit,
        }
    }

    /// The number in the first face in which it fits a width, with as many decimals as fit.
    pub fn fitting(&self, faces: &[Face], width: i32) -> (Face, Line) {
        let longest = self.fraction.as_str().len();
        for face in faces {
            // A point alone says nothing.
            for kept in (0..=longest).rev().filter(|kept| *kept != 1) {
                let mut line = self.whole.clone();
                line.add(self.fraction.as_str().get(..kept).unwrap_or_default());
                if face.width(line.as_str()) <= width {
                    return (*face, line);
                }
            }
        }
        let face = faces.last().copied().unwrap_or(Face::Tiny);
        (face, Line::of("---"))
    }

    /// A number of a column whose head names the first unit: in as small a unit as fits the width,
    /// and with that unit where it is another one.
    pub fn in_column(
        value: Decimal,
        units: Units,
        most_decimals: u8,
        faces: &[Face],
        width: i32,
    ) -> (Face, Line) {
        let first = units.first().map_or("", |unit| unit.0);
        let mut fallback = (Face::Tiny, Line::of("---"));
        for most_whole in (1..=9).rev() {
            let number = Self::new(value, units, most_whole, most_decimals);
            let other = if number.unit == first {
                ""
            } else {
                number.unit
            };
            for face in faces {
                let (face, mut line) = number.fitting(&[*face], width - face.width(other));
                if line.as_str() != "---" {
                    line.add(other);
                    return (face, line);
                }
                fallback.0 = face;
            }
        }
        fallback
    }
}

/// Digits in groups of three, when there are more than four.
fn grouped(whole: &str) -> Line {
    let digits = whole.trim_start_matches('-').len();
    let mut line = Line::new();
    let mut left = digits;
    for letter in whole.chars() {
        if letter != '-' {
            if left.is_multiple_of(3) && left != digits && digits > 4 {
                line.add(THIN_SPACE);
            }
            left -= 1;
        }
        line.add(letter);
    }
    line
}

/// A count in at most five digits: `99874`, `100k`, `4294M`.
pub fn short(count: u32) -> Line {
    match count {
        0..100_000 => Line::of(count),
        100_000..10_000_000 => Line::of(format_args!("{}k", count / 1000)),
        _ => Line::of(format_args!("{}M", count / 1_000_000)),
    }
}

/// A span of time in its largest unit: `12 s`, `3 min`, `5 h`, `12 d`.
pub fn age(span: Duration) -> Line {
    let seconds = span.as_secs();
    let mut line = Line::new();
    let (count, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "min"),
        3600..172_800 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    line.add(format_args!("{count} {unit}"));
    line
}

/// The first face in which a text fits a width. In none of them: the last one, and the middle of
/// the text left out, because ids differ at their ends.
pub fn fit(text: &str, faces: &[Face], width: i32) -> (Face, Line) {
    for face in faces {
        if face.width(text) <= width {
            return (*face, Line::of(text));
        }
    }
    let face = faces.last().copied().unwrap_or(Face::Tiny);
    let letters = text.chars().count();
    for kept in (0..letters).rev() {
        let tail = kept / 2;
        let mut line = Line::new();
        let head = text.chars().take(kept - tail);
        for letter in head
            .chain([ELLIPSIS])
            .chain(text.chars().skip(letters - tail))
        {
            line.add(letter);
        }
        if face.width(line.as_str()) <= width {
            return (face, line);
        }
    }
    (face, Line::new())
}

/// Writes a text of several lines into an area, in the first face in which it fits; in the last
/// one with an ellipsis at its end otherwise.
pub fn paragraph(paper: &mut dyn Paper, faces: &[Face], area: Rectangle, text: &str) {
    let text = Line::of(text);
    let Some(face) = faces
        .iter()
        .find(|face| !Wrapped::new(**face, area, text.as_str()).leaves_rest())
        .or(faces.last())
    else {
        return;
    };
    let mut y = area.top_left.y;
    for line in Wrapped::new(*face, area, text.as_str()) {
        paper.left(*face, area.top_left.x, y, line.as_str());
        y += face.height();
    }
}

/// The lines of a text that is broken between words, or within a word that is longer than a line.
struct Wrapped<'t> {
    face: Face,
    width: i32,
    lines: i32,
    rest: &'t str,
}

impl<'t> Wrapped<'t> {
    fn new(face: Face, area: Rectangle, text: &'t str) -> Self {
        Self {
            face,
            width: i32::try_from(area.size.width).unwrap_or(0),
            lines: i32::try_from(area.size.height).unwrap_or(0) / face.height(),
            rest: text.trim(),
        }
    }

    /// Whether the text has more lines than the area.
    fn leaves_rest(mut self) -> bool {
        while self.lines > 0 && !self.rest.is_empty() {
            self.lines -= 1;
            self.break_line();
        }
        !self.rest.is_empty()
    }

    /// Takes one line off the text.
    fn break_line(&mut self) -> &'t str {
        let (mut width, mut end, mut word) = (0, 0, None);
        for letter in self.rest.chars() {
            if letter == ' ' {
                word = Some(end);
            }
            let mut bytes = [0; 4];
            width += self.face.width(letter.encode_utf8(&mut bytes));
            if width > self.width {
                let at = word.unwrap_or(end).max(self.first());
                let (line, rest) = self.rest.split_at(at);
                self.rest = rest.trim_start();
                return line;
            }
            end += letter.len_utf8();
        }
        core::mem::take(&mut self.rest)
    }

    /// The length of the first letter: less is never taken, so that there is an end.
    fn first(&self) -> usize {
        self.rest.chars().next().map_or(0, char::len_utf8)
    }
}

impl Iterator for Wrapped<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        if self.lines <= 0 || self.rest.is_empty() {
            return None;
        }
        self.lines -= 1;
        if self.lines > 0 {
            return Some(Line::of(self.break_line()));
        }
        let mut line = Line::of(self.break_line());
        if !self.rest.is_empty() {
            while self.face.width(line.as_str()) > self.width - self.face.width("…") {
                let shorter = line.as_str().chars().count().saturating_sub(1);
                line = line
                    .as_str()
                    .chars()
                    .take(shorter)
                    .fold(Line::new(), |mut cut, letter| {
                        cut.add(letter);
                        cut
                    });
                if shorter == 0 {
                    break;
                }
            }
            line.add(ELLIPSIS);
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::paper::area;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn number(value: i64, scaler: i8, units: Units) -> (String, &'static str) {
        let number = Number::new(Decimal::signed(value, scaler), units, 5, 1);
        let mut line = number.whole.clone();
        line.add(number.fraction.as_str());
        (readable(&line), number.unit)
    }

    /// With `_` for a thin space.
    fn readable(line: &Line) -> String {
        line.as_str().replace(THIN_SPACE, "_")
    }

    #[test]
    fn numbers_have_units_that_fit() {
        for (value, scaler, units, text, unit) in [
            (376, 0, POWER, "376", "W"),
            (-999_999, -1, POWER, "-99_999.9", "W"),
            (100_000, 0, POWER, "100.0", "kW"),
            (-4, -2, POWER, "0.0", "W"),
            (-4, -1, POWER, "-0.4", "W"),
            (29_416_461_614, -4, ENERGY, "2941.6", "kWh"),
            (2324, 3, ENERGY, "2324", "kWh"),
            (1, 20, ENERGY, "---", "TWh"),
            (i64::MIN, i8::MAX, POWER, "---", "GW"),
        ] {
            let expected = (text.to_string(), unit);
            assert_eq!(number(value, scaler, units), expected, "{value}e{scaler}");
        }
    }

    #[test]
    fn columns_name_a_unit_that_is_not_their_own() {
        let column = |value, width| {
            let faces = [Face::Medium, Face::Tiny];
            let value = Decimal::signed(value, -1);
            let (face, line) = Number::in_column(value, POWER, 1, &faces, width);
            (face, readable(&line))
        };
        assert_eq!(column(-33_333, 44), (Face::Medium, "-3333.3".into()));
        assert_eq!(column(-333_333, 44), (Face::Medium, "-33_333".into()));
        assert_eq!(column(-333_333, 27), (Face::Tiny, "-33_333".into()));
        assert_eq!(column(-3_333_333_333, 24), (Face::Tiny, "-333MW".into()));
        assert_eq!(column(-3_333_333_333, 8), (Face::Tiny, "---".into()));
    }

    #[test]
    fn ages_and_counts_are_short() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (7200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)).as_str(), text);
        }
        assert_eq!(short(99_999).as_str(), "99999");
        assert_eq!(short(100_000).as_str(), "100k");
        assert_eq!(short(u32::MAX).as_str(), "4294M");
    }

    #[test]
    fn what_is_left_out_is_seen() {
        let faces = [Face::Medium, Face::Tiny];
        let fit = |width| {
            let (face, line) = fit("1EMH0010599732", &faces, width);
            (face, line.as_str().to_string())
        };
        assert_eq!(fit(84), (Face::Medium, "1EMH0010599732".into()));
        assert_eq!(fit(83), (Face::Tiny, "1EMH0010599732".into()));
        assert_eq!(fit(55), (Face::Tiny, "1EMH00…599732".into()));
        assert_eq!(fit(5), (Face::Tiny, String::new()));
        let long = Line::of("x".repeat(500));
        assert!(long.as_str().ends_with("x…"), "{}", long.as_str());
        assert_eq!(Line::of("Café 日本").as_str(), "Café ??");
    }

    #[test]
    fn lines_break_between_words() {
        let lines = |width, height, text: &'static str| -> Vec<String> {
            let wrapped = Wrapped::new(Face::Small, area(0, 0, width, height), text);
            wrapped.map(|line| line.as_str().into()).collect()
        };
        assert_eq!(lines(30, 21, "one two three"), ["one", "two", "three"]);
        assert_eq!(lines(35, 21, "one two three"), ["one two", "three"]);
        assert_eq!(lines(20, 21, "abcdefgh ij"), ["abcd", "efgh", "ij"]);
        assert_eq!(lines(35, 14, "one two three four"), ["one two", "three…"]);
        assert_eq!(lines(2, 21, "äöü"), ["ä", "ö", "ü"]);
        assert_eq!(lines(2, 14, "äöü"), ["ä", "…"]);
    }
}
