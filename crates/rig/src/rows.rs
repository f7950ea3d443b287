//! What was sent and what is held, as rows that can be compared.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Result;

/// One register of one reading.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The letters and digits of the meter's id: what stands between them is not the same everywhere.
    meter: String,
    /// When the reading was taken, as the journal has it.
    time: String,
    /// The register with its unit, as in `1.8.0_Wh`.
    register: String,
}

impl Place {
    /// `register` is what [`register`] makes, or what is like it.
    pub fn new(meter: &str, time: &str, register: &str) -> Self {
        Self {
            meter: meter.chars().filter(char::is_ascii_alphanumeric).collect(),
            time: time.to_owned(),
            register: register.to_owned(),
        }
    }

    /// The register with its unit.
    pub fn register(&self) -> &str {
        &self.register
    }

    fn reading(&self) -> (&str, &str) {
        (&self.meter, &self.time)
    }
}

/// `1-0:1.8.0*255` and `Wh` as `1.8.0_Wh`, which is what servers get who want a single name.
pub fn register(obis: &str, unit: Option<&str>) -> String {
    let code = obis.strip_prefix("1-0:").unwrap_or(obis);
    let code = code.strip_suffix("*255").unwrap_or(code);
    match unit.filter(|unit| !unit.is_empty()) {
        Some(unit) => format!("{code}_{unit}"),
        None => code.to_owned(),
    }
}

/// A number without the noughts that say nothing; any other text as it is.
pub fn plain(text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_decimal =
        digits.contains('.') && digits.bytes().all(|b| b == b'.' || b.is_ascii_digit());
    if is_decimal {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

/// A value of JSON, with all its digits.
pub fn value(json: &Value) -> String {
    match json {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Numbers are compared as decimals, texts as they are.
fn is_same(held: &str, wanted: &str, is_number: bool) -> bool {
    held == wanted || (is_number && plain(held) == plain(wanted))
}

/// What must be there.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Every register, and whether it is a number.
    rows: BTreeMap<Place, (String, bool)>,
}

/// Which registers an output delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registers {
    /// All of them.
    All,
    /// Those that are numbers.
    Numbers,
}

/// What a server holds.
#[derive(Debug, Default)]
pub struct Held {
    rows: BTreeMap<Place, Row>,
}

#[derive(Debug, Default)]
struct Row {
    /// Each value that came, in the order in which they did.
    values: Vec<String>,
    /// Whether the server has it for good.
    kept: bool,
}

/// What became of the readings on one output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Which output.
    pub output: String,
    /// Readings that were sent.
    pub sent: usize,
    /// Readings that are not there.
    pub lost: usize,
    /// Readings that came more than once.
    pub doubled: usize,
    /// Whether the server has a reading once however often it comes, so that `doubled` is 0.
    pub stored_by_key: bool,
    /// Registers that are there and should not be, or have another value, or are missing in a reading that is there.
    pub wrong: usize,
    /// One of those that are lost or wrong.
    pub example: Option<String>,
}

impl Outcome {
    /// Whether nothing is lost, and everything exact.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.lost == 0 && self.wrong == 0
    }

    fn note(&mut self, place: &Place, what: &str) {
        let Place {
            meter,
            time,
            register,
        } = place;
        let what = || format!("{meter} {time} {register}: {what}");
        self.example.get_or_insert_with(what);
    }
}

impl Wanted {
    /// Adds a register; no reading has the same one twice.
    pub fn add(&mut self, place: Place, value: String, is_number: bool) -> Result {
        match self.rows.insert(place, (value, is_number)) {
            None => Ok(()),
            Some((value, _)) => {
                Err(format!("a register is twice in the journal, with {value}").into())
            }
        }
    }

    /// Holds what a server has against it.
    pub fn compare(&self, output: &str, registers: Registers, held: &Held) -> Outcome {
        let mut outcome = Outcome {
            output: output.to_owned(),
            doubled: held.doubled(),
            ..Outcome::default()
        };
        let wanted = self
            .rows
            .iter()
            .filter(|(_, (_, is_number))| registers == Registers::All || *is_number);
        let there: BTreeSet<_> = held.kept().map(Place::reading).collect();
        let (mut sent, mut lost) = (BTreeSet::new(), BTreeSet::new());
        for (place, (value, is_number)) in wanted {
            sent.insert(place.reading());
            if !there.contains(&place.reading()) {
                outcome.note(place, "lost");
                lost.insert(place.reading());
                continue;
            }
            let row = held.rows.get(place).filter(|row| row.kept);
            let values = row.map(|row| row.values.as_slice()).unwrap_or_default();
            if values.is_empty() || values.iter().any(|held| !is_same(held, value, *is_number)) {
                outcome.note(place, &format!("{value} is {values:?}"));
                outcome.wrong += 1;
            }
        }
        let unknown = held
            .rows
            .keys()
            .filter(|place| !self.rows.contains_key(place));
        for place in unknown {
            outcome.note(place, "nobody sent it");
            outcome.wrong += 1;
        }
        (outcome.sent, outcome.lost) = (sent.len(), lost.len());
        outcome
    }
}

