//! Pages turn, alerts come first, and nothing burns in.

mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use embedded_graphics::geometry::{Point, Size};
use meter_core::Direction;
use meter_screens::{Brightness, Carousel, CarouselConfig, Meter, Page, Panel, PinStep, View};
use proptest::prelude::*;
use views::{NOW, Picture};

fn view(name: &str) -> View<'static> {
    let all: BTreeMap<_, _> = views::all().into_iter().collect();
    all[name]
}

/// A view that never grows old.
fn fresh(view: &View<'static>, now: Duration) -> View<'static> {
    let mut view = *view;
    view.head.last_frame = Some(now);
    view.meter = view.meter.map(|meter| Meter { at: now, ..meter });
    view
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The pages that are shown one after the other, in so many seconds.
fn pages(carousel: &mut Carousel, view: &View<'static>, from: u64, length: u64) -> Vec<Page> {
    let mut seen = Vec::new();
    for now in (from..from + length).map(seconds) {
        seen.push(carousel.poll(now, &fresh(view, now)));
    }
    seen.dedup();
    seen
}

#[test]
fn pages_turn_and_empty_ones_are_skipped() {
    let mut carousel = Carousel::new(CarouselConfig::default(), Duration::ZERO);
    let rounds = pages(&mut carousel, &view("house"), 0, 80);
    let round = [
        Page::Reading,
        Page::Phases,
        Page::Totals,
        Page::Network,
        Page::Delivery,
    ];
    assert_eq!(rounds.first(), Some(&Page::Start));
    assert_eq!(rounds.get(1..6).unwrap(), round);
    assert_eq!(rounds.get(6..11).unwrap(), round);

    let mut carousel = Carousel::new(CarouselConfig::default(), Duration::ZERO);
    let seen = pages(&mut carousel, &view("sun"), 0, 60);
    assert!(seen.contains(&Page::Tariffs(Direction::Import)));
    assert!(!seen.contains(&Page::Tariffs(Direction::Export)));
}

#[test]
fn the_page_with_the_power_stays_longest() {
    let mut carousel = Carousel::new(CarouselConfig::default(), Duration::ZERO);
    let mut shown = BTreeMap::new();
    for now in (4..4 + 39).map(seconds) {
        let page = carousel.poll(now, &fresh(&view("house"), now));
        *shown.entry(format!("{page:?}")).or_insert(0) += 1;
    }
    assert_eq!(shown["Reading"], 15);
    assert_eq!(shown["Totals"], 6);
}

#[test]
fn a_button_turns_at_once_and_the_page_stays() {
    let mut carousel = Carousel::new(CarouselConfig::default(), Duration::ZERO);
    let house = |now| fresh(&view("house"), now);
    assert_eq!(carousel.poll(seconds(5), &house(seconds(5))), Page::Reading);
    assert_eq!(carousel.press(seconds(6), &house(seconds(6))), Page::Phases);
    assert_eq!(carousel.press(seconds(7), &house(seconds(7))), Page::Totals);
    assert_eq!(
        carousel.poll(seconds(36), &house(seconds(36))),
        Page::Totals
    );
    assert_eq!(
        carousel.poll(seconds(37), &house(seconds(37))),
        Page::Network
    );
    let turned: Vec<_> = (38..41)
        .map(|now| carousel.press(seconds(now), &house(seconds(now))))
        .collect();
    assert_eq!(turned, [Page::Delivery, Page::Alignment, Page::Reading]);
}

#[test]
fn a_pin_comes_first_and_keeps_coming() {
    let mut carousel = Carousel::new(CarouselConfig::default(), Duration::ZERO);
    let before = fresh(&view("house"), seconds(5));
    assert_eq!(carousel.poll(seconds(5), &before), Page::Reading);
    let seen = pages(&mut carousel, &view("locked"), 6, 60);
    assert_eq!(seen.get(..4).unwrap(), PinStep::ALL.map(Page::Pin));
    assert_eq!(seen.get(4), Some(&Page::Reading));
    let pins = seen.iter().filter(|page| **page == Page::Pin(PinStep::Ask));
    assert!(pins.count() > 1, "{seen:?}");
}

#[test]
fn a_head_that_is_lost_holds_its_page_until_it_is_found() {
    let mut carousel = Carousel::new(CarouselConfig::default(), Duration::ZERO);
    let lost = view("empty");
    let before: Vec<_> = (0..15)
        .map(|now| carousel.poll(seconds(now), &lost))
        .collect();
    assert!(!before.contains(&Page::Alignment), "{before:?}");
    for now in 15..50 {
        assert_eq!(carousel.poll(seconds(now), &lost), Page::Alignment);
    }
    assert_eq!(
        carousel.press(seconds(50), &lost),
        Page::Network,
        "by the button"
    );
    assert_eq!(
        carousel.poll(seconds(80), &lost),
        Page::Alignment,
        "back by itself"
    );
    let found = fresh(&view("house"), seconds(81));
    assert_eq!(
        carousel.poll(seconds(81), &found),
        Page::Alignment,
        "to be seen"
    );
    assert_eq!(carousel.poll(seconds(87), &found), Page::Reading);
}

#[test]
fn nobody_looks_so_it_dims_and_sleeps() {
    let mut carousel = Carousel::new(CarouselConfig::default(), Duration::ZERO);
    let house = |now| fresh(&view("house"), now);
    for (now, brightness) in [
        (59, Brightness::Full),
        (60, Brightness::Dim),
        (599, Brightness::Dim),
        (600, Brightness::Off),
    ] {
        carousel.poll(seconds(now), &house(seconds(now)));
        assert_eq!(carousel.brightness(seconds(now)), brightness, "{now} s");
    }
    let mut picture = Picture::new(128, 64);
    picture.pixels.fill(true);
    carousel
        .draw(&house(seconds(600)), seconds(600), &mut picture)
        .unwrap();
    assert!(
        (0..64).all(|y| (0..128).all(|x| !picture.is_lit(x, y))),
        "it sleeps dark"
    );

    let now = seconds(5000);
    assert_eq!(carousel.press(now, &house(now)), Page::Reading);
    assert_eq!(carousel.brightness(now), Brightness::Full);

    let now = seconds(9000);
    assert_eq!(carousel.brightness(now), Brightness::Off);
    let locked = fresh(&view("locked"), now);
    assert_eq!(carousel.poll(now, &locked), Page::Pin(PinStep::Ask));
    assert_eq!(
        carousel.brightness(now),
        Brightness::Full,
        "an alert wakes it"
    );
}

#[test]
fn it_never_sleeps_when_told_so() {
    let config = CarouselConfig {
        dim_after: None,
        sleep_after: None,
        ..CarouselConfig::default()
    };
    let carousel = Carousel::new(config, Duration::ZERO);
    assert_eq!(carousel.brightness(Duration::MAX), Brightness::Full);
}

#[test]
fn each_place_of_the_panel_gets_its_turn_in_small_steps() {
    let carousel = Carousel::new(CarouselConfig::default(), Duration::ZERO);
    for (size, places) in [
        (Size::new(128, 64), 25),
        (Size::new(72, 40), 9),
        (Size::new(70, 38), 1),
        (Size::new(320, 240), 25),
    ] {
        let shifts: Vec<Point> = (0..120)
            .map(|minute| carousel.shift(Duration::from_mins(minute), size))
            .collect();
        for (from, to) in shifts.iter().zip(shifts.iter().skip(1)) {
            let step = (*to - *from).abs();
            assert!(step.x + step.y <= 1, "{size}: {from:?} -> {to:?}");
        }
        let seen: BTreeSet<_> = shifts.iter().map(|shift| (shift.x, shift.y)).collect();
        assert_eq!(seen.len(), places, "{size}");
        let page = Panel::within(size).page_size();
        for (x, y) in seen {
            let corner = Point::new(x, y) + page;
            let inside =
                corner.x.unsigned_abs() <= size.width && corner.y.unsigned_abs() <= size.height;
            assert!(inside && x >= 0 && y >= 0, "{size}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_happens_it_stays_on_the_panel_and_asks_to_be_polled(
        steps in proptest::collection::vec((0_u64..200_000, 0_usize..6, any::<bool>()), 1..40),
    ) {
        let views = views::all();
        let mut carousel = Carousel::new(CarouselConfig::default(), Duration::ZERO);
        let mut now = Duration::ZERO;
        for (millis, index, press) in steps {
            now += Duration::from_millis(millis);
            let view = views[index].1;
            let page = if press {
                carousel.press(now, &view)
            } else {
                carousel.poll(now, &view)
            };
            prop_assert!(page.has_something(&view));
            prop_assert!(carousel.poll_at(now) > now);
            for (width, height) in [(128, 64), (72, 40)] {
                let mut picture = Picture::new(width, height);
                carousel.draw(&view, now, &mut picture).unwrap();
                prop_assert_eq!(picture.outside, 0);
            }
        }
    }

    #[test]
    fn a_display_that_is_too_small_cuts_and_nothing_panics(
        width in 0_u32..200, height in 0_u32..100, minutes in any::<u64>(),
    ) {
        let now = Duration::from_secs(minutes);
        let carousel = Carousel::new(CarouselConfig::default(), Duration::ZERO);
        let mut picture = Picture::new(width, height);
        for (_, view) in views::all() {
            carousel.draw(&view, now, &mut picture).unwrap();
            meter_screens::draw(Page::Network, &view, NOW, &mut picture).unwrap();
        }
    }
}
