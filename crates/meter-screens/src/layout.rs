//! Layouts hold whatever there is to show: nothing leaves its page and nothing lies on anything
//! else.

extern crate std;

use core::convert::Infallible;
use core::net::IpAddr;
use core::time::Duration;
use std::format;
use std::string::String;
use std::vec::Vec;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::primitives::Rectangle;
use meter_core::{Decimal, Direction, ServerId, UnixMillis};
use proptest::prelude::*;

use crate::page::{Page, Panel, write};
use crate::paper::{Display, Face, Paper};
use crate::view::{Delivery, Device, Energy, Fault, Head, Meter, Network, Phase, Sight, View};

/// Paper that notes the box of all ink of each thing that is drawn.
#[derive(Default)]
struct Sketch {
    /// Texts and shapes, light on dark.
    light: Vec<(String, Rectangle)>,
    /// Texts, dark on light.
    dark: Vec<(String, Rectangle)>,
    fills: Vec<Rectangle>,
}

/// The box around the pixels of one thing: its corners.
#[derive(Default)]
struct Ink(Option<(Point, Point)>);

impl Ink {
    fn bounds(&self) -> Option<Rectangle> {
        self.0
            .map(|(first, last)| Rectangle::with_corners(first, last))
    }
}

impl OriginDimensions for Ink {
    fn size(&self) -> Size {
        Size::new(1000, 1000)
    }
}

impl DrawTarget for Ink {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        for Pixel(point, _) in pixels {
            let (first, last) = self.0.unwrap_or((point, point));
            self.0 = Some((first.component_min(point), last.component_max(point)));
        }
        Ok(())
    }
}

impl Paper for Sketch {
    fn text(&mut self, face: Face, at: Point, text: &str, colour: BinaryColor) {
        let mut ink = Ink::default();
        Display::new(&mut ink).text(face, at, text, colour);
        let texts = if colour.is_on() {
            &mut self.light
        } else {
            &mut self.dark
        };
        texts.extend(ink.bounds().map(|bounds| (String::from(text), bounds)));
    }

    fn fill(&mut self, area: Rectangle, _: BinaryColor) {
        if !area.is_zero_sized() {
            self.fills.push(area);
        }
    }

    fn shape(&mut self, area: Rectangle, inside: &dyn Fn(Point) -> bool) {
        let mut ink = Ink::default();
        Display::new(&mut ink).shape(area, inside);
        let name = format!("a shape at {:?}", area.top_left);
        self.light.extend(ink.bounds().map(|bounds| (name, bounds)));
    }
}

impl Sketch {
    /// What is wrong with it.
    fn faults(&self, panel: Panel) -> Vec<String> {
        let page = Rectangle::new(Point::zero(), panel.page_size());
        let mut faults = Vec::new();
        for (name, bounds) in self.light.iter().chain(&self.dark) {
            if page.intersection(bounds) != *bounds {
                faults.push(format!("{name} leaves the page: {bounds:?}"));
            }
        }
        for fill in &self.fills {
            if page.intersection(fill) != *fill {
                faults.push(format!("an area leaves the page: {fill:?}"));
            }
        }
        for (index, (name, bounds)) in self.light.iter().enumerate() {
            for (other, others) in self.light.iter().skip(index + 1) {
                if !bounds.intersection(others).is_zero_sized() {
                    faults.push(format!("{name} and {other} overlap: {bounds:?} {others:?}"));
                }
            }
            if self
                .fills
                .iter()
                .any(|fill| !fill.intersection(bounds).is_zero_sized())
            {
                faults.push(format!("{name} lies on an area: {bounds:?}"));
            }
        }
        for (index, (name, bounds)) in self.dark.iter().enumerate() {
            if !self
                .fills
                .iter()
                .any(|fill| fill.intersection(bounds) == *bounds)
            {
                faults.push(format!("{name} is dark on dark: {bounds:?}"));
            }
            for (other, others) in self.dark.iter().skip(index + 1) {
                if !bounds.intersection(others).is_zero_sized() {
                    faults.push(format!("{name} and {other} overlap"));
                }
            }
        }
        faults
    }
}

/// What a view borrows.
#[derive(Debug)]
struct Owned {
    texts: [String; 4],
    id: Vec<u8>,
    numbers: Vec<Option<Decimal>>,
    direction: Option<Direction>,
    pin_missing: bool,
    counts: [u32; 6],
    sight: Sight,
    signal_dbm: Option<i8>,
    address: Option<IpAddr>,
    moments: [Option<Duration>; 4],
    time: Option<i64>,
    utc_offset_minutes: i16,
    now: Duration,
}

