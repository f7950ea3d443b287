//! Telemetry for `ThingsBoard` with the time of the reading (its HTTP and MQTT device APIs).
//!
//! ```json
//! {"ts":1732290000000,"values":{"devid":"1EMH00 10599732","96.50.1*1":"EMH","1.8.0_Wh":428896.4,"16.7.0_W":2623}}
//! ```
//!
//! Every register that has a value is there, known or not, under its [`Key`]; numbers as numbers,
//! octets as text or hex. Several readings are an array, which is how a backlog is sent.

use core::fmt::{self, Write};

use super::{Hex, JsonString, Key, Octets, Shown, keyed, one_or_array};
use crate::reading::{Register, Value};

/// Writes one reading as an object and several as an array.
pub fn write(readings: &[impl Shown], out: &mut impl Write) -> fmt::Result {
    one_or_array(readings, out, write_one)
}

/// Writes readings of several meters for a gateway, which speaks for them: each meter is a device with the
/// name under which the gateway has connected it.
///
/// ```json
/// {"1EMH0010599732":[{"ts":1732290000000,"values":{"devid":"1EMH00 10599732","1.8.0_Wh":428896.4}}]}
/// ```
pub fn gateway<S: Shown>(readings: &[S], out: &mut impl Write) -> fmt::Result {
    let mut before = "{";
    for (index, first) in readings.iter().enumerate() {
        let meter = first.reading().server_id();
        let of_meter = |other: &&S| other.reading().server_id() == meter;
        if readings.iter().take(index).any(|other| of_meter(&other)) {
            continue;
        }
        write!(
            out,
            "{before}{}:",
            JsonString(first.reading().meter_id().compact())
        )?;
        let mut bracket = "[";
        for one in readings.iter().filter(of_meter) {
            out.write_str(bracket)?;
            write_one(one, out)?;
            bracket = ",";
        }
        out.write_char(']')?;
        before = ",";
    }
    out.write_char('}')
}

fn write_one(shown: &impl Shown, out: &mut impl Write) -> fmt::Result {
    write!(
        out,
        "{{\"ts\":{},\"values\":{{\"devid\":{}",
        shown.time().0,
        JsonString(shown.reading().meter_id().classic())
    )?;
    for (key, register) in keyed(shown) {
        write_register(key, &register, out)?;
    }
    out.write_str("}}")
}

fn write_register(key: Key<'_>, register: &Register<'_>, out: &mut impl Write) -> fmt::Result {
    let key = JsonString(key);
    match register.value {
        Value::Number(number) => write!(out, ",{key}:{number}"),
        Value::Bool(value) => write!(out, ",{key}:{value}"),
        Value::Time(time) => write!(out, ",{key}:{}", time.seconds()),
        Value::Octets(octets) => write!(out, ",{key}:{}", JsonString(Octets(octets))),
        Value::Unknown(bytes) => write!(out, ",{key}:{}", JsonString(Hex(bytes))),
        Value::Absent => Ok(()),
    }
}
