//! What registers mean, on telegrams with the bytes of real meters.

use crate::made::*;
use meter_core::names::Conductor;
use meter_core::{Direction, Obis, Reading, ReducedDetector, Register, Rule, Unit, Value};
use proptest::prelude::*;
use sml_wire::{Integer, ListEntry, Time};

fn first(reading: &Reading<'_>, name: &[u8]) -> (String, Option<Rule>) {
    let obis = Obis(name.try_into().unwrap_or_default());
    let register = reading.register(obis);
    let number = register.as_ref().and_then(Register::number);
    (
        number.map_or_else(String::new, |number| number.to_string()),
        register.and_then(|register| register.rule),
    )
}

/// The value and the rule of a power register beside a status word.
fn corrected(
    server_id: &[u8],
    name: &[u8],
    value: Integer,
    scaler: i64,
    status: Option<u64>,
) -> (String, Option<Rule>) {
    let import = counter(IMPORT, 54_301_577, -1);
    let entries = [
        status.map_or(import, |status| with_status(import, status)),
        number(name, value, scaler, W),
    ];
    first(&reading(server_id, &entries), name)
}

#[test]
fn dzg_power_that_is_drawn_is_unsigned() {
    let fixed = Some(Rule::DzgUnsignedPower);
    for (value, width, text) in [
        (-29_912, 2, "356.24"), // 53 8b 28, DVS74
        (-14_836, 2, "507.00"), // 53 c6 0c, DVS74
        (-100, 1, "1.56"),
        (-0x0001_0000, 3, "167116.80"),
    ] {
        let value = Integer::signed(value).with_width(width);
        for name in [POWER, POWER_L1, POWER_L2, POWER_L3] {
            let text = text.to_owned();
            assert_eq!(corrected(DZG, name, value, -2, Some(DRAWS)), (text, fixed));
        }
    }
}

#[test]
fn dzg_power_that_is_fed_in_is_negative() {
    for (value, text) in [(-10_550, "-105.50"), (-78_851, "-788.51")] {
        let kept = corrected(DZG, POWER, Integer::signed(value), -2, Some(FEEDS_IN));
        assert_eq!(kept, (text.to_owned(), None));
    }
}

#[test]
fn the_dzg_rule_stays_within_its_bounds() {
    let negative = Integer::signed(-29_912);
    let kept = ("-299.12".to_owned(), None);
    // Another maker, no status, a status word that is none of an mME, four bytes, another register.
    assert_eq!(corrected(EMH, POWER, negative, -2, Some(DRAWS)), kept);
    assert_eq!(corrected(DZG, POWER, negative, -2, None), kept);
    assert_eq!(corrected(DZG, POWER, negative, -2, Some(0x0182)), kept);
    assert_eq!(
        corrected(DZG, POWER, negative.with_width(4), -2, Some(DRAWS)),
        kept
    );
    let current = &[1, 0, 31, 7, 0, 255];
    assert_eq!(corrected(DZG, current, negative, -2, Some(DRAWS)), kept);
    let positive = corrected(DZG, POWER, Integer::signed(21_599), -2, Some(DRAWS));
    assert_eq!(positive, ("215.99".to_owned(), None));
    let unsigned = corrected(DZG, POWER, Integer::unsigned(0x8b28), -2, Some(DRAWS));
    assert_eq!(unsigned, ("356.24".to_owned(), None));
}

#[test]
fn absolute_power_gets_its_sign_from_the_status_word() {
    let value = Integer::signed(1266).with_width(4);
    let signed = |status| corrected(EMH_EDL, POWER_ABSOLUTE, value, -1, status);
    assert_eq!(signed(Some(0x0182)), ("126.6".to_owned(), None));
    assert_eq!(
        signed(Some(0x01b0)),
        ("-126.6".to_owned(), Some(Rule::DirectionSign))
    );
    assert_eq!(signed(None), ("126.6".to_owned(), None));
    let nought = corrected(
        EMH_EDL,
        POWER_ABSOLUTE,
        Integer::signed(0),
        -1,
        Some(0x01b0),
    );
    assert_eq!(nought, ("0.0".to_owned(), None));
}

