//! The counters of each tariff.

use meter_core::{Decimal, Direction};

use crate::page::Panel;
use crate::pages::{header, size, totals};
use crate::paper::{Face, Paper};
use crate::text::{ENERGY, Number};
use crate::view::Meter;

const NAMES: [&str; 4] = ["T1", "T2", "T3", "T4"];

pub fn write(meter: &Meter<'_>, direction: Direction, panel: Panel, paper: &mut dyn Paper) {
    match meter.energy(direction).tariffs {
        [first, second, None, None] => {
            let counter =
                |name, value: Option<Decimal>| value.map(|value| (name, direction, value));
            let counters = [counter("T1", first), counter("T2", second)];
            totals::counters(counters, panel, paper);
        }
        tariffs => table(&tariffs, direction, panel, paper),
    }
}

/// More than two tariffs: one line for each.
fn table(
    tariffs: &[Option<Decimal>; 4],
    direction: Direction,
    panel: Panel,
    paper: &mut dyn Paper,
) {
    let (width, height) = size(panel);
    let title = match (panel, direction) {
        (Panel::Large, Direction::Import) => "A+ by tariff",
        (Panel::Large, Direction::Export) => "A- by tariff",
        (Panel::Small, Direction::Import) => "A+",
        (Panel::Small, Direction::Export) => "A-",
    };
    let top = header(paper, panel, title, "kWh");
    let (face, faces): (_, &[Face]) = match panel {
        Panel::Large => (Face::Medium, &[Face::Medium, Face::Small, Face::Tiny]),
        Panel::Small => (Face::Small, &[Face::Small, Face::Tiny]),
    };
    let pitch = (height - top + 1) / 4;
    let mut y = top;
    for (name, value) in NAMES.into_iter().zip(tariffs) {
        if let Some(value) = value {
            paper.left(face, 0, y, name);
            let room = width - face.width(name) - 2;
            let (digits, line) = Number::in_column(*value, ENERGY, 4, faces, room);
            let line_y = y + face.baseline() - digits.baseline();
            paper.right(digits, width, line_y, line.as_str());
        }
        y += pitch;
    }
}