impl Held {
    /// Adds a register that arrived. What a server had and did not acknowledge is not `kept`.
    pub fn add(&mut self, place: Place, value: String, kept: bool) {
        let row = self.rows.entry(place).or_default();
        row.values.push(value);
        row.kept |= kept;
    }

    /// Adds a reading in the JSON that calls itself `json`.
    pub fn add_json(&mut self, reading: &Value) -> Result {
        for (place, value, _) in registers(reading)? {
            self.add(place, value, true);
        }
        Ok(())
    }

    fn kept(&self) -> impl Iterator<Item = &Place> {
        let rows = self.rows.iter().filter(|(_, row)| row.kept);
        rows.map(|(place, _)| place)
    }

    fn doubled(&self) -> usize {
        let doubled = self.rows.iter().filter(|(_, row)| row.values.len() > 1);
        let readings: BTreeSet<_> = doubled.map(|(place, _)| place.reading()).collect();
        readings.len()
    }
}

/// The registers of a reading in the JSON that calls itself `json`: each with its value, and whether that is a number.
pub fn registers(reading: &Value) -> Result<Vec<(Place, String, bool)>> {
    let text = |key: &str| reading.get(key).and_then(Value::as_str);
    let meter = text("meter_id").ok_or("a reading without a meter")?;
    let time = text("time").ok_or("a reading without a time")?;
    let all = reading.get("registers").and_then(Value::as_array);
    let read = |entry: &Value| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let register = register(text("obis")?, text("unit"));
        let json = entry.get("value")?;
        let place = Place::new(meter, time, &register);
        Some((place, value(json), json.is_number()))
    };
    let all = all.into_iter().flatten().map(read);
    Ok(all
        .collect::<Option<_>>()
        .ok_or("a register without a value")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(time: &str) -> Place {
        let register = register("1-0:1.8.0*255", Some("Wh"));
        Place::new("1 EMH00 1059 9732", time, &register)
    }

    fn outcome(wanted: &str, is_number: bool, held: &[(&str, &str, bool)]) -> [usize; 4] {
        let mut all = Wanted::default();
        for time in ["1", "2"] {
            assert!(all.add(place(time), wanted.to_owned(), is_number).is_ok());
        }
        let mut there = Held::default();
        for (time, value, kept) in held {
            there.add(place(time), (*value).to_owned(), *kept);
        }
        let found = all.compare("rest", Registers::All, &there);
        let counts = [found.sent, found.lost, found.doubled, found.wrong];
        assert_eq!(found.is_whole(), counts[1] + counts[3] == 0);
        counts
    }

    #[test]
    fn what_is_lost_doubled_and_wrong_is_counted() {
        let [one, two] = [("1", "105.5", true), ("2", "105.50", true)];
        assert_eq!(outcome("105.50", true, &[one, two]), [2, 0, 0, 0]);
        assert_eq!(outcome("105.50", true, &[one]), [2, 1, 0, 0]);
        assert_eq!(outcome("105.50", true, &[one, one, two]), [2, 0, 1, 0]);
        assert_eq!(outcome("105.4", true, &[one, two]), [2, 0, 0, 2]);
        let nobody = ("3", "105.5", true);
        assert_eq!(outcome("105.5", true, &[one, two, nobody]), [2, 0, 0, 1]);
    }

    #[test]
    fn what_a_server_did_not_acknowledge_may_be_there_and_does_not_count() {
        let [not, yes] = [("2", "1", false), ("2", "1", true)];
        assert_eq!(outcome("1", true, &[("1", "1", true), not]), [2, 1, 0, 0]);
        assert_eq!(
            outcome("1", true, &[("1", "1", true), not, yes]),
            [2, 0, 1, 0]
        );
    }

    #[test]
    fn a_text_is_compared_as_it_is() {
        let all = |text| [("1", text, true), ("2", text, true)];
        assert_eq!(outcome("03.00", false, &all("03.00")), [2, 0, 0, 0]);
        assert_eq!(outcome("03.00", false, &all("03")), [2, 0, 0, 2]);
    }

    #[test]
    fn only_noughts_behind_the_point_say_nothing() {
        let texts = ["-105.50", "0.0", "100", "0a10", ""];
        assert_eq!(texts.map(plain), ["-105.5", "0", "100", "0a10", ""]);
    }
}
