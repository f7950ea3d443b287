//! What a middleware of volkszaehler gets, as readings.

use std::collections::BTreeMap;

use meter_core::ServerId;
use meter_sim::backend::Received;
use serde_json::{Value, json};

/// The registers that are sent, and the UUIDs of their channels.
pub const CHANNELS: [(&str, &str); 2] = [
    ("1.8.0", "6836dd20-00d5-11e0-bab1-856ed5f959ae"),
    ("16.7.0", "7f4b2c10-00d5-11e0-9c3d-0123456789ab"),
];

/// How the middleware says that it has the values.
pub const TAKEN: &str = r#"{"version":"0.3","rows":1}"#;

/// The values of one meter's channels.
#[derive(Debug)]
pub struct Channels {
    meter_id: String,
    /// The registers that are there of each time.
    times: BTreeMap<i64, Vec<Value>>,
}

impl Channels {
    /// Those of the meter with this server id.
    pub fn of(meter: &[u8]) -> Self {
        Self {
            meter_id: ServerId(meter).meter_id().to_string(),
            times: BTreeMap::new(),
        }
    }

    /// Takes the values of one request.
    pub fn take(&mut self, request: &Received) {
        let of_channel = |(_, uuid): &&(&str, &str)| request.path.contains(uuid);
        let Some((register, _)) = CHANNELS.iter().find(of_channel) else {
            return;
        };
        for tuple in request.readings() {
            if let (Some(time), Some(value)) = (tuple.get(0).and_then(Value::as_i64), tuple.get(1))
            {
                let register = json!({"obis": format!("1-0:{register}*255"), "value": value});
                self.times.entry(time).or_default().push(register);
            }
        }
    }

    /// The readings of which every channel has its value.
    pub fn complete(&mut self) -> Vec<Value> {
        let whole = |_: &i64, registers: &mut Vec<Value>| registers.len() >= CHANNELS.len();
        let readings = self.times.extract_if(.., whole);
        readings
            .map(|(_, registers)| json!({"meter_id": self.meter_id, "registers": registers}))
            .collect()
    }
}
