//! The start picture.

use crate::icons::METER;
use crate::page::Panel;
use crate::paper::{Face, Paper};
use crate::text::{Line, fit};
use crate::view::View;

const NAME: &str = "meterline";

pub fn write(view: &View<'_>, panel: Panel, paper: &mut dyn Paper) {
    let device = &view.device;
    let version = Line::of(format_args!("firmware {}", device.firmware));
    match panel {
        Panel::Large => {
            METER.draw(paper, 2, 8);
            paper.left(Face::Title, 38, 7, NAME);
            let (face, line) = fit(version.as_str(), &[Face::Small, Face::Tiny], 84);
            paper.left(face, 39, 26, line.as_str());
            paper.rule(41, 124);
            let (face, line) = fit(device.name, &[Face::Medium, Face::Small, Face::Tiny], 124);
            paper.centred(face, 124, 47, line.as_str());
        }
        Panel::Small => {
            paper.centred(Face::Bold, 70, 2, NAME);
            let (face, line) = fit(device.firmware, &[Face::Small, Face::Tiny], 70);
            paper.centred(face, 70, 16, line.as_str());
            paper.rule(26, 70);
            let (face, line) = fit(device.name, &[Face::Small, Face::Tiny], 70);
            paper.centred(face, 70, 30, line.as_str());
        }
    }
}
