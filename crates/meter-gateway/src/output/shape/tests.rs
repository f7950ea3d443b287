//! A reading in several shapes, as text of every payload.

use std::fmt;

use meter_core::payload::{self, influx, postgres};
use sml_wire::{GetListRes, Integer, ListEntry};

use super::*;

const METER: [u8; 10] = [0x0a, 0x01, b'E', b'M', b'H', 0x00, 0x00, 0xbc, 0x61, 0x4e];

fn entry(
    name: &'static [u8],
    unit: Option<u64>,
    value: sml_wire::Value<'static>,
) -> ListEntry<'static> {
    ListEntry {
        name,
        status: None,
        time: None,
        unit: unit.map(Integer::unsigned),
        scaler: unit.map(|_| Integer::signed(-1)),
        value,
        signature: None,
    }
}

/// A reading with a maker, two counters, what one of them was last month, reactive energy, and a power.
fn record() -> Record {
    let number = |number| sml_wire::Value::Integer(Integer::signed(number));
    let entries = [
        entry(&[1, 0, 96, 50, 1, 1], None, sml_wire::Value::Octets(b"EMH")),
        entry(&[1, 0, 1, 8, 0, 255], Some(30), number(54_301_577)),
        entry(&[1, 0, 1, 8, 1, 255], Some(30), number(11)),
        entry(&[1, 0, 1, 8, 0, 96], Some(30), number(54_000_000)),
        entry(&[1, 0, 3, 8, 0, 255], Some(32), number(25_006)),
        entry(&[1, 0, 16, 7, 0, 255], Some(27), number(-1055)),
    ];
    let list = GetListRes {
        entries: entries.as_slice().into(),
        ..GetListRes::of(&METER)
    };
    let mut buffer = [0; 512];
    Record {
        seq: 1,
        meter: Box::new(METER),
        time: UnixMillis(1_780_000_000_000),
        body: Reading::new(list).emit(&mut buffer).unwrap().to_vec(),
    }
}

fn shape(toml: &str) -> Shape {
    toml::from_str(toml).unwrap()
}

