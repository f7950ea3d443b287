//! Wi-Fi, address and time.

use core::time::Duration;

use meter_core::UnixMillis;

use crate::icons::signal;
use crate::page::Panel;
use crate::paper::{Face, Paper, area};
use crate::text::{Line, fit, paragraph};
use crate::view::{Network, View};

pub fn write(view: &View<'_>, panel: Panel, paper: &mut dyn Paper) {
    let network = &view.network;
    let ssid = if network.ssid.is_empty() {
        "Wi-Fi not set"
    } else {
        network.ssid
    };
    let strength = strength(network);
    let address = network
        .address
        .map_or_else(|| Line::of("no address"), Line::of);
    let time = view
        .time
        .map_or_else(|| Line::of("time unknown"), |time| clock(time, view, panel));
    match panel {
        Panel::Large => {
            signal(paper, 0, 2, network.bars());
            let faces = [Face::Bold, Face::Medium, Face::Small, Face::Tiny];
            paragraph(paper, &faces, area(15, 0, 109, 13), ssid);
            paper.rule(13, 124);
            paper.left(Face::Small, 0, 16, strength.as_str());
            let faces = [Face::Bold, Face::Medium, Face::Small];
            paragraph(paper, &faces, area(0, 27, 124, 14), address.as_str());
            let faces = [Face::Medium, Face::Small, Face::Tiny];
            let (face, line) = fit(time.as_str(), &faces, 124);
            paper.left(face, 0, 50, line.as_str());
        }
        Panel::Small => {
            signal(paper, 59, 30, network.bars());
            let faces = [Face::Medium, Face::Small, Face::Tiny];
            paragraph(paper, &faces, area(0, 0, 70, 12), ssid);
            let faces = [Face::Small, Face::Tiny];
            paragraph(paper, &faces, area(0, 13, 70, 18), address.as_str());
            let (face, line) = fit(time.as_str(), &[Face::Tiny], 56);
            paper.left(face, 0, 32, line.as_str());
        }
    }
}

fn strength(network: &Network<'_>) -> Line {
    match (network.signal_dbm, network.bars()) {
        (None, _) => Line::of("not connected"),
        (Some(signal), bars) => {
            let word = match bars {
                4 => "very good",
                3 => "good",
                2 => "weak",
                _ => "too weak",
            };
            Line::of(format_args!("{signal} dBm, {word}"))
        }
    }
}

/// Date and time of day.
fn clock(time: UnixMillis, view: &View<'_>, panel: Panel) -> Line {
    let ahead = Duration::from_secs(60 * u64::from(view.utc_offset_minutes.unsigned_abs()));
    let local = if view.utc_offset_minutes < 0 {
        time.saturating_sub(ahead)
    } else {
        time.saturating_add(ahead)
    };
    // As in RFC 3339: 2026-11-22T17:53:00.123Z
    let printed = Line::of(local);
    let (date, rest) = printed.as_str().split_once('T').unwrap_or_default();
    let minutes = rest.get(..5).unwrap_or_default();
    let zone = if view.utc_offset_minutes == 0 {
        " UTC"
    } else {
        ""
    };
    match panel {
        Panel::Large => Line::of(format_args!("{date} {minutes}{zone}")),
        Panel::Small => Line::of(format_args!("{minutes}{zone}")),
    }
}