impl Owned {
    fn view(&self) -> View<'_> {
        let [name, firmware, ssid, error] = self.texts.each_ref().map(String::as_str);
        let [backlog, frames, crc_errors, bytes, good, best] = self.counts;
        let [read, delivered_at, failed, last_frame] = self.moments;
        View {
            device: Device { name, firmware },
            meter: read.map(|at| self.meter(at)),
            head: Head {
                sight: self.sight,
                bytes_per_second: bytes,
                good_bytes_per_second: good,
                best_bytes_per_second: best,
                frames,
                crc_errors,
                last_frame,
            },
            network: Network {
                ssid,
                signal_dbm: self.signal_dbm,
                address: self.address,
            },
            delivery: Delivery {
                backlog,
                delivered_at,
                error: failed.map(|at| Fault { text: error, at }),
            },
            time: self.time.map(UnixMillis),
            utc_offset_minutes: self.utc_offset_minutes,
        }
    }

    fn meter(&self, at: Duration) -> Meter<'_> {
        let number = |index: usize| self.numbers.get(index).copied().flatten();
        let energy = |first| Energy {
            total: number(first),
            tariffs: [1, 2, 3, 4].map(|tariff| number(first + tariff)),
        };
        let phase = |first| Phase {
            power: number(first),
            voltage: number(first + 1),
            current: number(first + 2),
        };
        Meter {
            id: ServerId(&self.id).meter_id(),
            at,
            power: number(0),
            direction: self.direction,
            import: energy(1),
            export: energy(6),
            phases: [phase(11), phase(14), phase(17)],
            pin_missing: self.pin_missing,
        }
    }
}

fn decimal() -> impl Strategy<Value = Decimal> {
    let magnitude = prop_oneof![
        0_u64..1_000_000,
        0_u64..10_000_000_000_000_000,
        any::<u64>()
    ];
    let scaler = prop_oneof![8 => -5_i8..=3, 1 => any::<i8>()];
    (any::<bool>(), magnitude, scaler)
        .prop_map(|(negative, magnitude, scaler)| Decimal::from_parts(negative, magnitude, scaler))
}

fn id() -> impl Strategy<Value = Vec<u8>> {
    let din = any::<[u8; 6]>().prop_map(|rest| {
        let mut id = Vec::from(*b"\x0a\x01EMH");
        id.extend(rest.iter().skip(1));
        id
    });
    let text = "[ -~]{1,40}".prop_map(String::into_bytes);
    prop_oneof![din, text, proptest::collection::vec(any::<u8>(), 0..40)]
}

fn moment() -> impl Strategy<Value = Option<Duration>> {
    let seconds = prop_oneof![0_u64..200_000, any::<u64>()];
    proptest::option::of(seconds.prop_map(Duration::from_secs))
}

fn owned() -> impl Strategy<Value = Owned> {
    let direction = prop_oneof![
        Just(None),
        Just(Some(Direction::Import)),
        Just(Some(Direction::Export))
    ];
    let sight = prop_oneof![
        Just(Sight::Dark),
        Just(Sight::Echo),
        Just(Sight::Noise),
        Just(Sight::Good)
    ];
    let text = prop_oneof![
        "[ -~]{0,40}",
        "\\PC{0,40}",
        "[a-zA-Z]{1,9}( [a-zA-Z]{1,12}){0,20}"
    ];
    let texts = [text.clone(), text.clone(), text.clone(), text];
    let meter = (
        id(),
        proptest::collection::vec(proptest::option::weighted(0.8, decimal()), 20),
        direction,
        any::<bool>(),
    );
    let rest = (
        any::<[u32; 6]>(),
        sight,
        any::<Option<i8>>(),
        any::<Option<IpAddr>>(),
        [moment(), moment(), moment(), moment()],
        any::<Option<i64>>(),
        any::<i16>(),
        (0_u64..200_000_000).prop_map(Duration::from_millis),
    );
    (texts, meter, rest).prop_map(|(texts, meter, rest)| {
        let (id, numbers, direction, pin_missing) = meter;
        let (counts, sight, signal_dbm, address, moments, time, utc_offset_minutes, now) = rest;
        Owned {
            texts,
            id,
            numbers,
            direction,
            pin_missing,
            counts,
            sight,
            signal_dbm,
            address,
            moments,
            time,
            utc_offset_minutes,
            now,
        }
    })
}

proptest! {
    #[test]
    fn nothing_leaves_its_page_or_overlaps(owned in owned()) {
        let view = owned.view();
        for panel in [Panel::Large, Panel::Small] {
            for page in Page::ALL {
                if page.has_something(&view) {
                    let mut sketch = Sketch::default();
                    write(page, &view, owned.now, panel, &mut sketch);
                    let faults = sketch.faults(panel);
                    prop_assert!(faults.is_empty(), "{page:?} on {panel:?}: {faults:#?}");
                    prop_assert!(!sketch.light.is_empty(), "{page:?} on {panel:?} is empty");
                }
            }
        }
    }
}
