//! From what a meter measures to the bytes that its model sends.

use sml_wire::body::{CloseRes, OpenRes};
use sml_wire::{
    Body, CrcKind, Frame, Full, GetListRes, Integer, ListEntry, Message, MessageCrc, Time, Value,
    Writer,
};

use crate::energy::{Counter, Tariff};
use crate::household::Load;
use crate::model::{
    ByteOrder, Count, Crc, Entry, Fault, Fill, IdPart, IntegerType, Model, Source, TimeForm,
    UnitName, WithoutPin,
};
use crate::telegram::{Telegram, TrueRegister, TrueValue};

/// All that a telegram is made of beside the model.
pub(crate) struct Measured<'a> {
    pub load: &'a Load,
    pub import: &'a Counter,
    pub export: &'a Counter,
    pub server_id: &'a [u8],
    pub public_key: &'a [u8; 48],
    pub seconds_index: u64,
    pub pin_entered: bool,
    /// How many telegrams were sent before.
    pub number: u64,
}

/// An entry of this telegram: what goes on the wire, and what it means.
struct Prepared<'m> {
    entry: &'m Entry,
    scaler: Option<i8>,
    wire: Wired,
    truth: TrueValue,
}

enum Wired {
    Integer(Integer),
    Octets(Vec<u8>),
}

pub(crate) fn encode(model: &Model, measured: &Measured<'_>) -> Telegram {
    let status = status_word(model, measured);
    let prepared: Vec<Prepared<'_>> = model
        .entries
        .iter()
        .filter_map(|entry| prepare(model, measured, entry, status))
        .collect();
    let mut size = 1024;
    let bytes = loop {
        // A telegram has an end, so at some size it fits; most fit at once.
        if let Ok(bytes) = write(model, measured, &prepared, status, size) {
            break bytes;
        }
        size *= 2;
    };
    let registers = prepared.into_iter().map(|prepared| TrueRegister {
        obis: prepared.entry.obis,
        value: prepared.truth,
        unit: prepared
            .entry
            .unit
            .map(UnitName::code)
            .filter(|code| *code != 0),
        status: prepared.entry.status.map(|_| status),
    });
    Telegram {
        bytes,
        number: measured.number,
        server_id: measured.server_id.to_vec(),
        seconds_index: measured.seconds_index,
        registers: registers.collect(),
    }
}

fn prepare<'m>(
    model: &Model,
    measured: &Measured<'_>,
    entry: &'m Entry,
    status: u64,
) -> Option<Prepared<'m>> {
    let locked = (!measured.pin_entered).then(|| entry.when_locked());
    if locked == Some(WithoutPin::Hidden) {
        return None;
    }
    if let Some(octets) = octets(&entry.value, measured, status) {
        return Some(Prepared {
            entry,
            scaler: entry.scaler,
            truth: TrueValue::Octets(octets.clone()),
            wire: Wired::Octets(octets),
        });
    }
    let (scaler, integer) = match locked {
        Some(WithoutPin::Kwh) => (3, entry.without_pin_type.or(entry.integer)),
        _ => (entry.scaler.unwrap_or(0), entry.integer),
    };
    let mantissa = number(model, measured, &entry.value, scaler);
    let sent = match entry.value {
        Source::PowerMagnitude => mantissa.abs(),
        _ => mantissa,
    };
    let integer = integer.unwrap_or(IntegerType {
        signed: true,
        bytes: None,
    });
    let wire = match entry.fault {
        Some(Fault::UnsignedAsSigned) if sent > 0 => unsigned_as_signed(sent.unsigned_abs()),
        _ => wire_integer(integer, sent),
    };
    Some(Prepared {
        entry,
        scaler: entry.scaler.map(|_| scaler),
        wire: Wired::Integer(wire),
        truth: TrueValue::Number { mantissa, scaler },
    })
}

