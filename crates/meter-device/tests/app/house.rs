//! Wi-Fi, the watchdog, crashes, and what the console says.

use std::time::Duration;

use meter_device::board::Start;
use serde_json::json;

use crate::device::Device;
use crate::server::Character;
use crate::world::{PASSWORD, SSID, in_a_world, is_each_once};

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn a_wifi_that_is_lost_is_joined_again() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Power, None);
        device.run(5 * MINUTE).await;
        device.world.set_wifi(false);
        device.run(20 * MINUTE).await;
        let tried = device.world.joins.get();
        device.world.set_wifi(true);
        device.run(10 * MINUTE).await;
        let log = device.switch_off().await;
        is_each_once(&device.arrived(), 35 * MINUTE);
        assert!(log.contains("wifi: lost"), "{log}");
        assert!((5..=20).contains(&tried), "{tried} tries in 20 minutes");
    });
}

#[test]
fn the_second_network_is_tried_when_the_first_is_away() {
    in_a_world(async {
        let mut device = Device::new(&format!(
            r#"{{"version":1,"name":"cellar","wifi":[
                {{"ssid":"elsewhere","password":"whatever it is"}},
                {{"ssid":"{SSID}","password":"{PASSWORD}"}}]}}"#,
        ))
        .await;
        device.switch_on(Start::Power, None);
        device.run(MINUTE).await;
        let info = device.ask("info").await;
        assert_eq!(info["info"]["network"]["ssid"], SSID, "{info}");
        let log = device.switch_off().await;
        assert!(log.contains("wifi: elsewhere is not in reach"), "{log}");
    });
}

#[test]
fn a_wrong_password_is_named_and_never_shown() {
    in_a_world(async {
        let mut device = Device::new(&format!(
            r#"{{"version":1,"name":"cellar","wifi":[{{"ssid":"{SSID}","password":"not the password"}}]}}"#,
        ))
        .await;
        device.switch_on(Start::Power, None);
        device.run(MINUTE).await;
        let info = device.ask("info").await.to_string();
        let log = device.switch_off().await;
        assert!(log.contains("refused the password"), "{log}");
        assert!(
            !format!("{log}{info}").contains("not the password"),
            "{info}"
        );
    });
}

#[test]
fn the_watchdog_is_fed_as_long_as_all_tasks_live() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Power, None);
        device.run(10 * MINUTE).await;
        let hungry = device.world.hungry_for();
        assert!(hungry <= Duration::from_secs(10), "{hungry:?}");
        device.world.screen_hangs.set(true);
        device.run(3 * MINUTE).await;
        let hungry = device.world.hungry_for();
        assert!(hungry >= 2 * MINUTE, "fed {hungry:?} ago");
        let log = device.switch_off().await;
        assert!(log.contains("watchdog: the screen hangs"), "{log}");
    });
}

#[test]
fn a_crash_is_kept_with_its_cause_and_time() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Panic, Some("index out of bounds in the garden"));
        device.run(MINUTE).await;
        device.switch_off().await;
        device.switch_on(Start::Power, None);
        let log = device.ask("log").await;
        let entry = &log["log"][0];
        assert_eq!(entry["kind"], "ERROR", "{log}");
        assert_eq!(entry["boot"], 1, "{log}");
        let text = entry["text"].as_str().unwrap();
        assert_eq!(text, "start 1: panic: index out of bounds in the garden");
    });
}

