//! The JSON of the system that this one takes over, for dashboards that were made for it.
//!
//! ```json
//! {"devid":"1ESY11 62232997","1.8.0_Wh":"2941646.1","16.7.0_W":"810.2","36.7.0_W":"505.2","56.7.0_W":"63.1","76.7.0_W":"241.8"}
//! ```
//!
//! Values are strings with one decimal; further ones are cut, not rounded. There is no time. The
//! predecessor stopped when a meter lacked one of these values; here its key is left out. Power is
//! signed, and also there when the meter sends it under another code.

use core::fmt::{self, Write};

use super::{JsonString, Shown};
use crate::decimal::{Cut, Decimal};
use crate::names::Conductor;
use crate::{Obis, Unit};

/// Writes one reading. The predecessor knew no backlog, so there is no form for several.
pub fn write(shown: &impl Shown, out: &mut impl Write) -> fmt::Result {
    write!(
        out,
        "{{\"devid\":{}",
        JsonString(shown.reading().meter_id().classic())
    )?;
    for (key, value) in values(shown) {
        write!(out, ",\"{key}\":\"{value}\"")?;
    }
    out.write_char('}')
}

/// Writes one reading as the predecessor's version for MQTT did: with its time, and numbers as numbers.
///
/// ```json
/// {"device_id":"myDevice","timestamp":"2020-06-14T12:00:00.000Z","properties":[
///  {"name":"devid","value":"1ESY11 62232997","last_changed":"2020-06-14T12:00:00.000Z"},
///  {"name":"1.8.0_Wh","value":2941646.1,"last_changed":"2020-06-14T12:00:00.000Z"}]}
/// ```
///
/// `device_id` was its client id at the broker.
pub fn mqtt(shown: &impl Shown, device_id: &str, out: &mut impl Write) -> fmt::Result {
    let time = shown.time();
    write!(
        out,
        "{{\"device_id\":{},\"timestamp\":\"{time}\",\"properties\":[\
         {{\"name\":\"devid\",\"value\":{},\"last_changed\":\"{time}\"}}",
        JsonString(device_id),
        JsonString(shown.reading().meter_id().classic())
    )?;
    for (key, value) in values(shown) {
        write!(
            out,
            ",{{\"name\":\"{key}\",\"value\":{value},\"last_changed\":\"{time}\"}}"
        )?;
    }
    out.write_str("]}")
}

/// The values that the predecessor sent, as far as the meter has them, with one decimal.
fn values(shown: &impl Shown) -> impl Iterator<Item = (&'static str, Cut)> {
    let values = [
        ("1.8.0_Wh", import(shown)),
        ("16.7.0_W", shown.power_of(Conductor::Sum)),
        ("36.7.0_W", shown.power_of(Conductor::L1)),
        ("56.7.0_W", shown.power_of(Conductor::L2)),
        ("76.7.0_W", shown.power_of(Conductor::L3)),
    ];
    let values = values.into_iter();
    values.filter_map(|(key, value)| Some((key, value?.cut(1))))
}

/// The energy drawn in total, in Wh, in whatever channel the meter counts it.
fn import(shown: &impl Shown) -> Option<Decimal> {
    let total = |obis: Obis| matches!(obis.0, [1, _, 1, 8, 0, 255]);
    let register = shown.registers().find(|register| total(register.obis))?;
    match register.unit {
        None | Some(Unit::WATT_HOUR) => register.number(),
        Some(_) => None,
    }
}
