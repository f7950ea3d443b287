//! What becomes of the readings, and the last thing that went wrong.

use core::time::Duration;

use crate::page::Panel;
use crate::pages::header;
use crate::paper::{Face, Paper, area};
use crate::text::{Line, age, fit, paragraph, short};
use crate::view::View;

pub fn write(view: &View<'_>, now: Duration, panel: Panel, paper: &mut dyn Paper) {
    let delivery = &view.delivery;
    let since = |at: Duration| age(now.saturating_sub(at));
    let delivered = delivery.delivered_at.map_or_else(
        || Line::of("never"),
        |at| Line::of(format_args!("{} ago", since(at).as_str())),
    );
    let backlog = Line::of(delivery.backlog);
    let error = delivery
        .error
        .map(|error| (since(error.at), Line::of(error.text)));
    match panel {
        Panel::Large => {
            let version = Line::of(format_args!("v{}", view.device.firmware));
            let (_, version) = fit(version.as_str(), &[Face::Medium], 70);
            let top = header(paper, panel, "Delivery", version.as_str());
            paper.left(Face::Medium, 0, top, "sent");
            paper.right(Face::Medium, 124, top, delivered.as_str());
            paper.left(Face::Medium, 0, top + 10, "waiting");
            paper.right(Face::Medium, 124, top + 10, backlog.as_str());
            paper.rule(top + 21, 124);
            match error {
                Some((age, text)) => {
                    let line = Line::of(format_args!("{} ago: {}", age.as_str(), text.as_str()));
                    let faces = [Face::Medium, Face::Small, Face::Tiny];
                    paragraph(paper, &faces, area(0, top + 24, 124, 23), line.as_str());
                }
                None => paper.left(Face::Medium, 0, top + 24, "no error"),
            }
        }
        Panel::Small => {
            let sent = [Face::Small, Face::Tiny];
            let line = Line::of(format_args!("sent {}", delivered.as_str()));
            let (face, line) = fit(line.as_str(), &sent, 70);
            paper.left(face, 0, 0, line.as_str());
            let line = Line::of(format_args!("{} waiting", short(delivery.backlog).as_str()));
            let (face, line) = fit(line.as_str(), &sent, 70);
            paper.left(face, 0, 8, line.as_str());
            paper.rule(16, 70);
            let text = match error {
                Some((age, text)) => {
                    Line::of(format_args!("{} ago: {}", age.as_str(), text.as_str()))
                }
                None => Line::of(format_args!("no error. v{}", view.device.firmware)),
            };
            paragraph(paper, &sent, area(0, 18, 70, 20), text.as_str());
        }
    }
}
