//! The plausibility of counters, with the steps that meters really make.

use std::time::Duration;

use crate::made::*;
use meter_core::guard::{Guard, GuardConfig, Implausible, Reason};
use meter_core::{Obis, Reading};
use proptest::prelude::*;
use sml_wire::ListEntry;

fn guard() -> Guard {
    Guard::new(GuardConfig::default())
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Checks a reading with one counter, in tenths of Wh.
fn check(guard: &mut Guard, second: u64, tenths: u64) -> Result<(), Implausible> {
    guard.check(
        &reading(EMH, &[counter(IMPORT, tenths, -1)]),
        seconds(second),
    )
}

fn guard_at(tenths: u64) -> Guard {
    let mut guard = guard();
    assert_eq!(check(&mut guard, 0, tenths), Ok(()));
    guard
}

#[test]
fn a_counter_never_falls() {
    let mut guard = guard_at(23_559_290);
    let refused = check(&mut guard, 10, 23_559_289).unwrap_err();
    assert_eq!(refused.reason, Reason::Fell);
    assert_eq!(
        refused.to_string(),
        "1-0:1.8.0*255 fell from 2355929.0 Wh to 2355928.9 Wh"
    );
    assert_eq!(
        check(&mut guard, 11, 0).unwrap_err().reason,
        Reason::Fell,
        "nought at the start"
    );
    assert_eq!(check(&mut guard, 12, 23_559_290), Ok(()));
}

#[test]
fn a_counter_rises_as_fast_as_the_fuses_allow() {
    // 43.47 kW for 10 s and 2 s of jitter are 144.9 Wh, and two steps of 0.1 Wh.
    assert_eq!(check(&mut guard_at(10_000), 10, 11_451), Ok(()));
    let refused = check(&mut guard_at(10_000), 10, 11_452).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "1-0:1.8.0*255 rose from 1000.0 Wh to 1145.2 Wh within 10 s, and 1145.100 Wh is the most that the fuses allow"
    );
    assert!(
        check(&mut guard_at(10_000), 1, 10_000 + 5_242_880).is_err(),
        "a flipped bit"
    );
}

#[test]
fn both_directions_and_all_tariffs_are_watched() {
    for name in [IMPORT, IMPORT_HT, EXPORT, &[1, 1, 2, 8, 4, 255]] {
        let mut guard = guard();
        let at = |value| [counter(name, value, 0)];
        assert_eq!(guard.check(&reading(EMH, &at(1000)), seconds(0)), Ok(()));
        let refused = guard
            .check(&reading(EMH, &at(999)), seconds(1))
            .unwrap_err();
        assert_eq!(refused.obis.0, name);
    }
    // Power, the energy of past days, and what is not in Wh may do as they like.
    for entry in [
        |value| power(POWER, value, 0),
        |value| power(&[1, 0, 1, 8, 0, 96], value, 0),
        |value| ListEntry {
            unit: None,
            ..power(IMPORT, value, 0)
        },
    ] {
        let mut guard = guard();
        assert_eq!(
            guard.check(&reading(EMH, &[entry(1000)]), seconds(0)),
            Ok(())
        );
        assert_eq!(guard.check(&reading(EMH, &[entry(-5)]), seconds(1)), Ok(()));
        assert_eq!(
            guard.check(&reading(EMH, &[entry(99_000_000)]), seconds(2)),
            Ok(())
        );
    }
}

#[test]
fn a_gap_allows_what_may_have_flowed_in_it() {
    let week = 7 * 24 * 3600;
    let most = u64::from(GuardConfig::default().max_power) * 7 * 24;
    let mut guard = guard_at(0);
    assert_eq!(check(&mut guard, week, most * 10), Ok(()));
    assert!(check(&mut guard, week + 1, (most + 100) * 10).is_err());

    let mut guard = self::guard();
    let stored = [counter(IMPORT, 1000, 0)];
    guard.seed(&reading(EMH, &stored), seconds(5), seconds(3600));
    let later = |value| [counter(IMPORT, value, 0)];
    assert_eq!(
        guard.check(&reading(EMH, &later(44_000)), seconds(6)),
        Ok(())
    );
    assert!(
        guard
            .check(&reading(EMH, &later(43_999)), seconds(7))
            .is_err()
    );
}

