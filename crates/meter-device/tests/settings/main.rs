//! Settings: read, refused with a reason, written, shown without secrets, and kept in flash.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checked;
#[path = "../outbox/flash.rs"]
#[allow(dead_code, reason = "the outbox needs more of it")]
mod flash;
mod read;
mod shown;
mod store;

use meter_device::settings::Settings;

/// Every key, none of them at its default.
pub(crate) const REST: &str = r#"{"version":1,"name":"cellar","wifi":[{"ssid":"House \"5\"","password":"correct horse"},{"ssid":"open"}],"interval":"1m30s","time":{"servers":["ntp.example:1230"]},"output":{"rest":{"url":"https://example.org/api/v1/TOKEN/telemetry","format":"json","authorization":"Bearer hunter2","allow_insecure":true,"ca":"MAUwAwIBKg=="}},"display":{"utc_offset_minutes":-60,"summer_time":false,"dim_after":"0s","sleep_after":"1h"},"guard":{"enabled":false,"max_power":1000}}"#;

/// The same for MQTT, with nothing else.
pub(crate) const MQTT: &str = r#"{"output":{"mqtt":{"host":"broker.example","port":8884,"user":"jane","password":"hunter2","client_id":"c1","topic":"house/{meter}","format":"json","discovery":true,"allow_insecure":true,"ca":"MAUwAwIBKg=="}}}"#;

pub(crate) fn settings(json: &str) -> Settings {
    Settings::accept(json.as_bytes()).unwrap()
}

/// What is said about them.
pub(crate) fn refused(json: &str) -> String {
    Settings::accept(json.as_bytes()).unwrap_err().to_string()
}
