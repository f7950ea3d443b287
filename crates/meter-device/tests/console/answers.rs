use std::net::Ipv4Addr;
use std::time::Duration;

use meter_core::{ServerId, UnixMillis};
use meter_device::board::{Memory, Start};
use meter_device::console::{BadLine, Delivery, Done, Help, Info, Meter, Network, Refused};
use meter_device::outbox::{Counters, Status};
use meter_device::settings::Settings;
use serde_json::{Value, json};

/// A single line, as anybody who reads it expects.
fn read(answer: &impl ToString) -> Value {
    let text = answer.to_string();
    assert!(text.starts_with('{') && !text.contains('\n'), "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn short_answers() {
    for (done, name) in [
        (Done::Configured, "configure"),
        (Done::Accepted, "accept"),
        (Done::Restarting, "restart"),
        (Done::Forgotten, "forget"),
    ] {
        assert!(read(&done)[name].is_string());
    }
    let bad = BadLine::Alone("info");
    assert_eq!(
        Refused(bad.name(), bad).to_string(),
        r#"{"info":null,"error":"nothing may follow `info`"}"#
    );
    let refused = Settings::accept(br#"{"name":"-"}"#).unwrap_err();
    assert_eq!(
        Refused("configure", refused).to_string(),
        r#"{"configure":null,"error":"name: must have 1 to 32 letters, digits and `-`, and neither begin nor end with `-`"}"#
    );
    assert_eq!(read(&Help)["help"]["info"], "tells how everything is");
}

fn info<'a>(settings: &'a Settings, server_id: &'a [u8]) -> Info<'a> {
    Info {
        firmware: "0.1.0",
        board: "qemu-virt",
        boot: 4,
        start: Start::Watchdog,
        uptime: Duration::from_secs(90),
        time: Some(UnixMillis(1_800_000_000_000)),
        network: Some(Network {
            ssid: Some("Haus \"5\""),
            signal_dbm: Some(-61),
            address: Ipv4Addr::new(10, 0, 2, 15),
        }),
        meter: Some(Meter {
            id: ServerId(server_id).meter_id(),
            age: Duration::from_secs(2),
            is_suspect: false,
        }),
        overrun: 0,
        outbox: Status {
            in_memory: 1,
            in_flash: 2,
            erases: 3,
            counters: Counters {
                spilled: 4,
                thinned: 5,
                dropped: 6,
                corrupt: 7,
            },
        },
        delivery: Delivery {
            last: Some(Duration::from_secs(11)),
            error: Some("the server answers nonsense"),
            delivered: 7,
            refused: 1,
            repeated: 2,
        },
        memory: Memory {
            heap: 5,
            heap_peak: 4,
            heap_used: 3,
            stack: 2,
            stack_peak: 1,
        },
        settings,
        settings_error: None,
    }
}

#[test]
fn info_has_everything_and_no_secret() {
    let json = br#"{"name":"cellar","wifi":[{"ssid":"a","password":"correct horse"}],"output":{"mqtt":{"host":"h","user":"TOKEN"}}}"#;
    let settings = Settings::accept(json).unwrap();
    let server_id = [0x0a, 0x01, b'E', b'M', b'H', 0, 0, 0xbc, 0x61, 0x4e];
    let text = info(&settings, &server_id).to_string();
    assert!(
        !text.contains("correct horse") && !text.contains("TOKEN"),
        "{text}"
    );
    let mut said = read(&text);
    let settings = said["info"]["settings"].take();
    assert_eq!(settings["output"]["mqtt"]["host"], "h");
    assert_eq!(
        said,
        json!({"info": {
            "node": "cellar", "firmware": "0.1.0", "board": "qemu-virt", "boot": 4,
            "start": "watchdog", "uptime_s": 90, "time_ms": 1_800_000_000_000_i64,
            "network": {"ssid": "Haus \"5\"", "signal_dbm": -61, "address": "10.0.2.15"},
            "meter": {"id": "1 EMH00 1234 5678", "age_s": 2, "suspect": false},
            "overrun": 0,
            "outbox": {"in_memory": 1, "in_flash": 2, "spilled": 4, "thinned": 5, "dropped": 6, "corrupt": 7, "erases": 3},
            "delivery": {"delivered": 7, "refused": 1, "repeated": 2, "last_s": 11, "error": "the server answers nonsense"},
            "memory": {"heap": 5, "heap_used": 3, "heap_peak": 4, "stack": 2, "stack_peak": 1},
            "settings": null, "settings_error": null,
        }})
    );
}

#[test]
fn what_is_not_known_is_null() {
    let settings = Settings::default();
    let info = Info {
        time: None,
        network: None,
        meter: None,
        delivery: Delivery::default(),
        settings_error: Some("they are damaged"),
        ..info(&settings, &[])
    };
    let said = read(&info);
    for key in ["time_ms", "network", "meter"] {
        assert_eq!(said["info"][key], Value::Null, "{key}");
    }
    assert_eq!(
        said["info"]["delivery"],
        json!({"last_s": null, "error": null, "delivered": 0, "refused": 0, "repeated": 0})
    );
    assert_eq!(said["info"]["settings_error"], "they are damaged");
}
