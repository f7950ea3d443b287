//! Pictures of the wiring, drawn from the descriptions of the boards: they show the pins that the
//! firmware uses.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::failure::Failure;
use crate::firmware::boards::{self, Known};
use crate::process;

/// Width of a box, and of the gaps where wires run.
const BOX: u32 = 230;
const GAP: u32 = 84;
/// The first row of pins, and from one to the next.
const FIRST: u32 = 96;
const ROW: u32 = 34;
const WIDTH: u32 = 3 * BOX + 2 * GAP + 40;
const HEIGHT: u32 = 292;

const SUPPLY: &str = "#c0392b";
const GROUND: &str = "#2c3e50";
const SIGNALS: [&str; 2] = ["#1e8449", "#8e44ad"];

/// Checks that each board's picture is there as it would be drawn now.
pub fn check() -> Result<(), Failure> {
    for board in boards::all()? {
        let file = file(&board);
        let kept = fs::read_to_string(&file).map_err(Failure::file(&file))?;
        if kept != draw(&board) {
            return Err(Failure::Board {
                file,
                what: "shows other pins than the board has: run `cargo xtask docs`".to_owned(),
            });
        }
    }
    Ok(())
}

/// Draws them anew.
pub fn write() -> Result<(), Failure> {
    for board in boards::all()? {
        let file = file(&board);
        fs::write(&file, draw(&board)).map_err(Failure::file(file))?;
    }
    Ok(())
}

fn file(board: &Known) -> PathBuf {
    let name = format!("docs/wiring/{}.svg", board.key);
    process::root().join(name)
}

fn draw(board: &Known) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"15\">\n<title>{}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n",
        escaped(&format!("A read head and a display on {}", board.name))
    );
    let columns = [20, 20 + BOX + GAP, 20 + 2 * (BOX + GAP)];
    part(&mut svg, columns[0], "Read head", "TTL, 3.3 V");
    let chip = format!("chip {}", board.chip.family);
    part(&mut svg, columns[1], &board.name, &chip);
    let mut left = vec![
        ("VCC", "3V3".to_owned(), SUPPLY),
        ("GND", "GND".to_owned(), GROUND),
    ];
    left.push(("TX", board.label(board.pins.head), SIGNALS[0]));
    for (row, (theirs, ours, color)) in (0..).zip(&left) {
        wire(&mut svg, columns[0] + BOX, row, (theirs, ours), color);
    }
    free(&mut svg, columns[0] + BOX, 3, "RX");
    let Some(display) = &board.pins.display else {
        return svg + "</svg>\n";
    };
    let note = if display.soldered {
        "soldered on"
    } else {
        "optional"
    };
    part(
        &mut svg,
        columns[2],
        "Display",
        &format!("{}, {note}", display.panel),
    );
    let mut right = vec![
        (board.label(display.sda), "SDA", SIGNALS[0]),
        (board.label(display.scl), "SCL", SIGNALS[1]),
    ];
    if !display.soldered {
        right.insert(0, ("3V3".to_owned(), "VCC", SUPPLY));
        right.insert(1, ("GND".to_owned(), "GND", GROUND));
    }
    for (row, (ours, theirs, color)) in (0..).zip(&right) {
        wire(&mut svg, columns[1] + BOX, row, (ours, theirs), color);
    }
    svg + "</svg>\n"
}

/// A box with two lines of heading.
fn part(svg: &mut String, x: u32, name: &str, note: &str) {
    let (middle, height) = (x + BOX / 2, HEIGHT - 40);
    // A string takes everything.
    let _ = write!(
        svg,
        "<rect x=\"{x}\" y=\"20\" width=\"{BOX}\" height=\"{height}\" rx=\"8\" \
         fill=\"#f4f6f7\" stroke=\"#566573\" stroke-width=\"1.5\"/>\n\
         <text x=\"{middle}\" y=\"44\" text-anchor=\"middle\" font-weight=\"bold\" \
         font-size=\"{}\">{}</text>\n\
         <text x=\"{middle}\" y=\"64\" text-anchor=\"middle\" font-size=\"12\" \
         fill=\"#566573\">{}</text>\n",
        if name.len() > 22 { 13 } else { 15 },
        escaped(name),
        escaped(note),
    );
}

/// A wire from the right edge of one box to the left edge of the next, with what stands at its ends.
fn wire(svg: &mut String, x: u32, row: u32, (from, to): (&str, &str), color: &str) {
    let (y, end) = (FIRST + row * ROW, x + GAP);
    let _ = write!(
        svg,
        "<line x1=\"{x}\" y1=\"{y}\" x2=\"{end}\" y2=\"{y}\" stroke=\"{color}\" stroke-width=\"3\"/>\n\
         <circle cx=\"{x}\" cy=\"{y}\" r=\"5\" fill=\"{color}\"/>\n\
         <circle cx=\"{end}\" cy=\"{y}\" r=\"5\" fill=\"{color}\"/>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
         <text x=\"{}\" y=\"{}\">{}</text>\n",
        x - 12,
        y + 5,
        escaped(from),
        end + 12,
        y + 5,
        escaped(to),
    );
}

/// A pin that nothing goes to.
fn free(svg: &mut String, x: u32, row: u32, name: &str) {
    let y = FIRST + row * ROW;
    let _ = write!(
        svg,
        "<circle cx=\"{x}\" cy=\"{y}\" r=\"5\" fill=\"#ffffff\" stroke=\"#566573\"/>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#566573\">{name}, stays free</text>\n",
        x - 12,
        y + 5,
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
