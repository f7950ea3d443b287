//! What backends get.

use std::fmt;

use meter_core::payload::influx::Line;
use meter_core::payload::json::{Detail, SCHEMA, write_register};
use meter_core::payload::{classic, csv, json, thingsboard};
use meter_core::{Reading, Stamped, UnixMillis};
use proptest::prelude::*;
use serde_json::Value as Json;
use sml_wire::{Integer, ListEntry, Time, Value};

use crate::made::*;
use crate::schema::misfit;

const TIME: UnixMillis = UnixMillis(1_732_290_000_123);

fn stamped(reading: Reading<'_>) -> Stamped<'_> {
    Stamped {
        time: TIME,
        reading,
    }
}

fn text(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut text = String::new();
    write(&mut text).expect("a string takes everything");
    text
}

fn easy_meter() -> [ListEntry<'static>; 7] {
    [
        octets(&[129, 129, 199, 130, 3, 255], b"ESY"),
        octets(&[1, 0, 0, 0, 9, 255], EASY_METER),
        with_status(counter(IMPORT, 29_416_461_614, -4), 0x80),
        power(POWER, 81_026, -2),
        power(POWER_L1, 50_523, -2),
        power(POWER_L2, 6319, -2),
        power(POWER_L3, 24_183, -2),
    ]
}

#[test]
fn classic_is_what_the_predecessor_sent() {
    let entries = easy_meter();
    let written = text(|out| classic(&stamped(reading(EASY_METER, &entries)), out));
    let wanted = r#"{"devid":"1ESY11 62232997","1.8.0_Wh":"2941646.1","16.7.0_W":"810.2","36.7.0_W":"505.2","56.7.0_W":"63.1","76.7.0_W":"241.8"}"#;
    assert_eq!(written, wanted);
}

#[test]
fn classic_leaves_out_what_the_meter_lacks() {
    let written =
        |id, entries: &[ListEntry<'_>]| text(|out| classic(&stamped(reading(id, entries)), out));
    assert_eq!(written(EMH, &[]), r#"{"devid":"1EMH00 10599732"}"#);
    assert_eq!(
        written(EMH, &[counter(IMPORT, 2324, 3)]),
        r#"{"devid":"1EMH00 10599732","1.8.0_Wh":"2324000.0"}"#
    );
    // EasyMeter Q3C counts in channel 1.
    assert_eq!(
        written(EMH, &[counter(&[1, 1, 1, 8, 0, 255], 25, -1)]),
        r#"{"devid":"1EMH00 10599732","1.8.0_Wh":"2.5"}"#
    );
    let edl = [
        with_status(counter(IMPORT, 172_433_683, -1), 0x01b0),
        power(POWER_ABSOLUTE, 1266, -1),
    ];
    assert_eq!(
        written(EMH_EDL, &edl),
        r#"{"devid":"06-EMH-01027156CD45","1.8.0_Wh":"17243368.3","16.7.0_W":"-126.6"}"#
    );
}

#[test]
fn classic_by_mqtt_has_its_time_and_numbers() {
    let entries = [
        counter(IMPORT, 29_416_461_614, -4),
        power(POWER, 81_027, -2),
    ];
    let stamped = stamped(reading(EASY_METER, &entries));
    let written = text(|out| classic::mqtt(&stamped, "my \"device\"", out));
    let time = stamped.time;
    let wanted = format!(
        r#"{{"device_id":"my \"device\"","timestamp":"{time}","properties":[{{"name":"devid","value":"1ESY11 62232997","last_changed":"{time}"}},{{"name":"1.8.0_Wh","value":2941646.1,"last_changed":"{time}"}},{{"name":"16.7.0_W","value":810.2,"last_changed":"{time}"}}]}}"#
    );
    assert_eq!(written, wanted);
}

#[test]
fn a_gateway_of_thingsboard_speaks_for_each_meter() {
    let (one, two) = ([counter(IMPORT, 5, 0)], [counter(IMPORT, 7, -1)]);
    let readings = [
        stamped(reading(EMH, &one)),
        stamped(reading(EASY_METER, &two)),
        stamped(reading(EMH, &two)),
    ];
    let written = text(|out| thingsboard::gateway(&readings, out));
    let ts = readings[0].time.0;
    let value = |devid, value| {
        format!(r#"{{"ts":{ts},"values":{{"devid":"{devid}","1.8.0_Wh":{value}}}}}"#)
    };
    let wanted = format!(
        r#"{{"1EMH0010599732":[{},{}],"1ESY1162232997":[{}]}}"#,
        value("1EMH00 10599732", "5"),
        value("1EMH00 10599732", "0.7"),
        value("1ESY11 62232997", "0.7")
    );
    assert_eq!(written, wanted);
}

#[test]
fn thingsboard_has_the_time_and_every_register() {
    let mut entries = easy_meter().to_vec();
    entries.extend([
        entry(EXPORT),
        number(&[1, 0, 31, 7, 0, 255], Integer::unsigned(105), -2, 33),
        counter(&[1, 1, 1, 8, 0, 255], 5, 0),
        counter(&[1, 0, 1, 8, 0, 96], 7, 0),
        counter(IMPORT, 1, 0),
        number(&[1, 0, 99, 98, 97, 255], Integer::signed(-3), 0, 0),
    ]);
    let written = text(|out| thingsboard(&[stamped(reading(EASY_METER, &entries))], out));
    assert_eq!(
        written,
        concat!(
            r#"{"ts":1732290000123,"values":{"devid":"1ESY11 62232997","129-129:199.130.3":"ESY","#,
            r#""0.0.9":"09014553591103b599a5","1.8.0_Wh":2941646.1614,"16.7.0_W":810.26,"36.7.0_W":505.23,"#,
            r#""56.7.0_W":63.19,"76.7.0_W":241.83,"31.7.0_A":1.05,"1-1:1.8.0_Wh":5,"1.8.0*96_Wh":7,"99.98.97":-3}}"#
        )
    );
}

#[test]
fn a_line_has_every_number_and_texts_only_when_wanted() {
    let mut entries = easy_meter().to_vec();
    entries.extend([
        entry(EXPORT),
        counter(IMPORT, 1, 0),
        number(&[1, 0, 14, 7, 0, 255], Integer::unsigned(50), 0, 44),
    ]);
    let one = stamped(reading(EASY_METER, &entries));
    let line = |tags, texts, one: &Stamped<'_>| {
        let line = Line {
            measurement: "mains, house",
            tags,
            texts,
        };
        let mut text = String::new();
        let written = line.write(one, &mut text).expect("a string takes all");
        assert_eq!(written, !text.is_empty());
        text
    };
    let fields = "1.8.0_Wh=2941646.1614,16.7.0_W=810.26,36.7.0_W=505.23,56.7.0_W=63.19,\
                  76.7.0_W=241.83,14.7.0_Hz=50";
    assert_eq!(
        line(&[], false, &one),
        format!("mains\\,\\ house,meter=1ESY1162232997 {fields} 1732290000123\n")
    );
    assert_eq!(
        line(&[("host", "pi"), ("site", "a b")], true, &one),
        format!(
            "mains\\,\\ house,host=pi,meter=1ESY1162232997,site=a\\ b \
             129-129:199.130.3=\"ESY\",0.0.9=\"09014553591103b599a5\",{fields} 1732290000123\n"
        )
    );
    let texts = [octets(&[129, 129, 199, 130, 3, 255], b"ESY")];
    let without = stamped(reading(EASY_METER, &texts));
    assert_eq!(line(&[], false, &without), "");
}

#[test]
fn several_readings_are_an_array() {
    let entries = [counter(IMPORT, 5, 0)];
    let one = stamped(reading(EMH, &entries));
    let writers: [fn(&[Stamped<'_>], &mut String) -> fmt::Result; 2] = [
        |some, out| thingsboard(some, out),
        |some, out| json(some, out),
    ];
    for write in writers {
        let single: Json = serde_json::from_str(&text(|out| write(&[one], out))).expect("JSON");
        let several: Json = serde_json::from_str(&text(|out| write(&[one; 3], out))).expect("JSON");
        assert_eq!(several, Json::Array(vec![single; 3]));
        assert_eq!(text(|out| write(&[], out)), "[]");
    }
}

#[test]
fn csv_has_a_line_for_each_register() {
    let entries = [
        with_status(counter(IMPORT, 54_301_577, -1), DRAWS),
        power(POWER, -29_912, -2),
        power(&[1, 0, 1, 7, 0, 255], 1_000, 3),
        octets(&[129, 129, 199, 130, 5, 255], &[0xde, 0xad]),
        octets(&[129, 129, 199, 130, 3, 255], b"5\", black"),
        number(&[1, 0, 99, 98, 97, 255], Integer::signed(-3), 0, 0),
        entry(EXPORT),
    ];
    let written = text(|out| csv(&stamped(at_second(DZG, &entries, 99_043_543)), out));
    let start = "2024-11-22T15:40:00.123Z,1 DZG00 4208 2910,";
    let wanted = [
        "1-0:1.8.0*255,Import total (A+),5430157.7,Wh,1835268",
        "1-0:16.7.0*255,Power,356.24,W,",
        "1-0:1.7.0*255,\"Power, import\",1000000,W,",
        "129-129:199.130.5*255,Public key,dead,,",
        "129-129:199.130.3*255,Manufacturer,\"5\"\", black\",,",
        "1-0:99.98.97*255,,-3,,",
        "1-0:2.8.0*255,Export total (A−),,,",
    ];
    let wanted = wanted.map(|line| format!("{start}{line}\r\n"));
    assert_eq!(written, wanted.concat());
}

#[test]
fn json_says_which_rule_was_applied() {
    let entries = [
        with_status(counter(IMPORT, 54_301_577, -1), DRAWS),
        power(POWER, -29_912, -2),
        octets(&[129, 129, 199, 130, 5, 255], &[0xde, 0xad]),
        entry(EXPORT),
    ];
    let written = text(|out| json(&[stamped(at_second(DZG, &entries, 99_043_543))], out));
    assert_eq!(
        written,
        concat!(
            r#"{"meter_id":"1 DZG00 4208 2910","server_id":"0a01445a47000282225e","time":"2024-11-22T15:40:00.123Z","#,
            r#""seconds_index":99043543,"direction":"import","reduced":false,"registers":["#,
            r#"{"obis":"1-0:1.8.0*255","value":5430157.7,"unit":"Wh","status":1835268},"#,
            r#"{"obis":"1-0:16.7.0*255","value":356.24,"unit":"W","status":null,"quirk":"dzg_unsigned_power","raw":-29912},"#,
            r#"{"obis":"129-129:199.130.5*255","value":"dead","unit":null,"status":null},"#,
            r#"{"obis":"1-0:2.8.0*255","value":null,"unit":null,"status":null}]}"#
        )
    );
}

#[test]
fn decoded_registers_show_what_was_sent() {
    let decoded = |server_id, entries: &[ListEntry<'_>]| -> Vec<String> {
        reading(server_id, entries)
            .registers()
            .map(|register| text(|out| write_register(&register, Detail::Decoded, out)))
            .collect()
    };
    let entries = [
        with_status(counter(IMPORT, 54_301_577, -1), DRAWS),
        power(POWER, -29_912, -2),
        octets(SERVER_ID, DZG),
        octets(MANUFACTURER, b"D\"G"),
        ListEntry {
            value: Value::Bool(true),
            ..entry(EXPORT)
        },
        ListEntry {
            value: Value::Time(Time::Timestamp(Integer::unsigned(7))),
            ..entry(EXPORT)
        },
        entry(EXPORT),
    ];
    let wanted = [
        r#"{"obis":"1-0:1.8.0*255","value":5430157.7,"unit":"Wh","raw":54301577,"scaler":-1,"type":"u32","status":1835268}"#,
        r#"{"obis":"1-0:16.7.0*255","value":356.24,"unit":"W","raw":-29912,"scaler":-2,"type":"i16","status":null,"quirk":"dzg_unsigned_power"}"#,
        r#"{"obis":"1-0:96.1.0*255","value":"0a01445a47000282225e","unit":null,"raw":"0a01445a47000282225e","scaler":null,"type":"o10","status":null}"#,
        r#"{"obis":"1-0:96.50.1*1","value":"D\"G","unit":null,"raw":"442247","scaler":null,"type":"o3","status":null}"#,
        r#"{"obis":"1-0:2.8.0*255","value":true,"unit":null,"raw":true,"scaler":null,"type":"bool","status":null}"#,
        r#"{"obis":"1-0:2.8.0*255","value":7,"unit":null,"raw":7,"scaler":null,"type":"time","status":null}"#,
        r#"{"obis":"1-0:2.8.0*255","value":null,"unit":null,"raw":null,"scaler":null,"type":"none","status":null}"#,
    ];
    assert_eq!(decoded(DZG, &entries), wanted);
}

#[test]
fn the_schema_refuses_what_does_not_fit() {
    let schema: Json = serde_json::from_str(SCHEMA).expect("JSON");
    let written = text(|out| json(&[stamped(reading(EMH, &easy_meter()))], out));
    let good: Json = serde_json::from_str(&written).expect("JSON");
    assert_eq!(misfit(&schema, &good), None);
    for (pointer, bad) in [
        ("/time", Json::from("2024-11-22 15:40")),
        ("/server_id", Json::from("0A")),
        ("/direction", Json::from("up")),
        ("/seconds_index", Json::from(-1)),
        ("/registers/0/obis", Json::from("1.8.0")),
        ("/registers/0/value", Json::Array(vec![])),
        ("/registers/0", Json::Object(serde_json::Map::new())),
    ] {
        let mut wrong = good.clone();
        *wrong.pointer_mut(pointer).expect("is there") = bad;
        assert!(misfit(&schema, &wrong).is_some(), "{pointer}");
    }
    let mut wrong = good.clone();
    wrong["more"] = Json::Null;
    assert!(misfit(&schema, &wrong).is_some());
}

/// The bytes of any value that a register can have.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let integer = |kind: u8| {
        proptest::collection::vec(any::<u8>(), 1..=8).prop_map(move |bytes| {
            let header = kind | u8::try_from(bytes.len() + 1).unwrap_or(0);
            [&[header], &bytes[..]].concat()
        })
    };
    prop_oneof![
        Just(vec![0x01]),
        any::<bool>().prop_map(|value| vec![0x42, value.into()]),
        integer(0x50),
        integer(0x60),
        integer(0x00),
        integer(0x60).prop_map(|seconds| [&[0x72, 0x62, 1, 0x72, 0x62, 1], &seconds[..]].concat()),
        integer(0x60).prop_map(|other| [&[0x71], &other[..]].concat()),
    ]
}

proptest! {
    #[test]
    fn whatever_a_meter_sends_is_json_that_fits(
        server_id in proptest::collection::vec(any::<u8>(), 0..15),
        entries in proptest::collection::vec(
            (any::<[u8; 6]>(), any::<u8>(), any::<i8>(), proptest::option::of(any::<u64>()), any_value()),
            0..12,
        ),
        time in 0_i64..253_402_300_800_000,
    ) {
        // Type and length in two bytes, which is more than need be and allowed.
        let length = u8::try_from(server_id.len() + 2)?;
        let mut bytes = vec![0x77, 0x01, 0x80 | length >> 4, length & 0x0f];
        bytes.extend(&server_id);
        bytes.extend([0x01, 0x01, 0x70 | u8::try_from(entries.len())?]);
        for (name, unit, scaler, status, value) in &entries {
            bytes.extend([0x77, 0x07]);
            bytes.extend(name);
            match status {
                Some(status) => {
                    bytes.push(0x69);
                    bytes.extend(status.to_be_bytes());
                }
                None => bytes.push(0x01),
            }
            bytes.extend([0x01, 0x62, *unit, 0x52, scaler.cast_unsigned()]);
            bytes.extend(value);
            bytes.push(0x01);
        }
        bytes.extend([0x01, 0x01]);
        let reading = Reading::from_bytes(&bytes).expect("a well-formed list");
        prop_assert_eq!(reading.registers().count(), entries.len());

        let one = Stamped { time: UnixMillis(time), reading };
        let schema: Json = serde_json::from_str(SCHEMA)?;
        let written: Json = serde_json::from_str(&text(|out| json(&[one], out)))?;
        prop_assert_eq!(misfit(&schema, &written), None);
        let telemetry: Json = serde_json::from_str(&text(|out| thingsboard(&[one], out)))?;
        prop_assert_eq!(telemetry["ts"].as_i64(), Some(time));
        let old: Json = serde_json::from_str(&text(|out| classic(&one, out)))?;
        prop_assert!(old.as_object().is_some_and(|old| old.values().all(Json::is_string)));
        for register in reading.registers() {
            let decoded = text(|out| write_register(&register, Detail::Decoded, out));
            prop_assert!(serde_json::from_str::<Json>(&decoded)?.is_object());
        }
    }
}
