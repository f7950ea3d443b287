use std::time;

use meter_gateway::config::{Duration, Interval, Secret};
use meter_gateway::input::{Config, http};

use super::bridge::{Bridge, Closing, bridge};
use super::meter;
use super::running::start;

const NODES: &str = r#"[
    {"node_id": 1, "eui": "0011223344556677", "available": true},
    {"node_id": 3, "eui": "8899aabbccddeeff", "available": true}
]"#;

const D0: &str = "/LOG5LK13BE803039\r\n1-0:1.8.0*255(010344.4321*kWh)\r\n!\r\n";

/// `AB12-CD34` for user `admin`.
const AUTHORIZATION: &str = "Basic YWRtaW46QUIxMi1DRDM0";

fn config(bridge: &Bridge) -> http::Config {
    http::Config {
        url: bridge.url.parse().unwrap(),
        password: Some(Secret::literal("AB12-CD34")),
        interval: Interval::Every,
        silence: Duration::from_secs(5),
        ..http::Config::default()
    }
}

#[tokio::test]
async fn the_node_that_sends_sml_is_found_and_not_asked_too_often() {
    let bridge = bridge(NODES).await;
    bridge.pages.lock().unwrap().authorization = Some(AUTHORIZATION.to_owned());
    let mut meter = meter(1);
    bridge.answer("/data.json?node_id=1", 200, D0);
    bridge.answer("/data.json?node_id=3", 200, meter.next().unwrap().bytes);
    let mut running = start("pulse", Config::Http(config(&bridge)));
    running.next().await;
    // A damaged telegram, and then a good one.
    let mut damaged = meter.next().unwrap().bytes;
    damaged[50] ^= 1;
    bridge.answer("/data.json?node_id=3", 200, damaged);
    running.until(|status| status.counts.crc == 1).await;
    bridge.answer("/data.json?node_id=3", 200, meter.next().unwrap().bytes);
    running.next().await;
    assert_eq!(running.warnings(), Vec::<String>::new());
    assert!(running.status().source.unwrap().ends_with(" node 3"));
    let polls = bridge.polls();
    for (one, next) in polls.iter().zip(&polls[1..]) {
        let pause = next.saturating_duration_since(*one);
        assert!(pause >= time::Duration::from_millis(1990), "{pause:?}");
    }
    let connections = bridge.pages.lock().unwrap().connections;
    assert_eq!(connections, 1, "it is kept open between the questions");
    running.stop().await;
}

#[tokio::test]
async fn a_bridge_that_hangs_up_after_each_answer_is_read_all_the_same() {
    let bridge = bridge(NODES).await;
    bridge.pages.lock().unwrap().closing = Closing::AfterAnswer;
    let mut meter = meter(1);
    bridge.answer("/data.json?node_id=3", 200, meter.next().unwrap().bytes);
    let mut running = start("hangs-up", Config::Http(config(&bridge)));
    running.next().await;
    bridge.answer("/data.json?node_id=3", 200, meter.next().unwrap().bytes);
    running.next().await;
    assert_eq!(running.warnings(), Vec::<String>::new());
    running.stop().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let bridge = bridge(NODES).await;
    bridge.pages.lock().unwrap().closing = Closing::WithinAnswer;
    let mut running = start("breaks-off", Config::Http(config(&bridge)));
    let trouble = running.trouble("bridge").await;
    let words = format!("no answer from the bridge at {}: ", bridge.url);
    assert!(trouble.text.starts_with(&words), "{trouble}");
    running.stop().await;
}

