//! `InfluxDB` 1.6, which writes ahead what it acknowledges.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use super::{IMPATIENT, Listening, Server};
use crate::process::{ask, until};
use crate::rows::{Held, Place, Registers, value};
use crate::{Head, Result};

/// A database without users.
#[derive(Debug)]
pub struct Influxd {
    server: Listening,
    folder: PathBuf,
}

impl Influxd {
    pub fn start(folder: &Path) -> Result<Self> {
        let folder = folder.join("influxdb");
        fs::create_dir(&folder)?;
        let mut influxd = Self {
            server: Listening::new(folder.join("log"))?,
            folder,
        };
        influxd.back()?;
        ask(
            influxd.server.port,
            "POST",
            "/query?q=CREATE%20DATABASE%20power",
        )?;
        Ok(influxd)
    }
}

impl Server for Influxd {
    fn outputs(&self, _: &[Head]) -> String {
        format!(
            "[output.influx]\ntype = \"influx\"\nversion = \"v1\"\nurl = \"http://localhost:{}\"\n\
             database = \"power\"\ntexts = true\nallow_insecure = true\n{IMPATIENT}",
            self.server.port
        )
    }

    fn away(&mut self, how: Signal) {
        self.server.process.end(how);
    }

    fn back(&mut self) -> Result {
        let mut command = fixtures::influxdb(&self.folder, self.server.port, "")?;
        self.server.start(&mut command)?;
        until("answered by InfluxDB", || {
            Ok(ask(self.server.port, "GET", "/ping").is_ok())
        })
    }

    fn held(&self) -> Result<Vec<(&'static str, Registers, Held)>> {
        let query = "/query?db=power&q=SELECT%20*%20FROM%20electricity%20GROUP%20BY%20meter";
        let answer: Value = serde_json::from_str(&ask(self.server.port, "GET", query)?)?;
        let series = answer
            .pointer("/results/0/series")
            .and_then(Value::as_array);
        let mut held = Held::default();
        for series in series.into_iter().flatten() {
            let list = |of: &Value, key: &str| -> Vec<Value> {
                let found = of.get(key).and_then(Value::as_array);
                found.cloned().unwrap_or_default()
            };
            let meter = series.pointer("/tags/meter").and_then(Value::as_str);
            let meter = meter.ok_or("a series without a meter")?;
            let columns = list(series, "columns");
            for row in list(series, "values") {
                let cells = row.as_array().ok_or("a row that is none")?;
                let time = cells.first().and_then(Value::as_str).ok_or("no time")?;
                let cells = columns.iter().zip(cells).skip(1);
                for (column, cell) in cells.filter(|(_, cell)| !cell.is_null()) {
                    let register = column.as_str().unwrap_or_default();
                    held.add(
                        Place::new(meter, &with_millis(time), register),
                        value(cell),
                        true,
                    );
                }
            }
        }
        Ok(vec![("influx", Registers::All, held)])
    }

    fn stores_by_key(&self) -> bool {
        true
    }
}

/// `…:00Z`, `…:00.5Z` and `…:00.12Z` with all three digits behind the point.
fn with_millis(time: &str) -> String {
    let time = time.trim_end_matches('Z');
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{seconds}.{fraction:0<3}Z")
}

#[cfg(test)]
mod tests {
    use super::with_millis;

    #[test]
    fn times_are_as_the_journal_writes_them() {
        for (said, meant) in [("0Z", "0.000Z"), ("0.5Z", "0.500Z"), ("0.123Z", "0.123Z")] {
            assert_eq!(with_millis(said), meant);
        }
    }
}
