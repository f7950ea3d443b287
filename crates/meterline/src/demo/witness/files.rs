//! Files of readings, read while they grow.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::OUTPUT;
use super::super::goal::{Goal, Kind};

/// The files of one output.
#[derive(Debug)]
pub struct Files {
    goal: Goal,
    /// How much of each has been read.
    read: BTreeMap<PathBuf, u64>,
    /// Rows of a reading that may have more.
    open: Option<Rows>,
}

/// Rows of CSV that belong together.
#[derive(Debug)]
struct Rows {
    time: String,
    meter: String,
    registers: Vec<Value>,
}

impl Rows {
    fn reading(self) -> Value {
        json!({"meter_id": self.meter, "registers": self.registers})
    }
}

impl Files {
    /// Those in the directory, from where they end now.
    pub fn in_directory(goal: &Goal) -> Self {
        let mut files = Self {
            goal: goal.clone(),
            read: BTreeMap::new(),
            open: None,
        };
        let _ = files.new_lines();
        files
    }

    /// What was written since the last look.
    pub fn new_readings(&mut self) -> Vec<Value> {
        let lines = self.new_lines();
        if self.goal.kind == Kind::Jsonl {
            let reading = |line: &str| serde_json::from_str(line).unwrap_or_default();
            return lines.lines().map(reading).collect();
        }
        let mut readings = Vec::new();
        for line in lines.lines() {
            let fields = fields(line);
            if let [time, meter, obis, _, value, ..] = fields.as_slice()
                && time != "time"
            {
                readings.extend(self.row(time, meter, obis, value));
            }
        }
        // A reading is written whole, so when nothing more comes it has no more rows.
        if lines.is_empty() {
            readings.extend(self.open.take().map(Rows::reading));
        }
        readings
    }

    /// Adds a row; the reading before it if that is complete with this.
    fn row(&mut self, time: &str, meter: &str, obis: &str, value: &str) -> Option<Value> {
        let same = |rows: &Rows| rows.time == time && rows.meter == meter;
        let before = self.open.take_if(|rows| !same(rows)).map(Rows::reading);
        let rows = self.open.get_or_insert_with(|| Rows {
            time: time.to_owned(),
            meter: meter.to_owned(),
            registers: Vec::new(),
        });
        let number = serde_json::from_str(value).ok().filter(Value::is_number);
        let value = number.unwrap_or_else(|| value.into());
        rows.registers.push(json!({"obis": obis, "value": value}));
        before
    }

    /// The whole lines that are new, of all files.
    fn new_lines(&mut self) -> String {
        let extension = if self.goal.kind == Kind::Csv {
            ".csv"
        } else {
            ".jsonl"
        };
        let entries = fs::read_dir(&self.goal.directory).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let name = entry.file_name().into_string().ok()?;
                let ours = name.starts_with(&format!("{OUTPUT}-")) && name.ends_with(extension);
                ours.then(|| entry.path())
            })
            .collect();
        paths.sort();
        let mut text = String::new();
        for path in paths {
            let position = self.read.entry(path.clone()).or_default();
            let mut new = Vec::new();
            let read = File::open(&path).and_then(|mut file| {
                file.seek(SeekFrom::Start(*position))?;
                file.read_to_end(&mut new)
            });
            let whole = new.iter().rposition(|byte| *byte == b'\n');
            if let (Ok(_), Some(end)) = (read, whole) {
                new.truncate(end + 1);
                *position += new.len() as u64;
                text.push_str(&String::from_utf8_lossy(&new));
            }
        }
        text
    }
}

/// The fields of a line of CSV. Some names have commas; none of what meters are simulated to send has
/// quotes.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    for (index, part) in line.split('"').enumerate() {
        let is_quoted = index % 2 == 1;
        let mut pieces = part.split(|letter| letter == ',' && !is_quoted);
        if let (Some(last), Some(first)) = (fields.last_mut(), pieces.next()) {
            last.push_str(first);
        }
        fields.extend(pieces.map(str::to_owned));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn a_comma_in_quotes_is_no_end() {
        let line = "t,m,1-0:21.7.0*255,\"Power L1, import\",5,W,";
        let wanted = ["t", "m", "1-0:21.7.0*255", "Power L1, import", "5", "W", ""];
        assert_eq!(fields(line), wanted);
    }
}