#[test]
fn each_counter_has_its_own_gap() {
    let mut guard = guard();
    let both = [counter(IMPORT, 0, 0), counter(EXPORT, 0, 0)];
    assert_eq!(guard.check(&reading(EMH, &both), seconds(0)), Ok(()));
    assert_eq!(check(&mut guard, 3600, 10_000), Ok(()));
    let both = [counter(IMPORT, 1001, 0), counter(EXPORT, 30_000, 0)];
    assert_eq!(guard.check(&reading(EMH, &both), seconds(3601)), Ok(()));
}

#[test]
fn meters_that_count_in_kwh_step_by_a_whole_one() {
    let mut guard = guard();
    let kwh = |value| [counter(IMPORT, value, 3)];
    assert_eq!(guard.check(&reading(EMH, &kwh(2324)), seconds(0)), Ok(()));
    assert_eq!(guard.check(&reading(EMH, &kwh(2325)), seconds(1)), Ok(()));
    assert!(guard.check(&reading(EMH, &kwh(2328)), seconds(2)).is_err());
    // The PIN is entered, and later locked again.
    assert_eq!(check(&mut guard, 3, 23_259_290), Ok(()));
    assert_eq!(guard.check(&reading(EMH, &kwh(2325)), seconds(4)), Ok(()));
    assert!(guard.check(&reading(EMH, &kwh(2324)), seconds(5)).is_err());
    assert_eq!(check(&mut guard, 6, 23_250_000), Ok(()));
    let refused = guard.check(&reading(EMH, &kwh(2324)), seconds(7));
    assert!(refused.is_err(), "a whole step");
}

#[test]
fn readings_that_arrive_at_once_count_the_meter_s_seconds() {
    let mut guard = guard();
    for tens in 0..100 {
        // 40 kW, which is 111 Wh in ten seconds.
        let entries = [counter(IMPORT, tens * 1111, -1)];
        let reading = at_second(EMH, &entries, 5000 + tens * 10);
        assert_eq!(guard.check(&reading, seconds(1)), Ok(()), "{tens}");
    }
}

#[test]
fn a_refused_reading_changes_nothing() {
    let mut guard = guard();
    let both = |import, export| [counter(IMPORT, import, 0), counter(EXPORT, export, 0)];
    assert_eq!(
        guard.check(&reading(EMH, &both(1000, 1000)), seconds(0)),
        Ok(())
    );
    assert!(
        guard
            .check(&reading(EMH, &both(1010, 999)), seconds(1))
            .is_err()
    );
    assert_eq!(guard.refused(), 1);
    assert_eq!(
        guard.check(&reading(EMH, &both(1005, 1000)), seconds(2)),
        Ok(())
    );
    assert_eq!(guard.refused(), 0);
}

#[test]
fn a_replaced_meter_is_reported_and_accepted_by_a_person_only() {
    let mut guard = guard_at(1_000_000);
    for minute in 0..30 {
        let refused = check(&mut guard, 60 + minute * 30, 500 + minute).unwrap_err();
        assert_eq!(
            refused.before.to_string(),
            "100000.0",
            "still the accepted one"
        );
        assert_eq!(refused.perhaps_replaced, minute >= 10, "{minute}");
    }
    assert_eq!(guard.refused(), 30);
    assert!(guard.accept() && !guard.accept());
    assert_eq!(check(&mut guard, 2000, 530), Ok(()));
    assert!(check(&mut guard, 2001, 1_000_000).is_err());
}

#[test]
fn many_at_once_or_few_for_long_are_no_replaced_meter() {
    let mut guard = guard_at(1_000_000);
    for reading in 0..100 {
        let refused = check(&mut guard, 60 + reading, 500).unwrap_err();
        assert!(!refused.perhaps_replaced, "within two minutes");
    }
    let mut guard = guard_at(1_000_000);
    for reading in 1..=12 {
        let refused = check(&mut guard, 3600 * reading, 500).unwrap_err();
        assert_eq!(refused.perhaps_replaced, reading >= 10, "{reading}");
    }
}

