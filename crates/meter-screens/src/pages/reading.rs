//! Power now, large enough to be read across a room.

use core::time::Duration;

use embedded_graphics::geometry::Point;
use embedded_graphics::pixelcolor::BinaryColor;
use meter_core::{Direction, MeterId};

use crate::icons::{GRID, HOUSE, Icon, RIGHT, signal};
use crate::page::Panel;
use crate::pages::{beat, large_number};
use crate::paper::{Face, Paper, area};
use crate::text::{ENERGY, Line, Number, POWER, age, fit};
use crate::view::{Meter, View};

/// Beats for which one of the two counters is shown.
const COUNTER_BEATS: u64 = 12;

pub fn write(
    meter: &Meter<'_>,
    view: &View<'_>,
    now: Duration,
    panel: Panel,
    paper: &mut dyn Paper,
) {
    match panel {
        Panel::Large => {
            if meter.is_stale(now) {
                stale(meter, now, panel, paper);
            } else {
                id(
                    paper,
                    meter.id,
                    110,
                    &[Face::Medium, Face::Small, Face::Tiny],
                );
                signal(paper, 113, 0, view.network.bars());
                paper.rule(11, 124);
            }
            power(meter, now, &Power::LARGE, paper);
            counter(meter, now, &[Face::Medium, Face::Small], 50, 124, paper);
        }
        Panel::Small => {
            if meter.is_stale(now) {
                stale(meter, now, panel, paper);
            } else {
                id(paper, meter.id, 70, &[Face::Small, Face::Tiny]);
            }
            power(meter, now, &Power::SMALL, paper);
            counter(meter, now, &[Face::Small, Face::Tiny], 31, 70, paper);
        }
    }
}

/// The id as printed on the meter, or in one word where that is larger.
fn id(paper: &mut dyn Paper, id: MeterId<'_>, width: i32, faces: &[Face]) {
    let (printed, compact) = (Line::of(id), Line::of(id.compact()));
    let fitting = faces.iter().find_map(|face| {
        let mut forms = [&printed, &compact].into_iter();
        let form = forms.find(|form| face.width(form.as_str()) <= width)?;
        Some((*face, form.clone()))
    });
    let (face, line) = fitting.unwrap_or_else(|| fit(compact.as_str(), faces, width));
    paper.left(face, 0, 0, line.as_str());
}

/// Says that the reading is old, in place of the id.
fn stale(meter: &Meter<'_>, now: Duration, panel: Panel, paper: &mut dyn Paper) {
    let age = age(now.saturating_sub(meter.at));
    let (face, text, width, height) = match panel {
        Panel::Large => (Face::Medium, "no reading for", 124, 11),
        Panel::Small => (Face::Small, "silent", 70, 8),
    };
    let text = Line::of(format_args!("{text} {}", age.as_str()));
    let (face, text) = fit(text.as_str(), &[face, Face::Tiny], width - 4);
    paper.fill(area(0, 0, width, height), BinaryColor::On);
    let at = Point::new(2, 1);
    paper.text(face, at, text.as_str(), BinaryColor::Off);
}

/// Where the power is on a panel.
struct Power {
    /// Top and height of the digits.
    top: i32,
    height: i32,
    /// Where the digits end; right of them are the way of the energy, the decimals and the unit.
    digits_end: i32,
    right: i32,
    /// Of decimals and unit.
    face: Face,
}

impl Power {
    const LARGE: Self = Self {
        top: 14,
        height: 33,
        digits_end: 98,
        right: 124,
        face: Face::Bold,
    };
    const SMALL: Self = Self {
        top: 9,
        height: 19,
        digits_end: 52,
        right: 70,
        face: Face::Small,
    };
}

/// The power; the counter instead where the meter sends no power.
fn power(meter: &Meter<'_>, now: Duration, place: &Power, paper: &mut dyn Paper) {
    let (left, bottom) = (place.digits_end + 2, place.top + place.height - 1);
    let number = match (meter.power, meter.import.total) {
        _ if meter.is_stale(now) => None,
        (Some(power), _) => Some(Number::new(power, POWER, 5, 1)),
        (None, Some(energy)) => Some(Number::new(energy, ENERGY, 5, 0)),
        (None, None) => None,
    };
    let whole = number
        .as_ref()
        .map_or("---", |number| number.whole.as_str());
    large_number(paper, (0, place.digits_end), place.top, place.height, whole);
    let Some(number) = number else {
        return;
    };
    // A long unit leaves no room for decimals, and such a number has digits enough.
    let gap = place.face.width(" ") / 3;
    let room = place.right - left - place.face.width(number.unit) - gap;
    let fraction = Some(number.fraction.as_str())
        .filter(|fraction| place.face.width(fraction) <= room)
        .unwrap_or_default();
    let y = bottom - place.face.baseline();
    paper.left(place.face, left, y, fraction);
    let left = left + place.face.width(fraction) + gap;
    paper.left(place.face, left, y, number.unit);
    let flows = meter.power.is_some_and(|power| !power.is_zero());
    if let Some(direction) = meter.direction.filter(|_| flows) {
        way(paper, place.right, place.top, direction, now);
    }
}

/// Grid and house, or house and grid, and an arrow between them that moves.
fn way(paper: &mut dyn Paper, right: i32, y: i32, direction: Direction, now: Duration) {
    let (from, to): (&Icon, &Icon) = match direction {
        Direction::Import => (&GRID, &HOUSE),
        Direction::Export => (&HOUSE, &GRID),
    };
    let wide = right > 100;
    to.draw(paper, right - to.width, y);
    if wide {
        from.draw(paper, right - 24, y);
        let step = i32::from(beat(now, 2) == 1);
        RIGHT.draw(paper, right - 15 + step, y + 1);
    } else {
        let step = i32::from(beat(now, 2) == 1);
        RIGHT.draw(paper, right - 16 + step, y + 1);
    }
}

/// One counter in a line at the bottom; both in turns when there are two.
fn counter(
    meter: &Meter<'_>,
    now: Duration,
    faces: &[Face],
    y: i32,
    right: i32,
    paper: &mut dyn Paper,
) {
    let second = beat(now, 2 * COUNTER_BEATS) >= COUNTER_BEATS;
    let (label, value) = match (meter.import.total, meter.export.total) {
        (Some(_), Some(export)) if second => ("A-", export),
        (Some(import), _) => ("A+", import),
        (None, Some(export)) => ("A-", export),
        (None, None) => return,
    };
    let face = faces.first().copied().unwrap_or(Face::Small);
    let number = Number::new(value, ENERGY, 9, 4);
    paper.left(face, 0, y, label);
    paper.right(face, right, y, number.unit);
    let end = right - face.width(number.unit) - 3;
    let room = end - face.width(label) - 2;
    let (digits, line) = number.fitting(faces, room);
    let y = y + face.baseline() - digits.baseline();
    paper.right(digits, end, y, line.as_str());
}
