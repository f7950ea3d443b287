//! Time servers that are silent, wrong, or lie.

use std::time::Duration;

use meter_device::board::Start;

use crate::device::Device;
use crate::flash::Flash;
use crate::server::Character;
use crate::world::{in_a_world, is_each_once};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR_MS: i64 = 3_600_000;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;

#[test]
fn readings_from_before_the_time_is_known_are_stamped_afterwards() {
    in_a_world(async {
        let mut device = Device::rest().await;
        *device.world.time_servers.borrow_mut() = [None, None, None];
        device.switch_on(Start::Power, None);
        device.run(30 * MINUTE).await;
        assert_eq!(device.arrived(), Vec::<u64>::new());
        *device.world.time_servers.borrow_mut() = [None, Some(0), None];
        device.run(15 * MINUTE).await;
        let log = device.switch_off().await;
        is_each_once(&device.arrived(), 45 * MINUTE);
        assert!(log.contains("time: first.example does not answer"), "{log}");
        let told = log.matches("time: it is ").count();
        assert_eq!(told, 1, "{log}");
        assert!(log.contains("Z, by second.example\n"), "{log}");
    });
}

/// A device that has just started: what its servers say, how long it waits, and what it goes by.
async fn first_time(servers: [Option<i64>; 3]) -> (Device, Duration) {
    let mut device = Device::asking(&["first.example", "second.example", "third.example"]).await;
    *device.world.time_servers.borrow_mut() = servers;
    device.switch_on(Start::Power, None);
    let mut waited = Duration::ZERO;
    while device.ask("info").await["info"]["time_ms"].is_null() && waited < 30 * MINUTE {
        tokio::time::sleep(Duration::from_secs(1)).await;
        waited += Duration::from_secs(1);
    }
    (device, waited)
}

/// Tells by how much the device's clock is off, in milliseconds.
async fn off(device: &mut Device) -> i64 {
    let info = device.ask("info").await;
    info["info"]["time_ms"].as_i64().unwrap() - device.world.true_time().0
}

#[test]
fn two_servers_that_say_the_same_are_believed_at_once() {
    in_a_world(async {
        let (mut device, waited) = first_time([Some(300), Some(0), Some(HOUR_MS)]).await;
        assert!(waited < Duration::from_secs(5), "{waited:?}");
        assert!(off(&mut device).await.abs() < 500);
        let log = device.switch_off().await;
        assert!(
            log.contains("Z, by second.example and first.example\n"),
            "{log}"
        );
        assert!(!log.contains("third.example"), "it was not needed: {log}");
    });
}

#[test]
fn of_three_servers_the_two_that_agree_are_believed() {
    in_a_world(async {
        for liar in 0..3 {
            let mut servers = [Some(0); 3];
            servers[liar] = Some(HOUR_MS);
            let (mut device, waited) = first_time(servers).await;
            assert!(waited < Duration::from_secs(5), "{waited:?}");
            assert!(off(&mut device).await.abs() < 500, "{liar} lies");
            device.switch_off().await;
        }
    });
}

#[test]
fn a_server_whose_companions_are_silent_is_believed_after_a_minute() {
    in_a_world(async {
        let (mut device, waited) = first_time([None, Some(0), None]).await;
        let bounds = MINUTE..Duration::from_secs(110);
        assert!(bounds.contains(&waited), "{waited:?}");
        assert!(off(&mut device).await.abs() < 500);
        let log = device.switch_off().await;
        assert!(log.contains("time: only second.example answers"), "{log}");
        assert!(log.contains("Z, by second.example\n"), "{log}");
    });
}

#[test]
fn two_servers_that_disagree_are_not_believed_until_one_gives_in() {
    in_a_world(async {
        let mut device = Device::rest().await;
        *device.world.time_servers.borrow_mut() = [Some(3 * HOUR_MS), Some(0), None];
        device.switch_on(Start::Power, None);
        device.run(8 * MINUTE).await;
        assert_eq!(device.arrived(), Vec::<u64>::new());
        *device.world.time_servers.borrow_mut() = [Some(0), Some(0), None];
        device.run(3 * MINUTE).await;
        let log = device.switch_off().await;
        is_each_once(&device.arrived(), 11 * MINUTE);
        let doubt = "time: first.example and second.example disagree: neither is believed yet";
        assert!(log.contains(doubt), "{log}");
    });
}

/// Also when it falls silent in between: it was heard.
#[test]
fn servers_that_disagree_for_good_are_believed_after_ten_minutes() {
    in_a_world(async {
        let (mut device, waited) = first_time([Some(-HOUR_MS), Some(0), None]).await;
        assert!((10 * MINUTE..13 * MINUTE).contains(&waited), "{waited:?}");
        assert!((off(&mut device).await + HOUR_MS).abs() < 500);
        let log = device.switch_off().await;
        assert!(log.contains("though another says otherwise"), "{log}");
        let mut device = Device::rest().await;
        *device.world.time_servers.borrow_mut() = [Some(HOUR_MS), Some(0), None];
        device.switch_on(Start::Power, None);
        tokio::time::sleep(MINUTE / 2).await;
        *device.world.time_servers.borrow_mut() = [Some(HOUR_MS), None, None];
        tokio::time::sleep(5 * MINUTE).await;
        let info = device.ask("info").await;
        assert!(info["info"]["time_ms"].is_null(), "{info}");
    });
}

#[test]
fn the_only_server_is_believed_at_once() {
    in_a_world(async {
        let mut device = Device::asking(&["first.example"]).await;
        device.switch_on(Start::Power, None);
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(off(&mut device).await.abs() < 500);
        tokio::time::sleep(130 * MINUTE).await;
        let log = device.switch_off().await;
        assert_eq!(log.matches("time: it is ").count(), 1, "{log}");
        assert!(log.contains("Z, by first.example\n"), "{log}");
    });
}

