//! How an entity must look, by the table of Home Assistant's documentation and what the simulator knows,
//! not by the program.

use std::collections::BTreeMap;
use std::error::Error;

use meter_core::names::{self, Quantity};
use meter_core::payload::Key;
use meter_core::{Decimal, Obis, Reading, Unit};
use meter_sim::Telegram;
use serde_json::Value as Json;
use sml_wire::{Body, Decoder, Event};

use crate::head::Head;

/// What there is of an entity.
#[derive(Debug)]
pub struct Expected {
    class: Option<&'static str>,
    state_class: Option<&'static str>,
    unit: Option<&'static str>,
    category: Option<&'static str>,
    /// What it may show; anything but nothing where this is empty.
    values: Vec<String>,
    disabled: bool,
}

/// What Home Assistant has to make of a telegram, by the ids of the entities.
pub fn registers(
    id: &str,
    telegram: &Telegram,
) -> Result<BTreeMap<String, Expected>, Box<dyn Error>> {
    let body = body(&telegram.bytes)?;
    let reading = Reading::from_bytes(&body)?;
    let mut expected = BTreeMap::new();
    for register in reading.registers() {
        let key = Key::code(register.obis);
        let entity = format!(
            "meterline_{id}_{}",
            key.to_string().replace([':', '.', '-', '*'], "_")
        );
        // Of a code that comes twice, the first counts.
        expected
            .entry(entity)
            .or_insert_with(|| Expected::register(register.obis, register.unit, telegram));
    }
    let rules = reading.registers().filter_map(|register| register.rule);
    let rule = rules.last().map(|rule| rule.to_string());
    expected.insert(
        format!("meterline_{id}_correction"),
        Expected::diagnostic(None, rule),
    );
    Ok(expected)
}

/// What it has to say of the line that led to this.
pub fn line(head: &Head) -> BTreeMap<String, Expected> {
    let id = head.id();
    let percent = |good: u64| (100 * good).checked_div(good + head.bad);
    // What the inputs show may be a second old.
    let quality = [head.good, head.good.saturating_sub(1)].map(percent);
    let quality = quality
        .into_iter()
        .flatten()
        .map(|percent| percent.to_string());
    let errors = [head.bad.to_string()];
    [
        (
            "crc_errors",
            Expected::diagnostic(Some("total_increasing"), errors),
        ),
        (
            "signal_quality",
            Expected {
                unit: Some("%"),
                ..Expected::diagnostic(Some("measurement"), quality)
            },
        ),
    ]
    .into_iter()
    .map(|(key, expected)| (format!("meterline_{id}_{key}"), expected))
    .collect()
}

impl Expected {
    /// Something about the way of a meter's readings.
    pub fn diagnostic(
        state_class: Option<&'static str>,
        values: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            class: None,
            state_class,
            unit: None,
            category: Some("diagnostic"),
            values: values.into_iter().collect(),
            disabled: false,
        }
    }

    /// The same, of a class.
    pub fn of_class(self, class: &'static str) -> Self {
        Self {
            class: Some(class),
            ..self
        }
    }

    fn register(obis: Obis, unit: Option<Unit>, telegram: &Telegram) -> Self {
        let [medium, _, c, d, _, storage] = obis.0;
        let truth = telegram.number_text(obis);
        let energy = |state_class| (Some("energy"), Some(state_class), Some("kWh"));
        let measured = |class, unit| (class, Some("measurement"), Some(unit));
        let (class, state_class, unit) = match (medium, c, d, unit) {
            _ if truth.is_none() => (None, None, None),
            (1, 1 | 2, 8, Some(Unit::WATT_HOUR)) if storage == 255 => energy("total_increasing"),
            (1, 1, 17, Some(Unit::WATT_HOUR)) | (1, 15 | 16, 8, Some(Unit::WATT_HOUR))
                if storage == 255 =>
            {
                energy("total")
            }
            (1, _, 7, Some(Unit::WATT)) => measured(Some("power"), "W"),
            (1, 32 | 52 | 72, 7, _) => measured(Some("voltage"), "V"),
            (1, 31 | 51 | 71, 7, _) => measured(Some("current"), "A"),
            (1, 14, 7, _) => measured(Some("frequency"), "Hz"),
            (1, 81, 7, _) => measured(None, "°"),
            _ => (None, None, None),
        };
        let value = match unit {
            Some("kWh") => truth.and_then(|text| {
                let number: Decimal = text.parse().ok()?;
                Some(number.rescaled(-3)?.to_string())
            }),
            Some(_) => truth,
            None => None,
        };
        let hidden = |quantity| {
            matches!(
                quantity,
                Quantity::Checksum | Quantity::PublicKey | Quantity::Vendor
            )
        };
        Self {
            class,
            state_class,
            unit,
            category: unit.is_none().then_some("diagnostic"),
            values: value.into_iter().collect(),
            disabled: names::describe(obis).is_none_or(|known| hidden(known.quantity)),
        }
    }

    /// What is wrong with an entity.
    pub fn misfit(&self, entity: Option<&Json>) -> Option<String> {
        let Some(entity) = entity else {
            return Some("is not there".to_owned());
        };
        if entity["entity_category"].as_str() != self.category {
            return Some(format!("is {}", entity["entity_category"]));
        }
        if self.disabled {
            let off = entity["disabled_by"] == "integration";
            return (!off).then(|| "is enabled".to_owned());
        }
        let state = entity["state"].as_str().unwrap_or("none");
        if matches!(state, "unknown" | "unavailable" | "") {
            return Some(format!("is {state}"));
        }
        let attribute = |name: &str| entity["attributes"][name].as_str();
        let seen = (attribute("device_class"), attribute("state_class"));
        if seen != (self.class, self.state_class) {
            return Some(format!("is of {seen:?}"));
        }
        if self.unit.is_some() && attribute("unit_of_measurement") != self.unit {
            return Some("has another unit".to_owned());
        }
        let fits = |value: &String| plain(value) == plain(state);
        let wrong = !self.values.is_empty() && !self.values.iter().any(fits);
        wrong.then(|| format!("{state}, not {}", self.values.join(" or ")))
    }
}

/// A number without noughts at its end.
fn plain(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

fn body(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut decoder = Decoder::new(vec![0; 4096]);
    let mut input = bytes;
    let Some(Event::Frame(frame)) = decoder.next(&mut input) else {
        return Err("no frame".into());
    };
    let mut messages = frame.file().messages().flatten();
    let list = messages.find_map(|message| match message.body {
        Body::GetListRes(list) => Some(list),
        _ => None,
    });
    let mut buffer = [0; 4096];
    let body = Reading::new(list.ok_or("no list")?).emit(&mut buffer);
    Ok(body.map_err(|_| "too long")?.to_vec())
}
