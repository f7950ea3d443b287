//! `VictoriaMetrics`, which acknowledges before it writes.

use std::fs;
use std::path::{Path, PathBuf};

use meter_core::UnixMillis;
use rustix::process::Signal;
use serde_json::Value;

use super::{IMPATIENT, Listening, Server};
use crate::process::{ask, until};
use crate::rows::{Held, Place, Registers, value};
use crate::{Head, Result};

/// A server that takes a sample which comes twice for one.
#[derive(Debug)]
pub struct Victoria {
    server: Listening,
    folder: PathBuf,
}

impl Victoria {
    pub fn start(folder: &Path) -> Result<Self> {
        let folder = folder.join("victoria");
        fs::create_dir(&folder)?;
        let mut victoria = Self {
            server: Listening::new(folder.join("log"))?,
            folder,
        };
        victoria.back()?;
        Ok(victoria)
    }
}

impl Server for Victoria {
    fn outputs(&self, _: &[Head]) -> String {
        format!(
            "[output.victoria]\ntype = \"influx\"\nversion = \"v1\"\n\
             url = \"http://localhost:{}\"\ndatabase = \"power\"\nallow_insecure = true\n{IMPATIENT}",
            self.server.port
        )
    }

    fn away(&mut self, how: Signal) {
        self.server.process.end(how);
    }

    fn back(&mut self) -> Result {
        let mut command = fixtures::victoria_metrics(&self.folder, self.server.port);
        self.server.start(&mut command)?;
        // It listens before it serves.
        until("answered by VictoriaMetrics", || {
            Ok(ask(self.server.port, "GET", "/health").is_ok())
        })
    }

    fn held(&self) -> Result<Vec<(&'static str, Registers, Held)>> {
        ask(self.server.port, "GET", "/internal/force_flush")?;
        let target = "/api/v1/export?match[]={__name__=~%22electricity_.*%22}";
        let mut held = Held::default();
        for line in ask(self.server.port, "GET", target)?.lines() {
            let series: Value = serde_json::from_str(line)?;
            let text = |pointer: &str| {
                let found = series.pointer(pointer).and_then(Value::as_str);
                found.unwrap_or_default().to_owned()
            };
            let register = text("/metric/__name__").replacen("electricity_", "", 1);
            let meter = text("/metric/meter");
            let list = |key: &str| {
                series
                    .get(key)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
            };
            for (time, number) in list("timestamps").zip(list("values")) {
                let time = UnixMillis(time.as_i64().ok_or("no time")?).to_string();
                held.add(Place::new(&meter, &time, &register), value(number), true);
            }
        }
        Ok(vec![("victoria", Registers::Numbers, held)])
    }

    fn survives_a_kill(&self) -> bool {
        false
    }

    fn stores_by_key(&self) -> bool {
        true
    }
}
