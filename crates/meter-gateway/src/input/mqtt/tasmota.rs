//! Tasmota's JSON as a telegram.
//!
//! ```json
//! {"Time":"2026-11-23T05:00:00","SML":{"Meter_id":"0a01454d480000bc614e","Total_in":2941.6459,"Power_curr":-105}}
//! ```
//!
//! The names, and that of the object around them, are made up by whoever wrote the script of the device.
//! These are the ones that nearly all scripts have.

use meter_core::{Decimal, Obis, Unit};
use serde_json::{Map, Value as Json};
use sml_wire::{Body, CrcKind, Frame, GetListRes, Integer, ListEntry, Message, Value, Writer};

use super::Config;

/// What scripts call registers, in lower case.
const NAMES: &[(&str, Obis)] = &[
    ("total_in", Obis::electricity(1, 8, 0)),
    ("total_in_1", Obis::electricity(1, 8, 1)),
    ("total_in_2", Obis::electricity(1, 8, 2)),
    ("total_out", Obis::electricity(2, 8, 0)),
    ("total_out_1", Obis::electricity(2, 8, 1)),
    ("total_out_2", Obis::electricity(2, 8, 2)),
    ("power_curr", Obis::electricity(16, 7, 0)),
    ("power_l1", Obis::electricity(36, 7, 0)),
    ("power_l2", Obis::electricity(56, 7, 0)),
    ("power_l3", Obis::electricity(76, 7, 0)),
    ("voltage_l1", Obis::electricity(32, 7, 0)),
    ("voltage_l2", Obis::electricity(52, 7, 0)),
    ("voltage_l3", Obis::electricity(72, 7, 0)),
    ("current_l1", Obis::electricity(31, 7, 0)),
    ("current_l2", Obis::electricity(51, 7, 0)),
    ("current_l3", Obis::electricity(71, 7, 0)),
    ("frequency", Obis::electricity(14, 7, 0)),
];

/// What scripts call the meter's id, in lower case.
const IDS: [&str; 3] = ["meter_id", "meter_number", "server_id"];

/// The longest frame that is made: a message has some twenty values.
const LONGEST: usize = 4096;

/// A value for a register.
struct Entry {
    obis: Obis,
    unit: Unit,
    number: Decimal,
}

/// The values as a telegram of a meter; `None` if there is none.
pub(super) fn telegram(payload: &[u8], config: &Config) -> Option<Vec<u8>> {
    let object = object(payload)?;
    let mut entries = Vec::new();
    for (name, value) in &object {
        if let Some(obis) = code_of(name, config)
            && let Some(entry) = Entry::of(obis, value)
        {
            entries.push(entry);
        }
    }
    if entries.is_empty() {
        return None;
    }
    frame(&server_id(&object), &entries)
}

/// The names in a message that were not understood, for people.
pub(super) fn keys(payload: &[u8]) -> Vec<String> {
    let Ok(Json::Object(outer)) = serde_json::from_slice(payload) else {
        return Vec::new();
    };
    let inner = outer.values().find_map(Json::as_object);
    inner.unwrap_or(&outer).keys().take(12).cloned().collect()
}

/// The object that has the values: that of the meter, or the message itself.
fn object(payload: &[u8]) -> Option<Map<String, Json>> {
    let Json::Object(outer) = serde_json::from_slice(payload).ok()? else {
        return None;
    };
    let mut found = Map::new();
    for (name, value) in outer {
        match value {
            Json::Object(inner) => found.extend(inner),
            other => {
                found.insert(name, other);
            }
        }
    }
    Some(found)
}

fn code_of(name: &str, config: &Config) -> Option<Obis> {
    if let Some(code) = config.codes.get(name) {
        return Some(code.0);
    }
    let name = name.to_ascii_lowercase();
    let known = NAMES.iter().find(|(known, _)| *known == name);
    known.map(|(_, obis)| *obis)
}

/// The octets of the meter's id, which Tasmota prints in hexadecimal; or what it is called.
fn server_id(object: &Map<String, Json>) -> Vec<u8> {
    let id = object
        .iter()
        .find(|(name, _)| IDS.contains(&name.to_ascii_lowercase().as_str()));
    let text = id.and_then(|(_, value)| value.as_str()).unwrap_or_default();
    super::octets(text.as_bytes()).unwrap_or_else(|| text.as_bytes().to_vec())
}

