//! Telegrams made for tests, with the bytes that real meters send.

use meter_core::Reading;
use sml_wire::{GetListRes, Integer, ListEntry, Time, Value};

pub const DZG: &[u8] = &[0x0a, 0x01, 0x44, 0x5a, 0x47, 0x00, 0x02, 0x82, 0x22, 0x5e];
pub const EMH: &[u8] = &[0x0a, 0x01, 0x45, 0x4d, 0x48, 0x00, 0x00, 0xa1, 0xbd, 0x34];
pub const EMH_EDL: &[u8] = &[0x06, 0x45, 0x4d, 0x48, 0x01, 0x02, 0x71, 0x56, 0xcd, 0x45];
pub const EASY_METER: &[u8] = &[0x09, 0x01, 0x45, 0x53, 0x59, 0x11, 0x03, 0xb5, 0x99, 0xa5];

pub const IMPORT: &[u8] = &[1, 0, 1, 8, 0, 255];
pub const IMPORT_HT: &[u8] = &[1, 0, 1, 8, 1, 255];
pub const EXPORT: &[u8] = &[1, 0, 2, 8, 0, 255];
pub const POWER: &[u8] = &[1, 0, 16, 7, 0, 255];
pub const POWER_ABSOLUTE: &[u8] = &[1, 0, 15, 7, 0, 255];
pub const POWER_L1: &[u8] = &[1, 0, 36, 7, 0, 255];
pub const POWER_L2: &[u8] = &[1, 0, 56, 7, 0, 255];
pub const POWER_L3: &[u8] = &[1, 0, 76, 7, 0, 255];
pub const MANUFACTURER: &[u8] = &[1, 0, 96, 50, 1, 1];
pub const SERVER_ID: &[u8] = &[1, 0, 96, 1, 0, 255];

/// mME status words of a meter that draws, and of one that feeds in on all conductors.
pub const DRAWS: u64 = 0x001c_0104;
pub const FEEDS_IN: u64 = 0x001c_7904;

pub const WH: u64 = 30;
pub const W: u64 = 27;

/// An entry without a value.
pub fn entry(name: &[u8]) -> ListEntry<'_> {
    ListEntry {
        name,
        status: None,
        time: None,
        unit: None,
        scaler: None,
        value: Value::Absent,
        signature: None,
    }
}

pub fn number(name: &[u8], value: Integer, scaler: i64, unit: u64) -> ListEntry<'_> {
    ListEntry {
        unit: Some(Integer::unsigned(unit)),
        scaler: Some(Integer::signed(scaler)),
        value: Value::Integer(value),
        ..entry(name)
    }
}

pub fn counter(name: &[u8], value: u64, scaler: i64) -> ListEntry<'_> {
    number(name, Integer::unsigned(value), scaler, WH)
}

pub fn power(name: &[u8], value: i64, scaler: i64) -> ListEntry<'_> {
    number(name, Integer::signed(value), scaler, W)
}

pub fn octets<'a>(name: &'a [u8], value: &'a [u8]) -> ListEntry<'a> {
    ListEntry {
        value: Value::Octets(value),
        ..entry(name)
    }
}

pub fn with_status(entry: ListEntry<'_>, status: u64) -> ListEntry<'_> {
    ListEntry {
        status: Some(Integer::unsigned(status)),
        ..entry
    }
}

pub fn list<'a>(server_id: &'a [u8], entries: &'a [ListEntry<'a>]) -> GetListRes<'a> {
    GetListRes {
        client_id: None,
        server_id,
        list_name: None,
        sensor_time: None,
        entries: entries.into(),
        signature: None,
        gateway_time: None,
    }
}

pub fn reading<'a>(server_id: &'a [u8], entries: &'a [ListEntry<'a>]) -> Reading<'a> {
    Reading::new(list(server_id, entries))
}

pub fn at_second<'a>(
    server_id: &'a [u8],
    entries: &'a [ListEntry<'a>],
    second: u64,
) -> Reading<'a> {
    Reading::new(GetListRes {
        sensor_time: Some(Time::SecondsIndex(Integer::unsigned(second))),
        ..list(server_id, entries)
    })
}
