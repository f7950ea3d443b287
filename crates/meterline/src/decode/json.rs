//! One JSON object for each telegram and line.
//!
//! The format is described in `meterline decode --help`. It is written by hand, because numbers
//! must come out digit by digit as the meter meant them.

use std::fmt::{self, Write as _};

use meter_core::Reading;
use meter_core::payload::json::{Detail, write_register};
use meter_core::payload::{Hex, JsonString};

use super::telegram::Telegram;

/// One telegram as a line, with its line end.
pub fn line(telegram: &Telegram, reading: &Reading<'_>) -> String {
    let mut out = String::with_capacity(2048);
    // Writing into a string cannot fail.
    let _ = write(&mut out, telegram, reading);
    out.push('\n');
    out
}

fn write(out: &mut String, telegram: &Telegram, reading: &Reading<'_>) -> fmt::Result {
    let Telegram {
        offset,
        length,
        crc,
        salvaged,
        ..
    } = telegram;
    write!(
        out,
        r#"{{"offset":{offset},"length":{length},"crc":"{}","#,
        crc.name()
    )?;
    if *salvaged {
        out.push_str(r#""salvaged":true,"#);
    }
    let id = JsonString(reading.meter_id());
    write!(
        out,
        r#""server_id":"{}","meter_id":{id},"seconds_index":"#,
        Hex(reading.list().server_id)
    )?;
    match reading.seconds_index() {
        Some(seconds) => write!(out, "{seconds}")?,
        None => out.push_str("null"),
    }
    out.push_str(r#","registers":["#);
    for (index, register) in reading.registers().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_register(&register, Detail::Decoded, out)?;
    }
    out.push_str("]}");
    Ok(())
}
