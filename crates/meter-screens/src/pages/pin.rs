//! The PIN was not entered: what to do, a step on each page.

use core::time::Duration;

use embedded_graphics::pixelcolor::BinaryColor;

use crate::icons::TORCH;
use crate::page::{Panel, PinStep};
use crate::pages::{alarm, beat};
use crate::paper::{Face, Paper, area};

/// What a step says.
struct Step {
    number: &'static str,
    large: &'static [&'static str],
    small: &'static [&'static str],
    /// How long the torch is on and off, in beats: `#` and space. Empty where there is no torch.
    flashes: &'static str,
}

const fn step(step: PinStep) -> Step {
    match step {
        PinStep::Ask => Step {
            number: "1/4",
            large: &[
                "Only whole kWh, no",
                "power. The meter's",
                "operator (see bill)",
                "gives you the PIN.",
            ],
            small: &["The meter's", "operator (see", "bill) gives it"],
            flashes: "",
        },
        PinStep::Call => Step {
            number: "2/4",
            large: &[
                "Flash a torch twice",
                "at the meter's eye:",
                "it asks for the PIN.",
            ],
            small: &["2 flashes of a", "torch at meter"],
            flashes: "# #      ",
        },
        PinStep::Digits => Step {
            number: "3/4",
            large: &[
                "Each digit as short",
                "flashes: this is 3.",
                "Wait 3 s, then next.",
            ],
            small: &["3 flashes = 3,", "3 s, next one"],
            flashes: "# # #        ",
        },
        PinStep::Keep => Step {
            number: "4/4",
            large: &[
                "Then flash for 5 s,",
                "at \"InF\" for on,",
                "at \"Pin\" for off.",
            ],
            small: &["5 s flash: InF", "on, Pin off"],
            flashes: "############   ",
        },
    }
}

pub fn write(which: PinStep, now: Duration, panel: Panel, paper: &mut dyn Paper) {
    let step = step(which);
    let (title, face, lines, pitch) = match panel {
        Panel::Large => ("PIN not entered", Face::Medium, step.large, 11),
        Panel::Small => ("Enter PIN", Face::Small, step.small, 8),
    };
    let mut y = alarm(paper, panel, title, step.number);
    for line in lines {
        paper.left(face, 0, y, line);
        y += pitch;
    }
    if !step.flashes.is_empty() {
        torch(step.flashes, now, panel, paper);
    }
}

/// A torch that flashes as it should be done, and the pattern beside it with a mark that walks.
fn torch(flashes: &str, now: Duration, panel: Panel, paper: &mut dyn Paper) {
    let (y, x) = match panel {
        Panel::Large => (50, 36),
        Panel::Small => (29, 30),
    };
    let beats = u64::try_from(flashes.len()).unwrap_or(1);
    let at = usize::try_from(beat(now, beats)).unwrap_or(0);
    TORCH.draw(paper, 0, y);
    if flashes.as_bytes().get(at) == Some(&b'#') {
        for ray in [1, 4, 7] {
            paper.fill(area(19, y + ray, 4, 1), BinaryColor::On);
        }
    }
    let wide = if panel == Panel::Large { 4 } else { 2 };
    let mut left = x;
    for sign in flashes.bytes() {
        if sign == b'#' {
            paper.fill(area(left, y + 1, wide, 7), BinaryColor::On);
        }
        left += wide;
    }
}
