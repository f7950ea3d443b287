//! How the head sits: a bar to look at while moving it.

use embedded_graphics::pixelcolor::BinaryColor;

use crate::page::Panel;
use crate::pages::size;
use crate::paper::{Face, Paper, area};
use crate::text::{Line, fit, short};
use crate::view::{Head, Sight};

pub fn write(head: &Head, panel: Panel, paper: &mut dyn Paper) {
    let (width, height) = size(panel);
    let (word, advice) = match head.sight {
        Sight::Dark => ("DARK", "no light from meter"),
        Sight::Echo => ("ECHO", "head hears itself"),
        Sight::Noise => ("NOISE", "turn or move head"),
        Sight::Good => ("GOOD", "head sits well"),
    };
    match panel {
        Panel::Large => {
            paper.left(Face::Title, 0, 0, word);
            let faces = [Face::Medium, Face::Small, Face::Tiny];
            let rate = counted(head.bytes_per_second, " B/s");
            let (face, rate) = fit(rate.as_str(), &faces, 76);
            paper.right(face, width, 13 - face.baseline(), rate.as_str());
            bar(head, 20, 14, width, paper);
            paper.left(Face::Medium, 0, 38, advice);
            let good = counted(head.frames, " good");
            let bad = counted(head.crc_errors, " bad CRC");
            counts(&good, &bad, &faces, height - 10, width, paper);
        }
        Panel::Small => {
            paper.left(Face::Bold, 0, 0, word);
            let faces = [Face::Small, Face::Tiny];
            let room = width - Face::Bold.width(word) - 2;
            let rate = counted(head.bytes_per_second, "B/s");
            let (face, rate) = fit(rate.as_str(), &faces, room);
            paper.right(face, width, 10 - face.baseline(), rate.as_str());
            bar(head, 14, 12, width, paper);
            let good = counted(head.frames, " ok");
            let bad = counted(head.crc_errors, " bad");
            counts(&good, &bad, &faces, height - 8, width, paper);
        }
    }
}

fn counted(count: u32, of: &str) -> Line {
    let mut line = short(count);
    line.add(of);
    line
}

/// Good frames at the left, bad ones at the right.
fn counts(good: &Line, bad: &Line, faces: &[Face], y: i32, width: i32, paper: &mut dyn Paper) {
    let (face, line) = fit(good.as_str(), faces, width / 2);
    paper.left(face, 0, y, line.as_str());
    let rest = width - face.width(line.as_str()) - 2;
    let (face, line) = fit(bad.as_str(), faces, rest);
    paper.right(face, width, y, line.as_str());
}

/// A frame as long as the best there was; full as far as good frames come, dotted as far as bytes.
fn bar(head: &Head, y: i32, height: i32, width: i32, paper: &mut dyn Paper) {
    paper.frame(0, y, width, height);
    let inner = width - 4;
    let best = head.best_bytes_per_second.max(head.bytes_per_second);
    let good = length(head.good_bytes_per_second, best, inner);
    let any = length(head.bytes_per_second, best, inner);
    paper.fill(area(2, y + 2, good, height - 4), BinaryColor::On);
    for x in (2 + good..2 + any).filter(|x| x % 3 == 0) {
        paper.fill(area(x, y + height / 2 - 1, 1, 2), BinaryColor::On);
    }
}

/// The part of a length.
fn length(part: u32, whole: u32, length: i32) -> i32 {
    let scaled = i64::from(part) * i64::from(length) / i64::from(whole.max(1));
    i32::try_from(scaled).unwrap_or(length).min(length)
}
