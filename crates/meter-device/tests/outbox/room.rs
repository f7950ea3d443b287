//! What stays when the flash is full.

use std::collections::BTreeSet;
use std::time::Duration;

use meter_device::outbox::Options;

use crate::device::{Device, Taken};

const SECTORS: usize = 8;
const QUARTER: i64 = 900_000;

/// Meters in turn, nobody to deliver to.
fn offline(
    readings: u32,
    every: Duration,
    meters: u8,
    restart: bool,
) -> (Device<SECTORS>, Vec<Taken>) {
    let mut device = Device::new(Options::default());
    for reading in 0..readings {
        device
            .push(u8::try_from(reading % u32::from(meters)).unwrap(), 300)
            .unwrap();
        device.pass(every).unwrap();
        if restart && reading % 500 == 499 {
            device.flush().unwrap();
            device.restart();
        }
    }
    device.flush().unwrap();
    device.check();
    let left = device.batch(usize::MAX).unwrap();
    let left: Vec<Taken> = left.into_iter().map(|(_, taken)| taken).collect();
    let counters = device.status().counters;
    let there = u32::try_from(left.len()).unwrap();
    assert_eq!(counters.spilled, readings);
    assert_eq!(counters.corrupt, 0);
    assert_eq!(
        there + counters.thinned + counters.dropped,
        readings,
        "every reading is accounted for"
    );
    assert_eq!(
        left.last().map(|taken| taken.id),
        Some(readings),
        "the newest stays"
    );
    (device, left)
}

/// The meters and quarter-hours of readings, how many there are of each.
fn quarters(readings: &[Taken]) -> Vec<((i64, u8), usize)> {
    let mut found: Vec<(i64, u8)> = readings
        .iter()
        .map(|taken| (taken.time / QUARTER, taken.meter))
        .collect();
    found.sort_unstable();
    let each: BTreeSet<(i64, u8)> = found.iter().copied().collect();
    each.into_iter()
        .map(|key| (key, found.iter().filter(|found| **found == key).count()))
        .collect()
}

#[test]
fn old_readings_are_thinned_before_any_is_dropped() {
    for restart in [false, true] {
        let (device, left) = offline(2000, Duration::from_secs(10), 2, restart);
        let counters = device.status().counters;
        assert!(
            counters.thinned > 1800 && counters.dropped == 0,
            "{counters:?}"
        );
        let all = quarters(&device.taken);
        let kept = quarters(&left);
        let keys = |of: &[((i64, u8), usize)]| of.iter().map(|(key, _)| *key).collect::<Vec<_>>();
        assert_eq!(
            keys(&all),
            keys(&kept),
            "of each quarter-hour and meter there is one"
        );
        let several = kept.iter().filter(|(_, count)| *count > 1).count();
        assert!(several <= 4, "but in what was not thinned yet: {kept:?}");
    }
}

#[test]
fn then_the_oldest_are_dropped() {
    let (device, left) = offline(6000, Duration::from_mins(1), 1, true);
    let counters = device.status().counters;
    assert!(
        counters.thinned > 5000 && counters.dropped > 200,
        "{counters:?}"
    );
    let kept = quarters(&left);
    let first = kept.first().unwrap().0.0;
    let last = device.taken.last().unwrap().time / QUARTER;
    assert_eq!(
        i64::try_from(kept.len()).unwrap(),
        last - first + 1,
        "without a gap"
    );
    assert!(kept.len() > 35, "four of eight sectors hold {}", kept.len());
}

#[test]
fn where_nothing_can_be_thinned_the_oldest_are_dropped() {
    let (device, left) = offline(500, Duration::from_mins(15), 1, false);
    let counters = device.status().counters;
    assert!(
        counters.thinned == 0 && counters.dropped > 0,
        "{counters:?}"
    );
    let first = left.first().unwrap().id;
    assert_eq!(
        left.len(),
        usize::try_from(500 - first + 1).unwrap(),
        "without a gap"
    );
    assert!(left.len() > 60);
}

#[test]
fn a_thinned_backlog_drains_oldest_first_and_leaves_an_empty_store() {
    let (mut device, left) = offline(2000, Duration::from_secs(10), 2, false);
    let mut delivered = Vec::new();
    loop {
        let batch = device.deliver(7).unwrap();
        if batch.is_empty() {
            break;
        }
        delivered.extend(batch);
        // The meter goes on meanwhile.
        if delivered.len() % 3 == 0 {
            device.push(0, 300).unwrap();
        }
    }
    assert_eq!(
        delivered.iter().take(left.len()).collect::<Vec<_>>(),
        left.iter().collect::<Vec<_>>()
    );
    assert_eq!(
        (device.status().in_memory, device.status().in_flash),
        (0, 0)
    );
    device.check();
}
