//! Every model, decoded by the project's own decoder, gives the truth.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use meter_sim::model::{self, Crc, Fault, Model};
use meter_sim::{Meter, MeterConfig, Telegram, TrueRegister, TrueValue};
use sml_wire::{Body, CrcKind, Decoder, Event, Frame, GetListRes, Integer, ListEntry, Obis, Value};

const POWER: Obis = Obis::electricity(16, 7, 0);

/// Configurations that reach every branch: by day and by night, with and without sun and PIN.
fn configs() -> Vec<MeterConfig> {
    let mut configs = Vec::new();
    for (seed, pv_peak_w) in [(1, 0), (2, 4_000), (3, 9_900)] {
        for pin_entered in [true, false] {
            for hour in [3, 12, 21] {
                configs.push(MeterConfig {
                    seed,
                    pv_peak_w,
                    pin_entered,
                    start: 1_780_272_000 + hour * 3600,
                    ..MeterConfig::default()
                });
            }
        }
    }
    configs
}

fn every_telegram(per_meter: usize, mut check: impl FnMut(&Model, &MeterConfig, &Telegram)) {
    for model in model::all().expect("model files are read") {
        for config in configs() {
            for telegram in Meter::new(model.clone(), &config).take(per_meter) {
                check(&model, &config, &telegram);
            }
        }
    }
}

