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

use super::{JsonString, Stamped};
use crate::decimal::Decimal;
use crate::names::Conductor;
use crate::reading::Reading;
use crate::{Obis, Unit};

/// Writes one reading. The predecessor knew no backlog, so there is no form for several.
pub fn write(stamped: &Stamped<'_>, out: &mut impl Write) -> fmt::Result {
    let reading = &stamped.reading;
    write!(
        out,
        "{{\"devid\":{}",
        JsonString(reading.meter_id().classic())
    )?;
    for (key, value) in [
        ("1.8.0_Wh", import(reading)),
        ("16.7.0_W", reading.power()),
        ("36.7.0_W", reading.power_of(Conductor::L1)),
        ("56.7.0_W", reading.power_of(Conductor::L2)),
        ("76.7.0_W", reading.power_of(Conductor::L3)),
    ] {
        if let Some(value) = value {
            write!(out, ",\"{key}\":\"{}\"", value.cut(1))?;
        }
    }
    out.write_char('}')
}

/// The energy drawn in total, in Wh, in whatever channel the meter counts it.
fn import(reading: &Reading<'_>) -> Option<Decimal> {
    let total = |obis: Obis| matches!(obis.0, [1, _, 1, 8, 0, 255]);
    let register = reading.registers().find(|register| total(register.obis))?;
    match register.unit {
        None | Some(Unit::WATT_HOUR) => register.number(),
        Some(_) => None,
    }
}
