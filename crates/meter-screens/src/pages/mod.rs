//! One file for each page: how it looks on each panel.

use core::time::Duration;

use embedded_graphics::geometry::Point;
use embedded_graphics::pixelcolor::BinaryColor;

use crate::carousel::millis;
use crate::digits;
use crate::page::Panel;
use crate::paper::{Face, Paper, area};

pub mod alignment;
pub mod delivery;
pub mod network;
pub mod phases;
pub mod pin;
pub mod reading;
pub mod start;
pub mod tariffs;
pub mod totals;

/// The step of everything that moves on a page by itself.
pub const BEAT: Duration = Duration::from_millis(400);

/// The beat that a time is in, of so many.
fn beat(now: Duration, beats: u64) -> u64 {
    millis(now) / millis(BEAT).max(1) % beats.max(1)
}

/// Width and height that pages fill.
const fn size(panel: Panel) -> (i32, i32) {
    match panel {
        Panel::Large => (124, 60),
        Panel::Small => (70, 38),
    }
}

/// Writes the name of a page and something short at its right, with a line below. The page goes on
/// at the returned height.
fn header(paper: &mut dyn Paper, panel: Panel, title: &str, aside: &str) -> i32 {
    let (width, _) = size(panel);
    match panel {
        Panel::Large => {
            paper.left(Face::Medium, 0, 0, title);
            paper.right(Face::Medium, width, 0, aside);
            paper.rule(11, width);
            13
        }
        Panel::Small => {
            paper.left(Face::Small, 0, 0, title);
            paper.right(Face::Small, width, 0, aside);
            paper.rule(7, width);
            9
        }
    }
}

/// Writes the name of something that is wrong, dark on light. The page goes on at the returned
/// height.
fn alarm(paper: &mut dyn Paper, panel: Panel, title: &str, aside: &str) -> i32 {
    let (width, _) = size(panel);
    let (face, height) = match panel {
        Panel::Large => (Face::Medium, 11),
        Panel::Small => (Face::Small, 8),
    };
    paper.fill(area(0, 0, width, height), BinaryColor::On);
    let mut write = |x, text: &str| {
        paper.text(face, Point::new(x, 1), text, BinaryColor::Off);
    };
    write(2, title);
    write(width - 2 - face.width(aside), aside);
    height + 2
}

/// Large digits that end before `right`, as wide as fits from `left` on.
fn large_number(paper: &mut dyn Paper, (left, right): (i32, i32), y: i32, height: i32, text: &str) {
    digits::Size::fitting(height, text, right - left).right(paper, right, y, text);
}