#[test]
fn the_raw_entry_stays_beside_the_correction() {
    let entries = [
        with_status(counter(IMPORT, 1, -1), DRAWS),
        power(POWER, -29_912, -2),
    ];
    let reading = reading(DZG, &entries);
    let register = reading.register(Obis([1, 0, 16, 7, 0, 255]));
    let raw = register.map(|register| register.raw.value);
    assert_eq!(
        raw,
        Some(sml_wire::Value::Integer(Integer::signed(-29_912)))
    );
    assert_eq!(
        reading.power().map(|power| power.to_string()).as_deref(),
        Some("356.24")
    );
}

#[test]
fn power_under_other_codes() {
    let sum = |c, value| power(c, value, 0);
    let of = |entries: &[ListEntry<'_>], conductor| {
        reading(EMH, entries)
            .power_of(conductor)
            .map(|power| power.to_string())
    };
    let (drawn, fed_in): (&[u8], &[u8]) = (&[1, 0, 1, 7, 0, 255], &[1, 0, 2, 7, 0, 255]);
    assert_eq!(
        of(&[sum(drawn, 5), sum(fed_in, 0)], Conductor::Sum).as_deref(),
        Some("5")
    );
    assert_eq!(
        of(&[sum(drawn, 0), sum(fed_in, 7)], Conductor::Sum).as_deref(),
        Some("-7")
    );
    assert_eq!(of(&[sum(fed_in, 7)], Conductor::Sum).as_deref(), Some("-7"));
    // Hager eHZ361: 1.7.1 with a sign. 1.7.255 elsewhere.
    assert_eq!(
        of(&[sum(&[1, 0, 1, 7, 1, 255], -5)], Conductor::Sum).as_deref(),
        Some("-5")
    );
    assert_eq!(
        of(&[sum(&[1, 0, 1, 7, 255, 255], 5)], Conductor::Sum).as_deref(),
        Some("5")
    );
    // The usual code wins, wherever it stands.
    assert_eq!(
        of(&[sum(drawn, 5), sum(POWER, -3)], Conductor::Sum).as_deref(),
        Some("-3")
    );
    let l2 = [
        sum(&[1, 0, 41, 7, 0, 255], 2),
        sum(&[1, 0, 42, 7, 0, 255], 9),
    ];
    assert_eq!(of(&l2, Conductor::L2).as_deref(), Some("-7"));
    assert_eq!(of(&l2, Conductor::L1), None);
    assert_eq!(
        of(&[counter(POWER, 5, 0)], Conductor::Sum),
        None,
        "not in watts"
    );
}

#[test]
fn absolute_power_of_unknown_direction_is_none() {
    let absolute = power(POWER_ABSOLUTE, 1266, -1);
    assert_eq!(
        reading(EMH_EDL, &[counter(IMPORT, 1, -1), absolute]).power(),
        None
    );
    let l1 = power(&[1, 0, 35, 7, 0, 255], 12, 0);
    let known = [with_status(counter(IMPORT, 1, -1), 0x001c_1904), l1];
    let power = reading(EMH, &known).power_of(Conductor::L1);
    assert_eq!(power.map(|power| power.to_string()).as_deref(), Some("-12"));
    let unknown = [with_status(counter(IMPORT, 1, -1), 0x01b0), l1];
    assert_eq!(reading(EMH, &unknown).power_of(Conductor::L1), None);
}