impl Entry {
    /// Energy comes in kWh, and is counted in Wh by meters.
    fn of(obis: Obis, value: &Json) -> Option<Self> {
        let Json::Number(number) = value else {
            return None;
        };
        let number: Decimal = number.to_string().parse().ok()?;
        let (c, d, _) = obis.quantity();
        let (unit, power) = match (c, d) {
            (_, 8 | 17) => (Unit::WATT_HOUR, 3),
            (32 | 52 | 72, 7) => (Unit::VOLT, 0),
            (31 | 51 | 71, 7) => (Unit::AMPERE, 0),
            (14, 7) => (Unit::HERTZ, 0),
            (81, 7) => (Unit::DEGREE, 0),
            (_, 7) => (Unit::WATT, 0),
            _ => return None,
        };
        Some(Self {
            obis,
            unit,
            number: number.rescaled(power)?,
        })
    }

    fn list_entry(&self) -> Option<ListEntry<'_>> {
        let magnitude = i64::try_from(self.number.magnitude()).ok()?;
        let value = if self.number.is_negative() {
            -magnitude
        } else {
            magnitude
        };
        Some(ListEntry {
            name: &self.obis.0,
            status: None,
            time: None,
            unit: Some(Integer::unsigned(self.unit.0.into())),
            scaler: Some(Integer::signed(self.number.scaler().into())),
            value: Value::Integer(Integer::signed(value)),
            signature: None,
        })
    }
}

fn frame(server_id: &[u8], entries: &[Entry]) -> Option<Vec<u8>> {
    let entries: Vec<ListEntry<'_>> = entries.iter().filter_map(Entry::list_entry).collect();
    let list = GetListRes {
        entries: entries.as_slice().into(),
        ..GetListRes::of(server_id)
    };
    let (mut file, mut wire) = (vec![0; LONGEST], vec![0; LONGEST]);
    let mut payload = Writer::new(&mut file);
    Message::new(b"1", Body::GetListRes(list))
        .emit(&mut payload)
        .ok()?;
    let mut writer = Writer::new(&mut wire);
    Frame::new(payload.written(), CrcKind::X25)
        .emit(&mut writer)
        .ok()?;
    Some(writer.written().to_vec())
}

#[cfg(test)]
mod tests {
    use meter_core::Reading;

    use super::*;
    use crate::input::Telegrams;

    /// What a message says, as a reading has it.
    fn values(json: &str, codes: &[(&str, &str)]) -> Option<(String, Vec<String>)> {
        let url = "mqtt://broker".parse().unwrap();
        let mut config = Config::new(url, "tele/meter/SENSOR".parse().unwrap());
        for (name, code) in codes {
            let code = code.parse().unwrap();
            config.codes.insert((*name).to_owned(), code);
        }
        let bytes = telegram(json.as_bytes(), &config)?;
        let found = Telegrams::new().next(&mut bytes.as_slice()).unwrap();
        let reading = Reading::from_bytes(&found.body).unwrap();
        let registers = reading.registers().map(|register| {
            let number = register.number().unwrap();
            let unit = register.unit.and_then(Unit::symbol).unwrap_or_default();
            format!("{} {number} {unit}", register.obis)
        });
        Some((reading.meter_id().to_string(), registers.collect()))
    }

    #[test]
    fn values_keep_every_digit() {
        let json = r#"{"Time":"2026-11-23T05:00:00","SML":{"Meter_id":"0a01454d480000bc614e",
            "Total_in":2941.6459,"Total_out":0.0,"Power_curr":-105,"voltage_l1":231.4,"Uptime":7}}"#;
        let (meter, registers) = values(json, &[]).unwrap();
        assert_eq!(meter, "1 EMH00 1234 5678");
        assert_eq!(
            registers,
            [
                "1-0:1.8.0*255 2941645.9 Wh",
                "1-0:2.8.0*255 0 Wh",
                "1-0:16.7.0*255 -105 W",
                "1-0:32.7.0*255 231.4 V",
            ]
        );
    }

    #[test]
    fn scripts_may_name_values_as_they_like() {
        let json = r#"{"E320":{"E_in":24798.123,"Power":512}}"#;
        assert_eq!(values(json, &[]), None);
        assert_eq!(keys(json.as_bytes()), ["E_in", "Power"]);
        let named = [("E_in", "1.8.0"), ("Power", "1-0:16.7.0*255")];
        let (meter, registers) = values(json, &named).unwrap();
        assert_eq!(meter, "no meter id");
        assert_eq!(
            registers,
            ["1-0:1.8.0*255 24798123 Wh", "1-0:16.7.0*255 512 W"]
        );
    }

    #[test]
    fn what_has_no_numbers_is_no_reading() {
        for json in [
            "{}",
            "[1]",
            r#"{"SML":{"Total_in":null}}"#,
            r#"{"SML":{"Total_in":"1"}}"#,
            "{",
        ] {
            assert_eq!(values(json, &[]), None, "{json}");
        }
    }
}
