//! What belongs to each key, in words, because the JSON parser gives none.

use super::{TIME_SERVERS, WIFIS};

/// What belongs to the key, for the person who wrote something else.
pub(super) fn belongs(key: &str) -> &'static str {
    const { assert!(WIFIS == 4 && TIME_SERVERS == 3, "said below") };
    match key {
        "" => "a JSON object with the settings",
        "version" => "the version of the settings, a whole number",
        "name" => "a host name of at most 32 letters, digits and `-`",
        "wifi" => "a list of at most 4 tables with `ssid` and `password`",
        "ssid" => "the name of a Wi-Fi, a text of at most 32 bytes",
        "password" => "a text, of at most 64 bytes for a Wi-Fi and 128 for a broker",
        "interval" | "dim_after" | "sleep_after" => "a time as a text, such as \"10s\" or \"5m\"",
        "time" => "a table with `servers`",
        "servers" => "a list of at most 3 time servers, each a text of at most 64 bytes",
        "output" => "a table `rest` or a table `mqtt`",
        "rest" => "a table with `url` and more",
        "mqtt" => "a table with `host` and more",
        "url" => "an address such as \"https://HOST/PATH\", a text of at most 256 bytes",
        "authorization" => "the whole header, such as \"Bearer TOKEN\", of at most 128 bytes",
        "format" => "one of \"thingsboard\", \"classic\" and \"json\"",
        "host" => "the broker's name, a text of at most 128 bytes",
        "port" => "a whole number from 1 to 65535",
        "user" => "a text of at most 128 bytes",
        "client_id" => "a text of at most 64 bytes",
        "topic" => "a text of at most 96 bytes",
        "ca" => "a certificate in DER of at most 2048 bytes, written in base64",
        "utc_offset_minutes" => "a whole number of minutes, such as 60",
        "display" => "a table with `utc_offset_minutes` and more",
        "guard" => "a table with `enabled` and `max_power`",
        "max_power" => "a whole number of watts",
        "allow_insecure" | "discovery" | "enabled" | "summer_time" => "`true` or `false`",
        _ => "something else",
    }
}

/// The key that a table cannot do without.
pub(super) fn needed(table: &str) -> Option<&'static str> {
    match table {
        "wifi" => Some("ssid"),
        "rest" => Some("url"),
        "mqtt" => Some("host"),
        _ => None,
    }
}