#[test]
fn nonsense_is_no_replaced_meter() {
    let mut guard = guard_at(1_000_000);
    for reading in 0..100 {
        let nonsense = if reading % 2 == 0 { 500 } else { 900_000_000 };
        let refused = check(&mut guard, 60 * reading, nonsense).unwrap_err();
        assert!(!refused.perhaps_replaced);
    }
    // A plausible reading in between begins the count again.
    assert_eq!(check(&mut guard, 6001, 1_000_000), Ok(()));
    assert_eq!(guard.refused(), 0);
    assert!(!guard.accept());
}

#[test]
fn another_meter_is_never_compared() {
    let mut guard = guard_at(1_000_000);
    let other = [counter(IMPORT, 5, -1)];
    assert_eq!(guard.check(&reading(DZG, &other), seconds(1)), Ok(()));
    let other = [counter(IMPORT, 4, -1)];
    assert!(guard.check(&reading(DZG, &other), seconds(2)).is_err());
}

#[test]
fn more_counters_than_there_is_room_for() {
    let names: Vec<[u8; 6]> = (0..100).map(|tariff| [1, 0, 1, 8, tariff, 255]).collect();
    let entries = |value| -> Vec<ListEntry<'_>> {
        names.iter().map(|name| counter(name, value, 0)).collect()
    };
    let mut guard = guard();
    assert_eq!(
        guard.check(&reading(EMH, &entries(100)), seconds(0)),
        Ok(())
    );
    let refused = guard
        .check(&reading(EMH, &entries(99)), seconds(1))
        .unwrap_err();
    assert_eq!(refused.obis, Obis([1, 0, 1, 8, 0, 255]));
}

proptest! {
    /// Any load below the fuse, any gaps, whatever the resolution: never refused.
    #[test]
    fn honest_meters_are_never_refused(
        steps in proptest::collection::vec((1_u64..10_000, 0_u64..43_470), 1..60),
        scaler in -4_i8..=3,
    ) {
        let mut guard = guard();
        // In 10^-4 Wh, since 1 W for 1 s is 2.77… of them.
        let (mut second, mut energy) = (0, 123_456_789_u64);
        for (elapsed, watts) in steps {
            second += elapsed;
            energy += watts * elapsed * 10_000 / 3600;
            let shown = energy / 10_u64.pow(u32::from((scaler + 4).unsigned_abs()));
            let entries = [counter(IMPORT, shown, scaler.into())];
            prop_assert_eq!(guard.check(&reading(EMH, &entries), seconds(second)), Ok(()));
        }
    }

    #[test]
    fn accepted_counters_never_fall_and_never_rise_too_fast(
        values in proptest::collection::vec((0_u64..20, 0_u64..3000), 1..60),
    ) {
        let mut guard = guard();
        let (mut second, mut accepted) = (0, None);
        for (elapsed, value) in values {
            second += elapsed;
            let entries = [counter(IMPORT, value, 0)];
            if guard.check(&reading(EMH, &entries), seconds(second)).is_ok() {
                if let Some((at, before)) = accepted {
                    prop_assert!(value >= before);
                    let most = 43_470 * (second - at + 2) / 3600 + 2;
                    prop_assert!(value - before <= most);
                }
                accepted = Some((second, value));
            }
        }
    }

    #[test]
    fn nothing_panics(
        readings in proptest::collection::vec((any::<u64>(), any::<i8>(), any::<u64>(), any::<u64>()), 1..20),
        max_power: u32,
    ) {
        let mut guard = Guard::new(GuardConfig { max_power, ..GuardConfig::default() });
        for (value, scaler, second, index) in readings {
            let entries = [counter(IMPORT, value, scaler.into())];
            let reading: Reading<'_> = at_second(EMH, &entries, index);
            if let Err(refused) = guard.check(&reading, seconds(second)) {
                let _ = refused.to_string();
            }
        }
    }
}