/// Also where nothing is written into the outbox, because the server takes all in time.
#[test]
fn each_start_has_a_number_of_its_own() {
    in_a_world(async {
        let mut device = Device::rest().await;
        for _ in 0..3 {
            device.switch_on(Start::Watchdog, None);
            device.run(MINUTE / 2).await;
            device.switch_off().await;
        }
        device.switch_on(Start::Power, None);
        assert_eq!(device.ask("info").await["info"]["boot"], 4);
        let log = device.ask("log").await;
        let entries = log["log"].as_array().unwrap();
        let boots: Vec<_> = entries.iter().map(|entry| entry["boot"].as_u64()).collect();
        assert_eq!(boots, [Some(1), Some(2), Some(3)], "{log}");
        assert_eq!(entries[2]["text"], "start 3: watchdog");
        // What is forgotten are the settings.
        device.ask("forget").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        device.switch_off().await;
        device.switch_on(Start::Asked, None);
        assert_eq!(device.ask("info").await["info"]["boot"], 5);
    });
}

/// It goes on no more when the restart wants the outbox, and has it.
#[test]
fn a_restart_does_not_wait_for_a_write_that_it_interrupts() {
    in_a_world(async {
        let mut device = Device::rest().await;
        *device.world.character.borrow_mut() = Character::Stalls;
        device.switch_on(Start::Power, None);
        device.run(Duration::from_secs(55)).await;
        device.outbox.0.borrow_mut().takes = MINUTE;
        while device.outbox.0.borrow().begun == 0 {
            device.run(Duration::from_secs(1)).await;
        }
        device.outbox.0.borrow_mut().takes = Duration::ZERO;
        let written = device.outbox.steps();
        assert_eq!(device.ask("restart").await, json!({"restart": "now"}));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(device.world.restarts.get(), 1);
        assert!(device.outbox.steps() > written, "it flushed");
        device.switch_off().await;
        *device.world.character.borrow_mut() = Character::Good;
        device.switch_on(Start::Asked, None);
        device.run(2 * MINUTE).await;
        device.switch_off().await;
        let arrived = device.arrived();
        let before = arrived.partition_point(|second| *second < 70);
        is_each_once(&arrived[..before], MINUTE);
    });
}

#[test]
fn a_crash_is_told_to_the_server_once() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Panic, Some("a bäd day"));
        device.run(2 * MINUTE).await;
        let received = device.world.received.borrow();
        let told = received.iter().filter_map(|post| post.event.as_deref());
        let told: Vec<&str> = told.collect();
        assert_eq!(told.len(), 1, "{told:?}");
        let event: serde_json::Value = serde_json::from_str(told[0]).unwrap();
        assert_eq!(event["text"], "start 1: panic: a b?d day");
    });
}

#[test]
fn settings_are_taken_over_the_console_and_bad_ones_are_not() {
    in_a_world(async {
        let mut device = Device::new(r#"{"version":1}"#).await;
        device.switch_on(Start::Power, None);
        let bad = device.ask(r#"configure {"version":1,"name":"-"}"#).await;
        assert_eq!(bad["configure"], json!(null), "{bad}");
        assert!(bad["error"].as_str().unwrap().contains("name"), "{bad}");
        let good = format!(
            r#"configure {{"version":1,"name":"attic","wifi":[{{"ssid":"{SSID}","password":"{PASSWORD}"}}]}}"#
        );
        assert_eq!(device.ask(&good).await, json!({"configure": "stored"}));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(device.world.restarts.get(), 1);
        device.switch_off().await;
        device.switch_on(Start::Asked, None);
        device.run(MINUTE).await;
        let info = device.ask("info").await;
        assert_eq!(info["info"]["node"], "attic");
        assert_eq!(info["info"]["network"]["address"], "192.0.2.7", "{info}");
    });
}

/// Whatever was in the partition before, the device works.
#[test]
fn a_flash_with_something_else_in_it_is_taken() {
    in_a_world(async {
        let mut device = Device::rest().await;
        for flash in [&device.outbox, &device.ring] {
            flash.0.borrow_mut().bytes.fill(0x5A);
        }
        device.switch_on(Start::Power, None);
        device.run(5 * MINUTE).await;
        let log = device.switch_off().await;
        is_each_once(&device.arrived(), 5 * MINUTE);
        assert!(log.contains("it begins anew"), "{log}");
    });
}
