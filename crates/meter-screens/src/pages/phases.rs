//! Power, voltage and current of each conductor.

use meter_core::Decimal;

use crate::page::Panel;
use crate::pages::{large_number, size};
use crate::paper::{Face, Paper};
use crate::text::{CURRENT, Number, POWER, Units, VOLTAGE};
use crate::view::Phase;

const NAMES: [&str; 3] = ["L1", "L2", "L3"];

pub fn write(phases: &[Phase; 3], panel: Panel, paper: &mut dyn Paper) {
    let power_only = phases
        .iter()
        .all(|phase| phase.voltage.is_none() && phase.current.is_none());
    if power_only {
        powers(phases, panel, paper);
    } else {
        table(phases, panel, paper);
    }
}

/// Nothing but power: as large as three rows allow.
fn powers(phases: &[Phase; 3], panel: Panel, paper: &mut dyn Paper) {
    let (width, height) = size(panel);
    let (face, digits, decimals) = match panel {
        Panel::Large => (Face::Bold, 18, Face::Medium),
        Panel::Small => (Face::Small, 11, Face::Tiny),
    };
    let pitch = (height - digits) / 2;
    let numbers = phases.each_ref().map(|phase| {
        let power = phase.power?;
        Some(Number::new(power, POWER, 5, 1))
    });
    let widest = |width: fn(Face, &Number) -> i32, face| {
        let widths = numbers.iter().flatten().map(|number| width(face, number));
        widths.max().unwrap_or(0)
    };
    let unit_width = widest(|face, number| face.width(number.unit), face);
    let fraction_width = widest(
        |face, number| face.width(number.fraction.as_str()),
        decimals,
    );
    let end = width - unit_width - fraction_width - 4;
    let mut y = 0;
    for (name, number) in NAMES.into_iter().zip(&numbers) {
        let line = y + digits - 1 - face.baseline();
        paper.left(face, 0, line, name);
        let whole = number
            .as_ref()
            .map_or("---", |number| number.whole.as_str());
        large_number(paper, (face.width(name) + 3, end), y, digits, whole);
        if let Some(number) = number {
            let small = y + digits - 1 - decimals.baseline();
            paper.left(decimals, end + 2, small, number.fraction.as_str());
            paper.right(face, width, line, number.unit);
        }
        y += pitch;
    }
}

/// A column: where it ends, how wide it is, its unit.
struct Column {
    right: i32,
    width: i32,
    units: Units,
    decimals: u8,
    value: fn(&Phase) -> Option<Decimal>,
}

/// Power, voltage and current side by side.
fn table(phases: &[Phase; 3], panel: Panel, paper: &mut dyn Paper) {
    let [power, voltage, current] = match panel {
        Panel::Large => [(59, 44), (92, 31), (124, 30)],
        Panel::Small => [(35, 26), (52, 15), (70, 16)],
    };
    let column = |(right, width), units, decimals, value| Column {
        right,
        width,
        units,
        decimals,
        value,
    };
    let columns = [
        column(power, POWER, 1, |phase| phase.power),
        column(voltage, VOLTAGE, 1, |phase| phase.voltage),
        column(current, CURRENT, 2, |phase| phase.current),
    ];
    let (faces, head, names, top, pitch): (&[Face], _, _, _, _) = match panel {
        Panel::Large => (
            &[Face::Medium, Face::Small, Face::Tiny],
            Face::Medium,
            Face::Medium,
            14,
            16,
        ),
        Panel::Small => (&[Face::Small, Face::Tiny], Face::Tiny, Face::Tiny, 9, 10),
    };
    for column in &columns {
        let unit = column.units.first().map_or("", |unit| unit.0);
        paper.right(head, column.right, 0, unit);
    }
    let (width, _) = size(panel);
    paper.rule(head.height(), width);
    let mut y = top;
    for (name, phase) in NAMES.into_iter().zip(phases) {
        paper.left(names, 0, y, name);
        for column in &columns {
            let Some(value) = (column.value)(phase) else {
                continue;
            };
            let (face, line) =
                Number::in_column(value, column.units, column.decimals, faces, column.width);
            let y = y + names.baseline() - face.baseline();
            paper.right(face, column.right, y, line.as_str());
        }
        y += pitch;
    }
}
