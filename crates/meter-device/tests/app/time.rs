//! Time servers that are silent, wrong, or lie.

use std::time::Duration;

use meter_device::board::Start;

use crate::device::Device;
use crate::world::{in_a_world, is_each_once};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR_MS: i64 = 3_600_000;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;

#[test]
fn readings_from_before_the_time_is_known_are_stamped_afterwards() {
    in_a_world(async {
        let mut device = Device::rest().await;
        *device.world.time_servers.borrow_mut() = [None, None];
        device.switch_on(Start::Power, None);
        device.run(30 * MINUTE).await;
        assert_eq!(device.arrived(), Vec::<u64>::new());
        *device.world.time_servers.borrow_mut() = [None, Some(0)];
        device.run(15 * MINUTE).await;
        let log = device.switch_off().await;
        is_each_once(&device.arrived(), 45 * MINUTE);
        assert!(log.contains("time: first.example does not answer"), "{log}");
    });
}

/// The meter counts seconds, so a reading of a boot that never knew the time can be dated.
#[test]
fn readings_of_a_boot_that_never_knew_the_time_are_dated_by_the_meter() {
    in_a_world(async {
        let mut device = Device::rest().await;
        *device.world.time_servers.borrow_mut() = [None, None];
        device.switch_on(Start::Power, None);
        device.run(10 * MINUTE).await;
        device.switch_off().await;
        *device.world.time_servers.borrow_mut() = [Some(0), Some(0)];
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
        *device.world.time_servers.borrow_mut() = [None, None];
        for _ in 0..3 {
            device.switch_on(Start::Power, None);
            device.run(20 * MINUTE).await;
            device.switch_off().await;
        }
        device.switch_on(Start::Power, None);
        device.run(10 * MINUTE).await;
        *device.world.time_servers.borrow_mut() = [Some(0), Some(0)];
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
        *device.world.time_servers.borrow_mut() = [Some(-YEAR_MS), None];
        device.switch_on(Start::Power, None);
        device.run(20 * MINUTE).await;
        assert_eq!(device.arrived(), Vec::<u64>::new());
        *device.world.time_servers.borrow_mut() = [Some(-YEAR_MS), Some(0)];
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
            *device.world.time_servers.borrow_mut() = [Some(lie), Some(0)];
            device.run(70 * MINUTE).await;
            *device.world.time_servers.borrow_mut() = [Some(0), Some(lie)];
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
        *device.world.time_servers.borrow_mut() = [Some(-2 * HOUR_MS), None];
        device.switch_on(Start::Power, None);
        device.run(8 * MINUTE).await;
        let during = device.arrived().len();
        *device.world.time_servers.borrow_mut() = [Some(0), Some(0)];
        device.run(15 * MINUTE).await;
        device.switch_off().await;
        let arrived = device.arrived();
        assert!(during <= 421, "nothing was sent by the old time");
        let restart = arrived.partition_point(|second| *second < 70 * 60);
        is_each_once(&arrived[..restart], 70 * MINUTE);
        is_each_once(&arrived[restart..], 23 * MINUTE);
    });
}
