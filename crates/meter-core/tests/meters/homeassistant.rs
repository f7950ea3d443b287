//! What Home Assistant gets.

use std::collections::BTreeSet;
use std::fs;

use meter_core::payload::homeassistant::{
    About, Origin, Statistic, Topic, discovery, fingerprint, state,
};
use meter_core::{Reading, Stamped, UnixMillis};
use serde_json::{Value as Json, json};
use sml_wire::{Body, Decoder, Event, Integer, ListEntry, Value};

use crate::made::*;

const TIME: UnixMillis = UnixMillis(1_795_369_980_123);
const DOCUMENT: &str = include_str!("../../../../docs/payloads.md");

const STATISTICS: [Statistic<'_>; 1] = [Statistic {
    key: "crc_errors",
    name: "CRC errors",
    value: 0,
    unit: None,
    class: None,
    counts: true,
}];

fn discovered(reading: &Reading<'_>, statistics: &[Statistic<'_>]) -> Json {
    let about = About {
        state_topic: "meterline/1EMH0010599732/state",
        availability_topics: &["meterline/cellar/availability"],
        expire_after: 60,
        origin: Origin {
            name: "meterline",
            version: "0.1.0",
            url: "https://example.org/meterline",
        },
        statistics,
    };
    let mut text = String::new();
    discovery(&stamped(*reading), &about, &mut text).expect("a string takes everything");
    serde_json::from_str(&text).expect("JSON")
}

fn stamped(reading: Reading<'_>) -> Stamped<'_> {
    Stamped {
        time: TIME,
        reading,
    }
}

fn stated(reading: Reading<'_>, statistics: &[Statistic<'_>]) -> Json {
    let mut text = String::new();
    state(&stamped(reading), statistics, &mut text).expect("a string takes everything");
    serde_json::from_str(&text).expect("JSON")
}

