//! What the journal holds, as a server should hold it.

use std::collections::BTreeMap;

use meter_core::payload::Key;
use meter_core::{Reading, ServerId};
use meter_gateway::journal::Record;

use crate::stage::Result;

/// Values by meter, field and time in milliseconds. Floats are what the servers store; two texts of
/// a number are the same float or they are not.
pub type Rows = BTreeMap<(String, String, i64), f64>;

/// Every number of every record.
pub fn of(records: &[Record]) -> Result<Rows> {
    let mut rows = Rows::new();
    for record in records {
        let reading = Reading::from_bytes(&record.body).map_err(|error| error.to_string())?;
        let meter = ServerId(&record.meter).meter_id().compact().to_string();
        for register in reading.registers() {
            let Some(number) = register.number() else {
                continue;
            };
            let key = Key {
                obis: register.obis,
                unit: register.unit,
            };
            let place = (meter.clone(), key.to_string(), record.time.0);
            rows.insert(place, number.to_string().parse()?);
        }
    }
    Ok(rows)
}
