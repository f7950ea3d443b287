use meter_device::settings::{Format, Output, Seconds, Settings};
use proptest::prelude::*;

use super::{MQTT, REST, refused, settings};

#[test]
fn nothing_set_is_fit_for_use() {
    let settings = settings("{}");
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.name, "meterline");
    assert_eq!(settings.time.servers, ["ptbtime1.ptb.de", "pool.ntp.org"]);
    assert_eq!(settings.interval, Seconds(10));
    assert_eq!(settings.output, None);
}

#[test]
fn reads_every_key() {
    let read = settings(REST);
    assert_eq!(read.wifi[0].ssid, "House \"5\"");
    assert_eq!(read.wifi[0].password.expose(), "correct horse");
    assert!(read.wifi[1].password.is_empty());
    assert_eq!(read.interval, Seconds(90));
    let Some(Output::Rest(rest)) = &read.output else {
        panic!("{read:?}")
    };
    assert_eq!(rest.url().unwrap().host(), "example.org");
    assert_eq!(rest.format, Format::Json);
    assert_eq!(
        rest.ca.as_ref().unwrap().der(),
        [0x30, 5, 0x30, 3, 2, 1, 42]
    );

    let Some(Output::Mqtt(mqtt)) = settings(MQTT).output else {
        panic!("another output")
    };
    assert_eq!(mqtt.topic(), "house/{meter}");
    assert_eq!(mqtt.client_id("cellar"), "c1");
}

#[test]
fn names_default_by_format() {
    let read = settings(r#"{"output":{"mqtt":{"host":"h","format":"thingsboard"}}}"#);
    let Some(Output::Mqtt(mqtt)) = read.output else {
        panic!("another output")
    };
    assert_eq!(mqtt.topic(), "v1/devices/me/telemetry");
    assert_eq!(mqtt.client_id("cellar"), "cellar");
    assert_eq!(mqtt.port, 8883);
}

#[test]
fn says_where_and_why() {
    for (json, said) in [
        ("", "the JSON ends too early"),
        ("{", "the JSON ends too early"),
        (
            r#"{"wifi":[{"ssid":"#,
            "wifi[0].ssid: the JSON ends too early",
        ),
        ("hello", "here belongs a JSON object with the settings"),
        (r#"{"name":"a"} x"#, "this is no JSON from its byte 13 on"),
        (
            r#"{"name" "a"}"#,
            "name: this is no JSON from its byte 8 on",
        ),
        (
            r#"{"wifi":[{"ssid":"a"},{"ssdi":"b"}]}"#,
            "wifi[1].ssdi: there is no such key here, or it stands here twice",
        ),
        (
            r#"{"name":"a","name":"b"}"#,
            "name: there is no such key here, or it stands here twice",
        ),
        (
            r#"{"wifi":[{"password":"12345678"}]}"#,
            "wifi[0]: the key `ssid` is missing",
        ),
        (
            r#"{"output":{"rest":{"format":"json"}}}"#,
            "output: the key `url` is missing",
        ),
        (
            r#"{"output":{"rest":{"url":"https://h","format":"xml"}}}"#,
            "output.format: here belongs one of \"thingsboard\", \"classic\" and \"json\"",
        ),
        (
            r#"{"output":{"rset":{}}}"#,
            "output.rset: there is no such key here, or it stands here twice",
        ),
        (
            r#"{"output":{"mqtt":{"host":"h","port":70000}}}"#,
            "output.port: here belongs a whole number from 1 to 65535",
        ),
        (
            r#"{"output":{"mqtt":{"host":"h","port":"8883"}}}"#,
            "output.port: here belongs a whole number from 1 to 65535",
        ),
        (
            r#"{"interval":10}"#,
            "interval: here belongs a time as a text, such as \"10s\" or \"5m\"",
        ),
        (
            r#"{"interval":"10"}"#,
            "interval: here belongs a time as a text, such as \"10s\" or \"5m\"",
        ),
        (
            r#"{"guard":{"enabled":"yes"}}"#,
            "guard.enabled: here belongs `true` or `false`",
        ),
        (
            r#"{"output":{"rest":{"url":"https://h","ca":"AAAA"}}}"#,
            "output.ca: here belongs a certificate in DER of at most 2048 bytes, written in base64",
        ),
        (
            r#"{"wifi":[{"ssid":"123456789012345678901234567890123"}]}"#,
            "wifi[0].ssid: here belongs the name of a Wi-Fi, a text of at most 32 bytes",
        ),
        (
            r#"{"wifi":[{"ssid":"a"},{"ssid":"b"},{"ssid":"c"},{"ssid":"d"},{"ssid":"e"}]}"#,
            "wifi[4]: here belongs a list of at most 4 tables with `ssid` and `password`",
        ),
        (
            r#"{"time":{"servers":["a","b","c","d"]}}"#,
            "time.servers[3]: here belongs a list of at most 3 time servers, each a text of at most 64 bytes",
        ),
        (
            r#"{"version":2,"colour":"red"}"#,
            "the settings have version 2, and this firmware knows 1: install a newer firmware, or configure again",
        ),
        (
            r#"{"version":0}"#,
            "version: must be 1, or left out, and is 0",
        ),
    ] {
        assert_eq!(refused(json), said, "{json}");
    }
}

#[test]
fn depth_is_bounded() {
    let deep = format!(r#"{{"version":1,"x":{}"#, "[".repeat(5000));
    assert!(refused(&deep).starts_with("this is no JSON"));
}

fn secret() -> impl Strategy<Value = String> {
    "[ -~]{8,60}"
}

proptest! {
    #[test]
    fn what_is_written_is_read(ssid in "\\PC{1,10}", password in secret(), token in "[!-~--[#]]{1,40}", name in "[a-z]{1,32}") {
        let mut written = settings(REST);
        written.name = name.as_str().try_into().unwrap();
        written.wifi[0].ssid = ssid.chars().filter(|c| c.len_utf8() < 4).take(10).collect();
        prop_assume!(!written.wifi[0].ssid.is_empty() && written.wifi[0].ssid != written.wifi[1].ssid);
        written.wifi[0].password = meter_device::settings::Secret::new(&password).unwrap();
        if let Some(Output::Rest(rest)) = &mut written.output {
            rest.url = meter_device::settings::Secret::new(&format!("https://h/{token}?")).unwrap();
        }
        prop_assert_eq!(written.check(), Ok(()));
        let mut buffer = [0; meter_device::settings::JSON_BYTES];
        let json = written.to_json(&mut buffer).unwrap();
        prop_assert!(serde_json::from_str::<serde_json::Value>(json).is_ok());
        prop_assert_eq!(Settings::accept(json.as_bytes()).unwrap(), written);
    }

    /// Whatever is typed, there is an answer.
    #[test]
    fn any_damage_is_refused_or_read(at in 0..REST.len(), byte: u8, cut in 0..REST.len()) {
        let mut json = REST.as_bytes().to_vec();
        json[at] = byte;
        let _ = Settings::accept(&json).map_err(|refused| refused.to_string());
        prop_assert!(Settings::accept(&REST.as_bytes()[..cut]).is_err());
    }
}