fn text(shape: &Shape, write: impl FnOnce(&Shaped<'_>, &mut String) -> fmt::Result) -> String {
    numbered(shape, &[], write)
}

fn numbered(
    shape: &Shape,
    numbers: &[(Obis, Option<Decimal>)],
    write: impl FnOnce(&Shaped<'_>, &mut String) -> fmt::Result,
) -> String {
    let (record, mut text) = (record(), String::new());
    write(&Shaped::new(&record, numbers, shape).unwrap(), &mut text).unwrap();
    text
}

/// Keys and values by themselves.
fn values(shape: &Shape) -> String {
    text(shape, |shaped, out| {
        use fmt::Write as _;
        shaped.registers().try_for_each(|register| {
            let value = payload::Plain(register.value);
            write!(out, "{}={value} ", shaped.key(&register))
        })
    })
}

#[test]
fn without_a_shape_everything_is_as_the_meter_sent_it() {
    assert_eq!(
        values(&Shape::default()),
        "96.50.1*1=EMH 1.8.0_Wh=5430157.7 1.8.1_Wh=1.1 1.8.0*96_Wh=5400000.0 3.8.0_varh=2500.6 \
         16.7.0_W=-105.5 "
    );
}

#[test]
fn registers_are_chosen_by_patterns() {
    let chosen = |patterns| values(&shape(&format!("registers = {patterns}")));
    assert_eq!(
        chosen(r#"["16.7.0", "1.8.*"]"#),
        "1.8.0_Wh=5430157.7 1.8.1_Wh=1.1 16.7.0_W=-105.5 "
    );
    assert_eq!(
        chosen(r#"["1-0:1.8.0**"]"#),
        "1.8.0_Wh=5430157.7 1.8.0*96_Wh=5400000.0 "
    );
    assert_eq!(chosen(r#"["1-1:*.*.*"]"#), "");
}

#[test]
fn names_units_and_digits() {
    let shape = shape(
        "rename = { '1.8.0' = 'import', '16.7.0' = 'power' }\nenergy_unit = 'kWh'\ndecimals = 2",
    );
    assert_eq!(
        values(&shape),
        "96.50.1*1=EMH import=5430.16 1.8.1_kWh=0.00 1.8.0*96_kWh=5400.00 3.8.0_kvarh=2.50 \
         power=-105.5 "
    );
}

#[test]
fn every_payload_shows_it() {
    let shape = shape(
        "registers = ['1.8.0', '16.7.0']\nrename = { '1.8.0' = 'Bezug, gesamt' }\nenergy_unit = 'kWh'",
    );
    // The comma is no letter of a name in a configuration; the payloads take any.
    assert_eq!(
        text(&shape, |one, out| payload::thingsboard(&[*one], out)),
        r#"{"ts":1780000000000,"values":{"devid":"1EMH00 12345678","Bezug, gesamt":5430.1577,"16.7.0_W":-105.5}}"#
    );
    let json = text(&shape, |one, out| payload::json(&[*one], out));
    let (_, registers) = json.split_once("\"registers\":").unwrap();
    assert_eq!(
        registers,
        "[{\"obis\":\"1-0:1.8.0*255\",\"name\":\"Bezug, gesamt\",\"value\":5430.1577,\"unit\":\"kWh\",\
         \"status\":null},{\"obis\":\"1-0:16.7.0*255\",\"value\":-105.5,\"unit\":\"W\",\"status\":null}]}"
    );
    let line = influx::Line {
        measurement: "electricity",
        tags: &[],
        texts: true,
    };
    assert_eq!(
        text(&shape, |one, out| line.write(one, out).map(drop)),
        "electricity,meter=1EMH0012345678 Bezug\\,\\ gesamt=5430.1577,16.7.0_W=-105.5 1780000000000\n"
    );
    assert_eq!(
        text(&shape, |one, out| payload::csv(one, out)),
        "2026-05-28T20:26:40.000Z,1 EMH00 1234 5678,1-0:1.8.0*255,\"Bezug, gesamt\",5430.1577,kWh,\r\n\
         2026-05-28T20:26:40.000Z,1 EMH00 1234 5678,1-0:16.7.0*255,Power,-105.5,W,\r\n"
    );
    assert_eq!(
        text(&shape, |one, out| postgres::write(one, out)),
        "2026-05-28T20:26:40.000Z\t1 EMH00 1234 5678\t1-0:1.8.0*255\t5430.1577\t\\N\tkWh\t\\N\n\
         2026-05-28T20:26:40.000Z\t1 EMH00 1234 5678\t1-0:16.7.0*255\t-105.5\t\\N\tW\t\\N\n"
    );
}

#[test]
fn a_name_is_there_once() {
    let shape = shape("registers = ['1.8.*']\nrename = { '1.8.0' = 'x', '1.8.1' = 'x' }");
    assert_eq!(
        text(&shape, |one, out| payload::thingsboard(&[*one], out)),
        r#"{"ts":1780000000000,"values":{"devid":"1EMH00 12345678","x":5430157.7}}"#
    );
}

#[test]
fn the_number_of_an_interval_stands_for_that_of_the_reading() {
    let power = Obis::electricity(16, 7, 0);
    let mean = [(power, Some("250.125".parse().unwrap()))];
    let shape = shape("decimals = 1");
    let classic = numbered(&shape, &mean, |one, out| payload::classic(one, out));
    assert_eq!(
        classic,
        r#"{"devid":"1EMH00 12345678","1.8.0_Wh":"5430157.7","16.7.0_W":"250.1"}"#
    );
    let unknown = numbered(&shape, &[(power, None)], |one, out| {
        payload::json(&[*one], out)
    });
    assert!(
        unknown.contains(r#""1-0:16.7.0*255","value":null"#),
        "{unknown}"
    );
}

#[test]
fn what_is_wrong_is_told() {
    let wrong = |toml: &str| {
        shape(toml)
            .validate(Fixed::NOTHING)
            .unwrap_err()
            .to_string()
    };
    assert!(wrong("rename = { '1.8.*' = 'import' }").starts_with("rename: `1.8.*` may be several"));
    for name in ["", "a/b", "time", "x\\", " x", "a,b"] {
        let toml = toml::to_string(&Shape {
            rename: [("1.8.0".parse().unwrap(), name.to_owned())].into(),
            ..Shape::default()
        });
        assert!(wrong(&toml.unwrap()).contains(&format!("`{name}` is no name")));
    }
    assert!(wrong("rename = { '1.8.0' = 'x', '2.8.0' = 'x' }").contains("two registers"));
    let classic = shape("energy_unit = 'kWh'").validate(Fixed::CLASSIC);
    assert_eq!(classic.unwrap_err().key(), "energy_unit");
    assert_eq!(
        shape("rename = { '1.8.0' = 'Bezug 1' }").validate(Fixed::NOTHING),
        Ok(())
    );
}