/// The value of a number at this power of ten, cut towards zero as a display cuts it.
fn number(model: &Model, measured: &Measured<'_>, source: &Source, scaler: i8) -> i64 {
    let load = measured.load;
    let energy = |counter: u64| {
        let units = i64::try_from(counter).unwrap_or(i64::MAX);
        rescale(units, model.energy_scaler(), scaler)
    };
    let milli = |value: i64| rescale(value, -3, scaler);
    let phase = |index: usize| milli(load.power_mw[index]);
    match source {
        Source::Import => energy(measured.import.total()),
        Source::ImportHigh => energy(measured.import.tariff(Tariff::High)),
        Source::ImportLow => energy(measured.import.tariff(Tariff::Low)),
        Source::Export => energy(measured.export.total()),
        Source::ExportHigh => energy(measured.export.tariff(Tariff::High)),
        Source::ExportLow => energy(measured.export.tariff(Tariff::Low)),
        // The sum of what is printed for the phases, so that a reader can add them up.
        Source::Power | Source::PowerMagnitude => phase(0) + phase(1) + phase(2),
        Source::PowerL1 => phase(0),
        Source::PowerL2 => phase(1),
        Source::PowerL3 => phase(2),
        Source::VoltageL1 => milli(load.voltage_mv[0]),
        Source::VoltageL2 => milli(load.voltage_mv[1]),
        Source::VoltageL3 => milli(load.voltage_mv[2]),
        Source::CurrentL1 => milli(load.current_ma(0)),
        Source::CurrentL2 => milli(load.current_ma(1)),
        Source::CurrentL3 => milli(load.current_ma(2)),
        Source::Frequency => milli(load.frequency_mhz),
        Source::AngleU2U1 => milli(120_000),
        Source::AngleU3U1 => milli(240_000),
        Source::AngleL1 => milli(load.angle_millidegrees(0)),
        Source::AngleL2 => milli(load.angle_millidegrees(1)),
        Source::AngleL3 => milli(load.angle_millidegrees(2)),
        Source::StatusOctets
        | Source::ServerId
        | Source::PrintedId
        | Source::PublicKey
        | Source::Text(_)
        | Source::Hex(_) => 0,
    }
}

fn rescale(value: i64, from: i8, to: i8) -> i64 {
    let power = 10_i64.saturating_pow(u32::from(from.abs_diff(to)));
    if to > from {
        value / power
    } else {
        value.saturating_mul(power)
    }
}

fn octets(source: &Source, measured: &Measured<'_>, status: u64) -> Option<Vec<u8>> {
    Some(match source {
        Source::ServerId => measured.server_id.to_vec(),
        Source::PrintedId => printed_id(measured.server_id).into_bytes(),
        Source::PublicKey => measured.public_key.to_vec(),
        Source::StatusOctets => status.to_be_bytes()[4..].to_vec(),
        Source::Text(text) => text.clone().into_bytes(),
        Source::Hex(hex) => hex.0.clone(),
        _ => return None,
    })
}

/// DIN 43863-5 without spaces: `09 01 45 53 59 11 03b599a5` is 1ESY1162232997.
fn printed_id(server_id: &[u8]) -> String {
    let &[_, medium, m1, m2, m3, block, n1, n2, n3, n4] = server_id else {
        return String::new();
    };
    let maker: String = [m1, m2, m3].map(char::from).iter().collect();
    let serial = u32::from_be_bytes([n1, n2, n3, n4]);
    format!("{medium:X}{maker}{block:02X}{serial:08}")
}

/// The direction is that of the power as it is printed, so that status and sign always agree.
fn status_word(model: &Model, measured: &Measured<'_>) -> u64 {
    let is_power = |entry: &&Entry| matches!(entry.value, Source::Power | Source::PowerMagnitude);
    let power = model.entries.iter().find(is_power);
    let scaler = power.and_then(|entry| entry.scaler).unwrap_or(0);
    let exports = number(model, measured, &Source::Power, scaler) < 0;
    let status = &model.status;
    let mut word = if exports {
        status.export
    } else {
        status.import
    };
    if let Some(first) = status.phase_bit {
        for (phase, bit) in measured.load.power_mw.iter().zip(first..) {
            if rescale(*phase, -3, scaler) < 0 {
                word |= 1 << bit;
            }
        }
    }
    word
}

fn wire_integer(kind: IntegerType, value: i64) -> Integer {
    let trimmed = if kind.signed {
        Integer::signed(value)
    } else {
        Integer::unsigned(value.unsigned_abs())
    };
    // A value that needs more bytes than the model's gets them: it is never cut.
    trimmed.with_width(kind.bytes.unwrap_or(1))
}

/// The bytes of the unsigned value under the type of a signed one.
fn unsigned_as_signed(value: u64) -> Integer {
    let width = Integer::unsigned(value).width();
    let unused_bits = 64 - 8 * u32::from(width);
    let misread = (value << unused_bits).cast_signed() >> unused_bits;
    Integer::signed(misread).with_width(width)
}