/// The JSON in the document's section about Home Assistant.
fn documented() -> Vec<Json> {
    let (_, section) = DOCUMENT
        .split_once("\n## Home Assistant\n")
        .expect("a section");
    let section = section.split("\n## ").next().expect("its text");
    section
        .split("```json\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .map(|block| serde_json::from_str(block).expect("JSON"))
        .collect()
}

#[test]
fn the_document_shows_what_is_sent() {
    let entries = [
        octets(MANUFACTURER, b"EMH"),
        octets(SERVER_ID, EMH),
        with_status(counter(IMPORT, 54_301_577, -1), DRAWS),
        power(POWER, 35_624, -2),
        octets(&[129, 129, 199, 130, 5, 255], &[0xab; 4]),
    ];
    let reading = reading(EMH, &entries);
    let sent = [
        discovered(&reading, &STATISTICS),
        stated(reading, &STATISTICS),
    ];
    assert_eq!(documented(), sent);
    assert_eq!(
        Topic(&reading).to_string(),
        "homeassistant/device/meterline_1EMH0010599732/config"
    );
    assert!(DOCUMENT.contains(&Topic(&reading).to_string()));
}

#[test]
fn a_meter_is_there_when_all_who_bring_it_are() {
    let entries = [counter(IMPORT, 2, 3)];
    let about = About {
        state_topic: "s",
        availability_topics: &["host", "meter"],
        expire_after: 0,
        origin: Origin {
            name: "meterline",
            version: "0.1.0",
            url: "https://example.org/meterline",
        },
        statistics: &[],
    };
    let mut text = String::new();
    discovery(&stamped(reading(EMH, &entries)), &about, &mut text)
        .expect("a string takes everything");
    let found: Json = serde_json::from_str(&text).expect("JSON");
    assert_eq!(found["avty"], json!([{"t": "host"}, {"t": "meter"}]));
    assert_eq!(found["avty_mode"], "all");
    assert_eq!(found.get("avty_t"), None);
}

#[test]
fn power_is_there_under_one_name() {
    let entries = [
        power(&[1, 0, 1, 7, 0, 255], 500, 0),
        power(&[1, 0, 2, 7, 0, 255], 700, 0),
    ];
    let reading = reading(EMH, &entries);
    let state = stated(reading, &[]);
    assert_eq!(
        (&state["power"], &state["1.7.0"], &state["2.7.0"]),
        (&json!(-200), &json!(500), &json!(700))
    );
    assert_eq!(
        discovered(&reading, &[])["cmps"]["power"]["dev_cla"],
        "power"
    );
}

#[test]
fn what_does_not_fit_its_name_is_hidden() {
    let entries = [
        // Reactive energy under the code of active energy, and a counter of last month.
        number(IMPORT, Integer::unsigned(5), 0, 32),
        counter(&[1, 0, 1, 8, 0, 96], 25, -1),
        entry(EXPORT),
        octets(POWER, b"much"),
        ListEntry {
            unit: Some(Integer::unsigned(W)),
            value: Value::Octets(&[7; 300]),
            ..entry(&[1, 0, 199, 240, 6, 255])
        },
        // The same code again does not count.
        counter(IMPORT, 6, 0),
    ];
    let reading = reading(EMH, &entries);
    let (found, state) = (discovered(&reading, &[]), stated(reading, &[]));
    let cmps = found["cmps"].as_object().expect("components");
    assert_eq!(cmps.len(), 5);
    for (key, component) in cmps {
        assert_eq!(component["en"], false, "{key}");
        assert_eq!(component.get("dev_cla"), None, "{key}");
        assert_eq!(component.get("stat_cla"), None, "{key}");
    }
    assert_eq!(cmps["1_8_0"]["unit_of_meas"], "varh");
    assert_eq!(cmps["1_8_0_96"]["unit_of_meas"], "Wh");
    assert_eq!(cmps["199_240_6"].get("unit_of_meas"), None);
    assert_eq!(state["1.8.0"], 5);
    assert_eq!(state["1.8.0*96"].to_string(), "2.5");
    assert_eq!(state["2.8.0"], Json::Null);
    let octets = state["199.240.6"].as_str().expect("hex");
    assert!(octets.len() <= 255);
}

#[test]
fn another_meter_or_more_registers_is_another_discovery() {
    let (less, more) = (
        [counter(IMPORT, 2, 3)],
        [counter(IMPORT, 2, 3), power(POWER, 1, 0)],
    );
    let of = |id, entries: &[ListEntry<'_>]| fingerprint(&stamped(reading(id, entries)));
    assert_eq!(of(EMH, &less), of(EMH, &[counter(IMPORT, 99, 3)]));
    assert_ne!(of(EMH, &less), of(EMH, &more));
    assert_ne!(of(EMH, &less), of(DZG, &less));
}

/// Every entity of every real meter finds its value, and no two are mistaken for each other.
#[test]
fn recordings_find_their_values() {
    let Some(captures) = recordings::captures() else {
        return;
    };
    let mut entities = 0;
    for path in captures {
        let bytes = fs::read(&path).expect("a recording");
        let mut decoder = Decoder::new(vec![0; 16 * 1024]);
        let mut input = bytes.as_slice();
        while let Some(event) = decoder.next(&mut input) {
            let Event::Frame(frame) = event else { continue };
            for message in frame.file().messages().flatten() {
                if let Body::GetListRes(list) = message.body {
                    entities += check(Reading::new(list));
                }
            }
        }
    }
    println!("{entities} entities");
    assert!(entities > 0);
}

fn check(reading: Reading<'_>) -> usize {
    let (found, state) = (
        discovered(&reading, &STATISTICS),
        stated(reading, &STATISTICS),
    );
    let cmps = found["cmps"].as_object().expect("components");
    let mut ids = BTreeSet::new();
    for (key, component) in cmps {
        let word = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        };
        let id = component["unique_id"].as_str().expect("an id");
        assert!(word(key) && word(id) && ids.insert(id), "{id}");
        let template = component["val_tpl"].as_str().expect("a template");
        let wanted = template
            .strip_prefix("{{ value_json.get('")
            .and_then(|rest| rest.strip_suffix("') }}"))
            .expect("a key");
        let value = state.get(wanted).expect("a value");
        assert!(value.to_string().len() <= 255, "{value}");
        if component.get("stat_cla").is_some() {
            assert!(value.is_number(), "{key}: {value}");
        }
    }
    let registers: BTreeSet<_> = reading.registers().map(|register| register.obis).collect();
    assert!(cmps.len() > registers.len(), "every register is an entity");
    cmps.len()
}