#[test]
fn direction_by_status_or_else_by_sign() {
    let direction = |entries: &[ListEntry<'_>]| reading(EMH, entries).direction();
    let import = counter(IMPORT, 1, -1);
    assert_eq!(
        direction(&[with_status(import, 0x01b0)]),
        Some(Direction::Export)
    );
    assert_eq!(
        direction(&[
            with_status(counter(EXPORT, 1, -1), FEEDS_IN),
            with_status(import, DRAWS)
        ]),
        Some(Direction::Import),
        "that of the import counter comes first"
    );
    let tariff_first = [
        with_status(counter(IMPORT_HT, 1, -1), DRAWS),
        with_status(counter(EXPORT, 1, -1), FEEDS_IN),
    ];
    assert_eq!(
        direction(&tariff_first),
        Some(Direction::Export),
        "totals come before tariffs"
    );
    // EFR SGM has it beside a tariff, in the layout of an mME; Hager's word there is another one.
    let tariff = |status| with_status(counter(IMPORT_HT, 1, -1), status);
    assert_eq!(direction(&[tariff(FEEDS_IN)]), Some(Direction::Export));
    assert_eq!(
        direction(&[tariff(0x82), power(POWER, -3, 0)]),
        Some(Direction::Export)
    );
    assert_eq!(
        direction(&[import, power(POWER, 3, 0)]),
        Some(Direction::Import)
    );
    assert_eq!(direction(&[import, power(POWER, 0, 0)]), None);
    assert_eq!(direction(&[import]), None);
}

#[test]
fn reduced_readings() {
    let reduced = |entries: &[ListEntry<'_>]| reading(EMH, entries).reduced();
    let id = octets(SERVER_ID, EMH);
    // HOLLEY DTZ541, ISKRA MT631 and ITRON without their PIN; the latter's export is nought.
    assert!(reduced(&[id, counter(IMPORT, 2324, 3)]));
    assert!(reduced(&[counter(IMPORT, 2043, 3), counter(EXPORT, 0, 3)]));
    assert!(reduced(&[counter(IMPORT, 0, 3)]));
    assert!(reduced(&[counter(IMPORT, 23_240_000, -1)]));
    assert!(!reduced(&[counter(IMPORT, 23_245_000, -1)]), "half a kWh");
    assert!(!reduced(&[
        counter(IMPORT, 23_559_290, -1),
        power(POWER, 376, 0)
    ]));
    assert!(!reduced(&[
        counter(IMPORT, 2324, 3),
        power(POWER_ABSOLUTE, 0, 0)
    ]));
    assert!(!reduced(&[
        counter(IMPORT, 2324, 3),
        counter(EXPORT, 5, -1)
    ]));
    assert!(
        !reduced(&[counter(IMPORT, 0, -1)]),
        "new, and it counts tenths"
    );
    assert!(!reduced(&[id]) && !reduced(&[]));
}

#[test]
fn the_detector_wants_several_in_a_row() {
    let (short, full) = ([counter(IMPORT, 2324, 3)], [counter(IMPORT, 23_245, -1)]);
    let (short, full) = (reading(EMH, &short), reading(EMH, &full));
    let mut detector = ReducedDetector::new(3);
    assert!(!detector.observe(&short) && !detector.observe(&short));
    assert!(!detector.observe(&full) && !detector.is_reduced());
    assert!(!detector.observe(&short) && !detector.observe(&short) && detector.observe(&short));
    assert!(detector.is_reduced() && !detector.observe(&short));
    assert!(detector.observe(&full) && !detector.is_reduced());
}

#[test]
fn scalers_units_and_statuses_in_all_their_widths() {
    let entries = [
        ListEntry {
            scaler: None,
            ..counter(IMPORT, 5, 0)
        },
        ListEntry {
            scaler: Some(Integer::unsigned(0xff)),
            ..counter(IMPORT, 5, 0)
        },
        ListEntry {
            scaler: Some(Integer::signed(-1).with_width(2)),
            ..counter(IMPORT, 5, 0)
        },
        ListEntry {
            scaler: Some(Integer::unsigned(300)),
            ..counter(IMPORT, 5, 0)
        },
        ListEntry {
            unit: Some(Integer::unsigned(0)),
            ..counter(IMPORT, 5, 0)
        },
        ListEntry {
            unit: Some(Integer::unsigned(30).with_width(2)),
            ..counter(IMPORT, 5, 0)
        },
        ListEntry {
            status: Some(Integer::signed(-1)),
            ..counter(IMPORT, 5, 0)
        },
    ];
    let reading = reading(EMH, &entries);
    let registers: Vec<_> = reading.registers().collect();
    let numbers: Vec<_> = registers
        .iter()
        .map(|register| register.number().map(|number| number.to_string()))
        .collect();
    let wanted = [
        Some("5"),
        Some("0.5"),
        Some("0.5"),
        None,
        Some("5"),
        Some("5"),
        Some("5"),
    ];
    assert_eq!(numbers, wanted.map(|text| text.map(str::to_owned)));
    assert_eq!(registers[3].value, Value::Absent, "10^300 is no scaler");
    assert_eq!(registers[4].unit, None);
    assert_eq!(registers[5].unit, Some(Unit::WATT_HOUR));
    assert_eq!(registers[6].status, Some(0xff));
}

#[test]
fn who_it_is() {
    let name = octets(MANUFACTURER, b"EMH");
    let maker = |reading: &Reading<'_>| reading.manufacturer().map(|maker| maker.to_string());
    assert_eq!(
        maker(&reading(b"02280816", &[name])).as_deref(),
        Some("EMH")
    );
    assert_eq!(maker(&reading(DZG, &[])).as_deref(), Some("DZG"));
    assert_eq!(maker(&reading(b"02280816", &[])), None);
    assert_eq!(
        reading(&[], &[octets(SERVER_ID, EMH)])
            .meter_id()
            .to_string(),
        "1 EMH00 1059 9732"
    );
    assert_eq!(reading(&[], &[]).meter_id().to_string(), "no meter id");
}

#[test]
fn seconds_of_the_meter_only() {
    let with = |time| {
        Reading::new(sml_wire::GetListRes {
            sensor_time: time,
            ..list(EMH, &[])
        })
        .seconds_index()
    };
    let seconds = Integer::unsigned(2_005_970);
    assert_eq!(with(Some(Time::SecondsIndex(seconds))), Some(2_005_970));
    assert_eq!(with(Some(Time::Bare(seconds))), Some(2_005_970));
    assert_eq!(with(Some(Time::Timestamp(seconds))), None);
    assert_eq!(with(None), None);
}

#[test]
fn bytes_come_back_as_the_same_reading() {
    let entries = [
        octets(MANUFACTURER, b"DZG"),
        with_status(counter(IMPORT, 54_301_577, -1), DRAWS),
        power(POWER, -29_912, -2),
        entry(POWER_L1),
    ];
    let made = at_second(DZG, &entries, 99_043_543);
    let mut buffer = [0; 256];
    let bytes = made.emit(&mut buffer).expect("fits").to_vec();
    let read = Reading::from_bytes(&bytes).expect("what was written");
    assert_eq!(read.list(), made.list());
    let mut again = [0; 256];
    assert_eq!(read.emit(&mut again).expect("fits"), bytes);

    assert!(made.emit(&mut [0; 20]).is_err());
    let longer = [&bytes[..], &[0]].concat();
    assert!(Reading::from_bytes(&longer).is_err());
    assert!(Reading::from_bytes(&bytes[..bytes.len() - 1]).is_err());
}

/// Looks at everything that there is to look at.
fn look(reading: &Reading<'_>) {
    for register in reading.registers() {
        let _ = (
            register.description(),
            register.is_counter(),
            register.text(),
        );
    }
    let _ = (
        reading.power(),
        reading.power_of(Conductor::L3),
        reading.direction(),
    );
    let _ = (
        reading.reduced(),
        reading.manufacturer(),
        reading.meter_id().to_string(),
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(reading) = Reading::from_bytes(&bytes) {
            look(&reading);
        }
    }

    #[test]
    fn changed_bytes_make_no_panic(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
        let entries = [
            octets(MANUFACTURER, b"DZG"),
            with_status(counter(IMPORT, 54_301_577, -1), DRAWS),
            power(POWER, -29_912, -2),
            power(POWER_ABSOLUTE, 5, -2),
        ];
        let mut buffer = [0; 256];
        let mut bytes = reading(DZG, &entries).emit(&mut buffer).expect("fits").to_vec();
        for (at, byte) in changes {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        if let Ok(reading) = Reading::from_bytes(&bytes) {
            look(&reading);
        }
    }

    #[test]
    fn the_dzg_rule_reads_the_same_bytes(value: i16, status: u32) {
        let status = u64::from(status);
        let (text, rule) = corrected(DZG, POWER, Integer::signed(value.into()), 0, Some(status));
        let applies = value < 0 && status & 0xff == 4 && status & 0x800 == 0;
        prop_assert_eq!(rule.is_some(), applies);
        let number: i64 = text.parse()?;
        let bits = if value >= -0x80 { 8 } else { 16 };
        prop_assert_eq!(number - i64::from(value), if applies { 1 << bits } else { 0 });
    }
}
