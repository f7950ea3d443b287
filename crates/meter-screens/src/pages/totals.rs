//! The counters as on the meter, to be compared with it and with the bill.

use meter_core::{Decimal, Direction};

use crate::digits;
use crate::icons::{GRID, HOUSE};
use crate::page::Panel;
use crate::pages::{large_number, size};
use crate::paper::{Face, Paper};
use crate::text::{ENERGY, Number};
use crate::view::Meter;

pub fn write(meter: &Meter<'_>, panel: Panel, paper: &mut dyn Paper) {
    let import = meter
        .import
        .total
        .map(|value| ("A+", Direction::Import, value));
    let export = meter
        .export
        .total
        .map(|value| ("A-", Direction::Export, value));
    counters([import, export], panel, paper);
}

/// A counter: its label, which way its energy goes, what it counted in Wh.
pub type Counter<'t> = (&'t str, Direction, Decimal);

/// One counter over the other; a single one larger and in the middle.
pub fn counters(counters: [Option<Counter<'_>>; 2], panel: Panel, paper: &mut dyn Paper) {
    let (width, height) = size(panel);
    let both = counters.iter().all(Option::is_some);
    let (row, digits, first) = match (panel, both) {
        (Panel::Large, true) => (height / 2, 22, 3),
        (Panel::Large, false) => (height, 32, 14),
        (Panel::Small, true) => (height / 2 + 1, 9, 0),
        (Panel::Small, false) => (height, 18, 6),
    };
    if both {
        paper.rule(height / 2 - 1, width);
    }
    let mut y = first;
    for counter in counters.iter().flatten() {
        match panel {
            Panel::Large => large(counter, y, digits, paper),
            Panel::Small => small(counter, y, digits, paper),
        }
        y += row;
    }
}

/// Label and decimals beside the digits.
fn large((label, direction, value): &Counter<'_>, y: i32, height: i32, paper: &mut dyn Paper) {
    let number = Number::new(*value, ENERGY, 9, 4);
    let icon = match direction {
        Direction::Import => &HOUSE,
        Direction::Export => &GRID,
    };
    paper.left(Face::Bold, 0, y - 2, label);
    icon.draw(paper, 1, y + height - icon.height());
    large_number(paper, (16, 96), y, height, number.whole.as_str());
    paper.left(Face::Small, 98, y, number.fraction.as_str());
    let line = y + height - 1 - Face::Medium.baseline();
    paper.right(Face::Medium, 124, line, number.unit);
}

/// Label and unit above the digits.
fn small((label, _, value): &Counter<'_>, y: i32, height: i32, paper: &mut dyn Paper) {
    let number = Number::new(*value, ENERGY, 9, 4);
    paper.left(Face::Small, 0, y, label);
    paper.right(Face::Small, 70, y, number.unit);
    let whole = number.whole.as_str();
    let decimals = (0..=number.fraction.as_str().len())
        .rev()
        .filter(|kept| *kept != 1);
    // Decimals, as long as they do not make the digits before them narrow.
    let fraction = decimals
        .filter_map(|kept| number.fraction.as_str().get(..kept))
        .find(|fraction| {
            let room = 69 - Face::Small.width(fraction);
            let digits = digits::Size::fitting(height, whole, room);
            digits.width >= 5 && digits.text_width(whole) <= room
        })
        .unwrap_or_default();
    let end = 70 - Face::Small.width(fraction);
    let top = y + 8;
    large_number(paper, (0, end - 1), top, height, whole);
    let line = top + height - 1 - Face::Small.baseline();
    paper.left(Face::Small, end, line, fraction);
}
