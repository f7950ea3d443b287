use meter_device::settings::Shown;

use super::{MQTT, REST, settings};

#[test]
fn people_see_no_secrets() {
    for json in [REST, MQTT] {
        let settings = settings(json);
        let shown = Shown(&settings).to_string();
        let debug = format!("{settings:?}");
        for secret in ["correct horse", "TOKEN", "hunter2", "jane"] {
            assert!(!shown.contains(secret), "{shown}");
            assert!(!debug.contains(secret), "{debug}");
        }
        assert!(serde_json::from_str::<serde_json::Value>(&shown).is_ok());
    }
    assert_eq!(
        Shown(&settings(REST)).to_string(),
        r#"{"version":1,"name":"cellar","wifi":[{"ssid":"House \"5\"","password":"***"},{"ssid":"open"}],"interval":"1m30s","time":{"servers":["ntp.example:1230"]},"output":{"rest":{"url":"https://example.org/***","format":"json","authorization":"***","allow_insecure":true,"ca":"7 bytes"}},"display":{"utc_offset_minutes":-60,"summer_time":false,"dim_after":"0s","sleep_after":"1h"},"guard":{"enabled":false,"max_power":1000}}"#
    );
}

#[test]
fn the_flash_gets_all_of_it() {
    let mut buffer = [0; meter_device::settings::JSON_BYTES];
    assert_eq!(settings(REST).to_json(&mut buffer), Some(REST));
    assert_eq!(settings(REST).to_json(&mut [0; 100]), None);
}