fn write(
    model: &Model,
    measured: &Measured<'_>,
    prepared: &[Prepared<'_>],
    status: u64,
    size: usize,
) -> Result<Vec<u8>, Full> {
    let mut payload = vec![0; size];
    let mut writer = Writer::new(&mut payload);
    let entries: Vec<ListEntry<'_>> = prepared
        .iter()
        .map(|entry| list_entry(model, measured, entry, status))
        .collect();
    let file_id = id(model, measured, &model.open.file_id, 0);
    let open = Body::OpenRes(OpenRes {
        codepage: None,
        client_id: model.open.client_id.as_ref().map(|hex| hex.0.as_slice()),
        file_id: &file_id,
        server_id: measured.server_id,
        reference_time: model.open.ref_time.map(|form| time(model, measured, form)),
        sml_version: model
            .open
            .version
            .map(|version| Integer::unsigned(version.into())),
    });
    let list = Body::GetListRes(GetListRes {
        client_id: model.list.client_id.as_ref().map(|hex| hex.0.as_slice()),
        server_id: measured.server_id,
        list_name: model.list.name.as_ref().map(|hex| hex.0.as_slice()),
        sensor_time: model
            .list
            .sensor_time
            .map(|form| time(model, measured, form)),
        entries: entries.as_slice().into(),
        signature: None,
        gateway_time: None,
    });
    let close = Body::CloseRes(CloseRes { signature: None });
    for (body, step) in [open, list, close].into_iter().zip(model.transaction.steps) {
        let transaction = id(model, measured, &model.transaction.id, step);
        let mut message = Message::new(&transaction, body);
        message.tag_width = model.tag_bytes;
        message.crc = MessageCrc::Right(crc_kind(model.crc));
        message.crc_width = match model.message_crc {
            crate::model::MessageCrc::Full => 2,
            crate::model::MessageCrc::Trimmed => 1,
        };
        message.emit(&mut writer)?;
    }
    let mut frame = Frame::new(writer.written(), crc_kind(model.crc));
    if model.fill == Fill::OneToFour && frame.fill == 0 {
        frame.fill = 4;
    }
    let mut bytes = vec![0; size];
    let mut line = Writer::new(&mut bytes);
    frame.emit(&mut line)?;
    let length = line.written().len();
    bytes.truncate(length);
    Ok(bytes)
}

fn crc_kind(crc: Crc) -> CrcKind {
    match crc {
        Crc::X25 => CrcKind::X25,
        Crc::Kermit => CrcKind::Kermit,
    }
}

fn list_entry<'a>(
    model: &Model,
    measured: &Measured<'_>,
    prepared: &'a Prepared<'_>,
    status: u64,
) -> ListEntry<'a> {
    let entry = prepared.entry;
    ListEntry {
        name: &entry.obis.0,
        status: entry.status.map(|kind| unsigned(kind, status)),
        time: entry.time.map(|form| time(model, measured, form)),
        unit: entry.unit.map(|unit| Integer::unsigned(unit.code().into())),
        scaler: prepared.scaler.map(|scaler| Integer::signed(scaler.into())),
        value: match &prepared.wire {
            Wired::Integer(integer) => Value::Integer(*integer),
            Wired::Octets(octets) => Value::Octets(octets),
        },
        signature: None,
    }
}

fn unsigned(kind: IntegerType, value: u64) -> Integer {
    Integer::unsigned(value).with_width(kind.bytes.unwrap_or(1))
}

fn time(model: &Model, measured: &Measured<'_>, form: TimeForm) -> Time {
    let seconds = unsigned(model.seconds_type, measured.seconds_index);
    match form {
        TimeForm::Index => Time::SecondsIndex(seconds),
        TimeForm::Bare => Time::Bare(seconds),
        TimeForm::Zero => Time::SecondsIndex(Integer::unsigned(0)),
    }
}

fn id(model: &Model, measured: &Measured<'_>, parts: &[IdPart], step: u64) -> Vec<u8> {
    let transaction = &model.transaction;
    let mut octets = Vec::new();
    for part in parts {
        match part {
            IdPart::Fixed { fixed } => octets.extend_from_slice(&fixed.0),
            IdPart::Count {
                count,
                bytes,
                order,
            } => {
                let grown = measured.number.wrapping_mul(transaction.per_telegram);
                let value = match count {
                    Count::Messages => transaction.start.wrapping_add(grown).wrapping_add(step),
                    Count::Telegrams => (transaction.start / 3).wrapping_add(measured.number),
                    Count::Seconds => measured.seconds_index,
                };
                let width = usize::from(*bytes).min(8);
                match order {
                    ByteOrder::Big => octets.extend_from_slice(&value.to_be_bytes()[8 - width..]),
                    ByteOrder::Little => octets.extend_from_slice(&value.to_le_bytes()[..width]),
                }
            }
        }
    }
    octets
}
