//! What `meter-core` makes of simulated telegrams is the truth, to the last digit.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use meter_core::{Direction, Reading, Rule, Value};
use meter_sim::{Meter, MeterConfig, Telegram, TrueValue, model};
use sml_wire::{Body, Decoder, Event, Obis};

/// A meter of each model from morning to evening in steps of three minutes, with sun in the middle of it.
fn daytime(pin_entered: bool, mut check: impl FnMut(&Meter, &Telegram, &Reading<'_>)) {
    for model in model::all().expect("model files are read") {
        let config = MeterConfig {
            seed: 11,
            pin_entered,
            pv_peak_w: 9_900,
            step_ms: Some(180_000),
            ..MeterConfig::default()
        };
        let mut meter = Meter::new(model, &config);
        for _ in 0..240 {
            let telegram = meter.telegram();
            read(&telegram, |reading| check(&meter, &telegram, reading));
        }
    }
}

fn read(telegram: &Telegram, check: impl FnOnce(&Reading<'_>)) {
    let mut decoder = Decoder::new([0; 2048]);
    let mut input = telegram.bytes.as_slice();
    let Some(Event::Frame(frame)) = decoder.next(&mut input) else {
        panic!("no frame");
    };
    let lists = frame
        .file()
        .messages()
        .flatten()
        .filter_map(|message| match message.body {
            Body::GetListRes(list) => Some(list),
            _ => None,
        });
    let lists: Vec<_> = lists.collect();
    let [list] = lists.as_slice() else {
        panic!("{} lists", lists.len());
    };
    check(&Reading::new(*list));
}

fn same(telegram: &Telegram, reading: &Reading<'_>) {
    let mut registers = reading.registers();
    for truth in &telegram.registers {
        let register = registers.next().expect("as many registers");
        assert_eq!(register.obis, truth.obis);
        assert_eq!(register.status, truth.status, "{}", truth.obis);
        assert_eq!(
            register.unit.map(|unit| unit.0),
            truth.unit,
            "{}",
            truth.obis
        );
        match (register.value, &truth.value) {
            (Value::Number(number), meant @ TrueValue::Number { .. }) => {
                assert_eq!(number.to_string(), meant.to_string(), "{}", truth.obis);
            }
            (Value::Octets(octets), TrueValue::Octets(meant)) => assert_eq!(octets, meant),
            other => panic!("{}: {other:?}", truth.obis),
        }
    }
    assert!(registers.next().is_none());
}

#[test]
fn a_reading_is_the_truth() {
    let mut rules: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
    for pin_entered in [true, false] {
        daytime(pin_entered, |meter, telegram, reading| {
            same(telegram, reading);
            // A missing PIN is noticed, and nothing else is taken for one.
            let locked = meter.model().pin_lock && !pin_entered;
            assert_eq!(reading.reduced(), locked, "{}", meter.model().name);
            assert_eq!(reading.server_id().0, telegram.server_id);
            for rule in reading.registers().filter_map(|register| register.rule) {
                *rules
                    .entry(rule.as_str())
                    .or_default()
                    .entry(meter.model().name)
                    .or_default() += 1;
            }
        });
    }
    // The rules are met, and by the meters that need them only.
    let seen = |rule: Rule| rules.get(rule.as_str()).cloned().unwrap_or_default();
    let names = |rule| seen(rule).into_keys().collect::<Vec<_>>();
    assert_eq!(names(Rule::DzgUnsignedPower), ["dzg-dvs74"]);
    assert_eq!(names(Rule::DirectionSign), ["emh-ed300l-old"]);
    assert!(
        rules
            .values()
            .flat_map(BTreeMap::values)
            .all(|count| *count >= 3),
        "{rules:?}"
    );
}

#[test]
fn power_and_direction_agree_with_the_household() {
    let mut fed_in = 0;
    daytime(true, |meter, telegram, reading| {
        let sum = [Obis::electricity(16, 7, 0), Obis::electricity(15, 7, 0)];
        let truth = sum.iter().find_map(|obis| telegram.number_text(*obis));
        let power = reading.power().map(|power| power.to_string());
        assert_eq!(power, truth, "{}", meter.model().name);
        let exports = truth.is_some_and(|text| text.starts_with('-'));
        let direction = if exports {
            Direction::Export
        } else {
            Direction::Import
        };
        assert_eq!(
            reading.direction(),
            Some(direction),
            "{}",
            meter.model().name
        );
        fed_in += u32::from(exports);
    });
    assert!(fed_in > 500, "{fed_in}");
}

#[test]
fn the_meter_id_is_that_of_the_nameplate() {
    let id = |name, serial| {
        let config = MeterConfig {
            serial,
            ..MeterConfig::default()
        };
        let telegram = Meter::new(model::find(name).expect("known"), &config).telegram();
        let mut text = String::new();
        read(&telegram, |reading| text = reading.meter_id().to_string());
        text
    };
    assert_eq!(id("emh-mme40", None), "1 EMH00 3021 1748");
    assert_eq!(id("easymeter-q3a", Some(62_232_997)), "1 ESY11 6223 2997");
    assert_eq!(id("emh-ed300l-old", None), "06-EMH-01030211714A");
}