#[tokio::test]
async fn a_telegram_that_the_bridge_repeats_is_not_a_new_one() {
    let bridge = bridge(NODES).await;
    bridge.answer("/data.json?node_id=3", 200, meter(1).next().unwrap().bytes);
    let node = "88:99:AA:BB:CC:DD:EE:FF";
    let config = http::Config {
        node: http::Node::Eui(node.to_owned()),
        ..config(&bridge)
    };
    let mut running = start("repeats", Config::Http(config));
    running.next().await;
    let trouble = running.trouble("dark").await;
    assert!(
        trouble
            .text
            .starts_with("no reading for 5 s: the bridge answers"),
        "{trouble}"
    );
    // Looking for the node anew does not make it new either.
    running.until(|status| status.opened == 2).await;
    let polls = bridge.polls().len();
    while bridge.polls().len() < polls + 2 {
        tokio::time::sleep(time::Duration::from_millis(50)).await;
    }
    assert_eq!(running.at_hand(), None);
    running.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() {
    let bridge = bridge(NODES).await;
    bridge.pages.lock().unwrap().authorization = Some(AUTHORIZATION.to_owned());
    let wrong = http::Config {
        password: Some(Secret::literal("XY99-SECRET")),
        ..config(&bridge)
    };
    let mut running = start("password", Config::Http(wrong));
    let trouble = running.trouble("login").await;
    let url = &bridge.url;
    assert_eq!(
        trouble.text,
        format!(
            "the bridge at {url} refuses user admin with this password: it is the nine characters \
             on the bridge's label, with the dash"
        )
    );
    assert!(
        !running.warnings().concat().contains("XY99"),
        "{:?}",
        running.warnings()
    );
    running.stop().await;

    let none = http::Config {
        password: None,
        ..config(&bridge)
    };
    let mut running = start("no-password", Config::Http(none));
    let trouble = running.trouble("login").await;
    assert!(trouble.text.contains("wants a password"), "{trouble}");
    running.stop().await;
}

#[tokio::test]
async fn a_pulse_that_sends_no_sml_is_said_with_its_mode() {
    let url = |bridge: &Bridge| bridge.url.clone();
    let text = bridge(r#"[{"node_id": 2}]"#).await;
    text.answer("/data.json?node_id=2", 200, D0);
    let blinks = bridge(r#"[{"node_id": 2}]"#).await;
    let json = r#"{"$type":"imp_data","timestamp_ms":1,"delta_ms":1,"kw":0.1,"kwh":1.0}"#;
    blinks.answer("/data.json?node_id=2", 200, json);
    for (name, bridge, what) in [
        ("mode-d0", &text, "D0 (IEC 62056-21) text"),
        ("mode-json", &blinks, "counts of light pulses (JSON)"),
    ] {
        let mut running = start(name, Config::Http(config(bridge)));
        let trouble = running.trouble("mode").await;
        let url = url(bridge);
        assert_eq!(
            trouble.text,
            format!(
                "node 2 of the bridge at {url} sends {what}, not SML: set its meter mode to 3 (SML) at \
                 {url}/nodes/2/config"
            )
        );
        running.stop().await;
    }
}

#[tokio::test]
async fn what_is_missing_on_the_bridge_is_said() {
    let empty = bridge("[]").await;
    let other = bridge(NODES).await;
    let page = bridge("<html><title>Router</title>").await;
    let long = bridge(&format!("[{}]", " ".repeat(70_000))).await;
    let gone = bridge(NODES).await;
    let eui = http::Node::Eui("ffff".to_owned());
    for (name, bridge, node, kind, words) in [
        (
            "no-pulse",
            &empty,
            http::Node::Auto,
            "no-node",
            "has no Pulse: pair one",
        ),
        (
            "no-eui",
            &other,
            eui,
            "no-node",
            "has no node ffff: it has 1, 3",
        ),
        (
            "router",
            &page,
            http::Node::Auto,
            "no-bridge",
            "is no Tibber bridge",
        ),
        (
            "long",
            &long,
            http::Node::Auto,
            "no-bridge",
            "is no Tibber bridge",
        ),
        (
            "no-data",
            &gone,
            http::Node::Id(7),
            "no-data",
            "has no data.json for node 7",
        ),
    ] {
        let config = http::Config {
            node,
            ..config(bridge)
        };
        let mut running = start(name, Config::Http(config));
        let trouble = running.trouble(kind).await;
        assert!(trouble.text.contains(words), "{trouble}");
        running.stop().await;
    }
}

#[tokio::test]
async fn a_bridge_that_is_not_there_is_said_at_once() {
    let config = http::Config {
        // Nothing listens on this port.
        url: "http://127.0.0.1:9".parse().unwrap(),
        ..http::Config::default()
    };
    let mut running = start("no-bridge-there", Config::Http(config));
    let trouble = running.trouble("bridge").await;
    assert!(
        trouble
            .text
            .starts_with("no answer from the bridge at http://127.0.0.1:9: Connection refused"),
        "{trouble}"
    );
    running.stop().await;
}
