//! One table for each telegram, for a person.

use std::fmt::Write as _;

use meter_core::names::Quantity;
use meter_core::payload::Hex;
use meter_core::{Direction, Reading, Register, Rule, ServerId, Value};

use super::telegram::Telegram;
use crate::paint::Paint;

/// One line of the table, in columns.
struct Row {
    code: String,
    name: &'static str,
    /// A number before its decimal point, or text.
    whole: String,
    /// The decimal point and what follows.
    fraction: String,
    is_number: bool,
    unit: String,
    status: String,
    remark: String,
}

/// The telegram as a table, with a line break behind it.
pub fn table(telegram: &Telegram, reading: &Reading<'_>, paint: Paint) -> String {
    let mut out = String::with_capacity(2048);
    // Writing into a string cannot fail.
    let _ = write_heading(&mut out, telegram, reading, paint);
    let rows: Vec<Row> = reading.registers().map(|register| row(&register)).collect();
    let _ = write_rows(&mut out, &rows, paint);
    let _ = write_remarks(&mut out, reading, paint);
    out.push('\n');
    out
}

fn write_heading(
    out: &mut String,
    telegram: &Telegram,
    reading: &Reading<'_>,
    paint: Paint,
) -> std::fmt::Result {
    let Telegram {
        number,
        offset,
        length,
        crc,
        salvaged,
    } = telegram;
    write!(out, "{} ", paint.heading(format_args!("telegram {number}")))?;
    write!(
        out,
        "{}",
        paint.dim(format_args!("at byte {offset}, {length} bytes, CRC "))
    )?;
    if *salvaged {
        let text = format_args!("WRONG; salvaged: only the CRC of the message ({crc}) is right");
        writeln!(out, "{}", paint.bad(text))?;
    } else {
        writeln!(out, "{}", paint.dim(crc))?;
    }
    let id = reading.meter_id().to_string();
    write!(out, "{}", paint.heading(&id))?;
    if let Some(manufacturer) = reading.manufacturer() {
        write!(out, "  {manufacturer}")?;
    }
    write!(
        out,
        "{}",
        paint.dim(format_args!(
            "  server id {}",
            Hex(reading.list().server_id)
        ))
    )?;
    if let Some(seconds) = reading.seconds_index() {
        write!(
            out,
            "{}",
            paint.dim(format_args!("  seconds index {seconds}"))
        )?;
    }
    writeln!(out)
}

fn row(register: &Register<'_>) -> Row {
    let (is_number, value) = match register.value {
        Value::Number(number) => (true, number.to_string()),
        Value::Octets(octets) => (false, octets_as_text(register, octets)),
        Value::Unknown(bytes) => (false, Hex(bytes).to_string()),
        Value::Bool(value) => (false, if value { "yes" } else { "no" }.to_owned()),
        Value::Time(time) => (false, time.to_string()),
        Value::Absent => (false, "–".to_owned()),
    };
    let point = value.find('.').filter(|_| is_number).unwrap_or(value.len());
    let (whole, fraction) = value.split_at(point);
    Row {
        code: register.obis.to_string(),
        name: register
            .description()
            .map_or("", |description| description.name),
        whole: whole.to_owned(),
        fraction: fraction.to_owned(),
        is_number,
        unit: register
            .unit
            .map(|unit| unit.to_string())
            .unwrap_or_default(),
        status: register
            .status
            .map(|status| format!("status 0x{status:x}"))
            .unwrap_or_default(),
        remark: remark(register),
    }
}

/// Ids as on the nameplate, text as text, everything else in hex.
fn octets_as_text(register: &Register<'_>, octets: &[u8]) -> String {
    match register.text() {
        Some(text) => format!("\"{text}\""),
        None if register
            .description()
            .is_some_and(|known| known.quantity == Quantity::Identity) =>
        {
            ServerId(octets).meter_id().to_string()
        }
        None => Hex(octets).to_string(),
    }
}

/// What was corrected, and what the meter had sent.
fn remark(register: &Register<'_>) -> String {
    let why = match register.rule {
        None => return String::new(),
        Some(Rule::DzgUnsignedPower) => "this DZG meter sends unsigned power as signed".to_owned(),
        Some(Rule::DirectionSign) => "sign from the status word".to_owned(),
        Some(other) => other.to_string(),
    };
    match register.raw.value {
        sml_wire::Value::Integer(raw) => format!("corrected: {why} (sent as {raw})"),
        _ => format!("corrected: {why}"),
    }
}

fn write_rows(out: &mut String, rows: &[Row], paint: Paint) -> std::fmt::Result {
    let width = |column: fn(&Row) -> &str| {
        rows.iter()
            .map(|row| column(row).chars().count())
            .max()
            .unwrap_or(0)
    };
    let numbers = || rows.iter().filter(|row| row.is_number);
    let code = width(|row| &row.code);
    let name = width(|row| row.name);
    let unit = width(|row| &row.unit);
    let whole = numbers().map(|row| row.whole.len()).max().unwrap_or(0);
    let fraction = numbers().map(|row| row.fraction.len()).max().unwrap_or(0);
    for row in rows {
        let mut line = format!("  {:code$}  {:name$}  ", row.code, row.name);
        if row.is_number {
            write!(
                line,
                "{:>whole$}{:fraction$} {:unit$}",
                row.whole, row.fraction, row.unit
            )?;
        } else {
            let column = whole + fraction + 1 + unit;
            write!(line, "{:column$}", row.whole)?;
        }
        if !row.status.is_empty() {
            write!(line, "  {}", paint.dim(&row.status))?;
        }
        if !row.remark.is_empty() {
            write!(line, "  {}", paint.warn(&row.remark))?;
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn write_remarks(out: &mut String, reading: &Reading<'_>, paint: Paint) -> std::fmt::Result {
    match reading.direction() {
        Some(Direction::Import) => writeln!(out, "  {}", paint.dim("drawing from the grid"))?,
        Some(Direction::Export) => writeln!(out, "  {}", paint.good("feeding into the grid"))?,
        None => {}
    }
    if reading.reduced() {
        writeln!(
            out,
            "  {}",
            paint.warn("only whole kWh and no power: the PIN has probably not been entered.")
        )?;
        writeln!(
            out,
            "  {}",
            paint.warn("Your meter operator has it. Enter it with a torch and switch InF on.")
        )?;
    }
    Ok(())
}