/// The device asks for the time once an hour, and does not wait for that.
#[test]
fn a_time_that_the_flash_refuses_is_kept_soon() {
    in_a_world(async {
        let mut device = Device::rest().await;
        *device.world.time_servers.borrow_mut() = [None, None, None];
        device.switch_on(Start::Power, None);
        device.run(5 * MINUTE).await;
        let flashes = [device.settings.clone(), device.outbox.clone()];
        let before = flashes.each_ref().map(Flash::steps);
        for flash in &flashes {
            flash.0.borrow_mut().refuses = true;
        }
        // Readings go on to wait: what is written from now on are the times.
        *device.world.character.borrow_mut() = Character::Stalls;
        *device.world.time_servers.borrow_mut() = [Some(0), Some(0), None];
        tokio::time::sleep(7 * MINUTE).await;
        assert_eq!(flashes.each_ref().map(Flash::steps), before);
        for flash in &flashes {
            flash.0.borrow_mut().refuses = false;
        }
        tokio::time::sleep(6 * MINUTE).await;
        let log = device.switch_off().await;
        assert!(log.contains("the flash does not take the time"), "{log}");
        assert!(log.contains("settings: the time is not kept"), "{log}");
        assert!(flashes[0].steps() > before[0], "it was written");
    });
}

/// The meter counts seconds, so a reading of a boot that never knew the time can be dated.
#[test]
fn readings_of_a_boot_that_never_knew_the_time_are_dated_by_the_meter() {
    in_a_world(async {
        let mut device = Device::rest().await;
        *device.world.time_servers.borrow_mut() = [None, None, None];
        device.switch_on(Start::Power, None);
        device.run(10 * MINUTE).await;
        device.switch_off().await;
        *device.world.time_servers.borrow_mut() = [Some(0), Some(0), None];
        device.switch_on(Start::Power, None);
        device.run(10 * MINUTE).await;
        device.switch_off().await;
        let arrived = device.arrived();
        assert!(arrived.len() >= 112, "{}: {arrived:?}", arrived.len());
        assert!(arrived[0] < 20, "{arrived:?}");
    });
}

/// And they wait for as long as nobody knows the time.
#[test]
fn readings_of_an_earlier_boot_outlast_silent_time_servers() {
    in_a_world(async {
        let mut device = Device::rest().await;
        *device.world.time_servers.borrow_mut() = [None, None, None];
        for _ in 0..3 {
            device.switch_on(Start::Power, None);
            device.run(20 * MINUTE).await;
            device.switch_off().await;
        }
        device.switch_on(Start::Power, None);
        device.run(10 * MINUTE).await;
        *device.world.time_servers.borrow_mut() = [Some(0), Some(0), None];
        device.run(20 * MINUTE).await;
        let log = device.switch_off().await;
        assert!(!log.contains("has no time"), "{log}");
        // Each power cut may cost the readings of a minute.
        let arrived = device.arrived();
        assert!(
            arrived.len() >= 540 - 3 * 7,
            "{}: {arrived:?}",
            arrived.len()
        );
        assert!(arrived[0] < 20, "{arrived:?}");
    });
}

#[test]
fn a_time_before_the_firmware_was_built_is_refused() {
    in_a_world(async {
        let mut device = Device::rest().await;
        *device.world.time_servers.borrow_mut() = [Some(-YEAR_MS), None, None];
        device.switch_on(Start::Power, None);
        device.run(20 * MINUTE).await;
        assert_eq!(device.arrived(), Vec::<u64>::new());
        *device.world.time_servers.borrow_mut() = [Some(-YEAR_MS), Some(0), None];
        device.run(15 * MINUTE).await;
        let log = device.switch_off().await;
        is_each_once(&device.arrived(), 35 * MINUTE);
        assert!(log.contains("which cannot be"), "{log}");
    });
}

#[test]
fn one_server_that_jumps_is_not_followed() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Power, None);
        device.run(5 * MINUTE).await;
        for lie in [3 * HOUR_MS, -3 * HOUR_MS, 40_000] {
            *device.world.time_servers.borrow_mut() = [Some(lie), Some(0), None];
            device.run(70 * MINUTE).await;
            *device.world.time_servers.borrow_mut() = [Some(0), Some(lie), None];
            device.run(70 * MINUTE).await;
        }
        let log = device.switch_off().await;
        // Each is compared with what the meter counted at that true time.
        is_each_once(&device.arrived(), 425 * MINUTE);
        assert!(log.contains("not believed yet"), "{log}");
    });
}

#[test]
fn a_time_before_the_last_good_one_is_doubted_after_a_restart() {
    in_a_world(async {
        let mut device = Device::rest().await;
        device.switch_on(Start::Power, None);
        device.run(70 * MINUTE).await;
        device.switch_off().await;
        *device.world.time_servers.borrow_mut() = [Some(-2 * HOUR_MS), None, None];
        device.switch_on(Start::Power, None);
        device.run(8 * MINUTE).await;
        let during = device.arrived().len();
        *device.world.time_servers.borrow_mut() = [Some(0), Some(0), None];
        device.run(15 * MINUTE).await;
        device.switch_off().await;
        let arrived = device.arrived();
        assert!(during <= 421, "nothing was sent by the old time");
        let restart = arrived.partition_point(|second| *second < 70 * 60);
        is_each_once(&arrived[..restart], 70 * MINUTE);
        is_each_once(&arrived[restart..], 23 * MINUTE);
    });
}