fn frame<R>(telegram: &Telegram, check: impl FnOnce(Frame<'_>) -> R) -> R {
    let mut decoder = Decoder::new([0; 2048]);
    let mut input = telegram.bytes.as_slice();
    match decoder.next(&mut input) {
        Some(Event::Frame(frame)) => {
            assert_eq!(frame.length, telegram.bytes.len());
            check(frame)
        }
        other => panic!("{other:?}"),
    }
}

fn list<R>(telegram: &Telegram, check: impl FnOnce(GetListRes<'_>) -> R) -> R {
    frame(telegram, |frame| {
        let messages: Vec<_> = frame
            .file()
            .messages()
            .map(|m| m.expect("well-formed"))
            .collect();
        assert_eq!(messages.len(), 3);
        assert!(messages.iter().all(sml_wire::Message::intact));
        match messages[1].body {
            Body::GetListRes(list) => check(list),
            other => panic!("{other:?}"),
        }
    })
}

/// What the wire says, but for the one fault that turns a positive number into another.
fn agrees(model: &Model, entry: &ListEntry<'_>, truth: &TrueRegister) {
    assert_eq!(entry.obis(), Some(truth.obis));
    assert_eq!(entry.status.and_then(Integer::as_u64), truth.status);
    let described = model
        .entries
        .iter()
        .find(|described| described.obis == truth.obis);
    let fault = described.and_then(|described| described.fault);
    let magnitude = truth.obis == Obis::electricity(15, 7, 0);
    match (entry.value, &truth.value) {
        (Value::Octets(sent), TrueValue::Octets(meant)) => assert_eq!(sent, meant),
        (Value::Integer(sent), TrueValue::Number { mantissa, scaler }) => {
            let sent_scaler = entry.scaler.and_then(Integer::as_i64);
            assert_eq!(sent_scaler, Some(i64::from(*scaler)));
            let value = match fault {
                Some(Fault::UnsignedAsSigned) if *mantissa > 0 => {
                    sent.reinterpret_unsigned().as_i64()
                }
                _ => sent.as_i64(),
            };
            let meant = if magnitude { mantissa.abs() } else { *mantissa };
            assert_eq!(value, Some(meant), "{} {}", model.name, truth.obis);
        }
        (sent, meant) => panic!("{sent:?} for {meant:?}"),
    }
}

#[test]
fn every_telegram_decodes_and_gives_the_truth() {
    every_telegram(40, |model, _, telegram| {
        frame(telegram, |frame| {
            let kind = match model.crc {
                Crc::X25 => CrcKind::X25,
                Crc::Kermit => CrcKind::Kermit,
            };
            assert_eq!(frame.crc, kind, "{}", model.name);
        });
        list(telegram, |list| {
            assert_eq!(list.server_id, telegram.server_id);
            if let Some(time) = list.sensor_time {
                assert_eq!(time.seconds_index(), Some(telegram.seconds_index));
            }
            assert_eq!(
                list.entries.len(),
                telegram.registers.len(),
                "{}",
                model.name
            );
            for (entry, truth) in list.entries.iter().zip(&telegram.registers) {
                agrees(model, &entry, truth);
            }
        });
    });
}

#[test]
fn without_its_pin_a_locked_meter_shows_whole_kilowatt_hours_and_no_power() {
    every_telegram(3, |model, config, telegram| {
        let locked = model.pin_lock && !config.pin_entered;
        let power = telegram
            .registers
            .iter()
            .any(|register| register.unit == Some(27));
        assert_eq!(power, !locked, "{}", model.name);
        for register in telegram
            .registers
            .iter()
            .filter(|register| register.unit == Some(30))
        {
            let TrueValue::Number { scaler, .. } = register.value else {
                panic!("energy is a number");
            };
            assert_eq!(scaler == 3, locked, "{} {}", model.name, register.obis);
        }
    });
}

#[test]
fn registers_add_up() {
    let mantissa = |telegram: &Telegram, obis| match telegram.register(obis)?.value {
        TrueValue::Number { mantissa, .. } => Some(mantissa),
        TrueValue::Octets(_) => None,
    };
    let sums = [
        ((1, 8, 0), vec![(1, 8, 1), (1, 8, 2)]),
        ((2, 8, 0), vec![(2, 8, 1), (2, 8, 2)]),
        ((16, 7, 0), vec![(36, 7, 0), (56, 7, 0), (76, 7, 0)]),
    ];
    let mut compared = 0;
    every_telegram(40, |model, config, telegram| {
        if model.pin_lock && !config.pin_entered {
            // Each register is cut to whole kilowatt-hours by itself, as in real meters.
            return;
        }
        for ((c, d, e), parts) in &sums {
            let whole = mantissa(telegram, Obis::electricity(*c, *d, *e));
            let parts = parts
                .iter()
                .map(|(c, d, e)| mantissa(telegram, Obis::electricity(*c, *d, *e)));
            if let Some((whole, parts)) = whole.zip(parts.sum::<Option<i64>>()) {
                assert_eq!(whole, parts, "{} {c}.{d}.{e}", model.name);
                compared += 1;
            }
        }
    });
    assert!(compared > 5000, "{compared}");
}

#[test]
fn energy_never_falls_and_both_directions_are_reached() {
    let (mut importing, mut exporting) = (0, 0);
    for model in model::all().expect("model files are read") {
        let config = MeterConfig {
            seed: 4,
            pv_peak_w: 9_900,
            step_ms: Some(180_000),
            ..MeterConfig::default()
        };
        let mut last: Vec<(Obis, i64)> = Vec::new();
        for telegram in Meter::new(model.clone(), &config).take(240) {
            let energies: Vec<(Obis, i64)> = telegram
                .registers
                .iter()
                .filter(|register| register.unit == Some(30))
                .filter_map(|register| match register.value {
                    TrueValue::Number { mantissa, .. } => Some((register.obis, mantissa)),
                    TrueValue::Octets(_) => None,
                })
                .collect();
            for ((obis, before), (_, now)) in last.iter().zip(&energies) {
                assert!(now >= before, "{} {obis}", model.name);
            }
            last = energies;
            match telegram
                .number_text(POWER)
                .map(|text| text.starts_with('-'))
            {
                Some(true) => exporting += 1,
                Some(false) => importing += 1,
                None => {}
            }
        }
    }
    assert!(
        importing > 300 && exporting > 300,
        "{importing} {exporting}"
    );
}

#[test]
fn one_step_or_many_count_the_same_energy() {
    let model = model::find("easymeter-q3a").expect("known");
    let config = MeterConfig {
        pv_peak_w: 6_000,
        ..MeterConfig::default()
    };
    let fine = MeterConfig {
        step_ms: Some(370),
        ..config.clone()
    };
    let coarse = MeterConfig {
        step_ms: Some(370_000),
        ..config
    };
    let fine = Meter::new(model.clone(), &fine).nth(3000).expect("endless");
    let coarse = Meter::new(model, &coarse).nth(3).expect("endless");
    assert_eq!(fine.registers, coarse.registers);
    assert_eq!(fine.seconds_index, coarse.seconds_index);
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_seed_others() {
    for model in model::all().expect("model files are read") {
        let bytes = |seed| {
            let config = MeterConfig {
                seed,
                ..MeterConfig::default()
            };
            Meter::new(model.clone(), &config)
                .take(20)
                .map(|t| t.bytes)
                .collect::<Vec<_>>()
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }
}

#[test]
fn the_fault_of_the_dvs74_shows_raw_negative_and_true_positive() {
    let model = model::find("dzg-dvs74").expect("known");
    let mut seen = 0;
    for telegram in Meter::new(model, &MeterConfig::default()).take(2000) {
        list(&telegram, |list| {
            let power = list.entries.iter().last().expect("entries");
            let Value::Integer(raw) = power.value else {
                panic!("a number")
            };
            let TrueValue::Number { mantissa, .. } = telegram.registers[4].value else {
                panic!("a number")
            };
            assert!(mantissa > 0);
            if raw.is_negative() {
                assert_eq!(power.status, None);
                assert!(raw.width() <= 3);
                seen += 1;
            }
        });
    }
    assert!(seen > 100, "{seen} of 2000");
}

#[test]
fn serial_numbers_replace_that_of_the_model() {
    let model = model::find("iskra-mt631").expect("known");
    let config = MeterConfig {
        serial: Some(12_345_678),
        ..MeterConfig::default()
    };
    let telegram = Meter::new(model, &config).telegram();
    assert!(telegram.server_id.ends_with(&12_345_678_u32.to_be_bytes()));
    list(&telegram, |list| {
        assert_eq!(list.server_id, telegram.server_id);
    });
}

/// Lengths of the telegrams of real meters that no recording here has.
#[test]
fn telegrams_are_as_long_as_those_of_the_real_meters() {
    let without_pin = MeterConfig {
        pin_entered: false,
        ..MeterConfig::default()
    };
    for (name, config, length) in [
        ("emh-ed300l-new", MeterConfig::default(), 476),
        ("holley-dtz541-kermit", MeterConfig::default(), 528),
        ("landis-gyr-e320", MeterConfig::default(), 276),
        ("iskra-mt691", MeterConfig::default(), 216),
        ("dzg-dvs74", without_pin, 232),
    ] {
        let telegram = Meter::new(model::find(name).unwrap(), &config).telegram();
        assert_eq!(telegram.bytes.len(), length, "{name}");
    }
}
