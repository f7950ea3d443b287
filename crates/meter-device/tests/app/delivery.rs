//! What becomes of readings.

use std::time::Duration;

use meter_device::board::{ConnectError, Start};
use tokio::task::LocalSet;

use crate::device::Device;
use crate::server::Character;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Every reading of an interval of ten seconds arrived, in order, and none twice.
fn each_once(arrived: &[u64], span: Duration) {
    let pairs = arrived.windows(2);
    for pair in pairs {
        assert!(
            (9..=11).contains(&(pair[1] - pair[0])),
            "{} is followed by {}",
            pair[0],
            pair[1]
        );
    }
    let wanted = span.as_secs() / 10;
    let count = arrived.len() as u64;
    assert!(wanted.abs_diff(count) <= 2, "{count} arrived of {wanted}");
}

#[tokio::test(start_paused = true)]
async fn readings_arrive_in_time_and_are_true() {
    LocalSet::new()
        .run_until(async {
            let mut device = Device::rest().await;
            device.switch_on(Start::Power, None);
            device.run(10 * MINUTE).await;
            let log = device.switch_off().await;
            each_once(&device.arrived(), 10 * MINUTE);
            assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
            assert_eq!(device.world.connections.get(), 1, "kept open: {log}");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_the_server_costs_nothing() {
    LocalSet::new()
        .run_until(async {
            let mut device = Device::rest().await;
            device.switch_on(Start::Power, None);
            device.run(5 * MINUTE).await;
            let closed = Character::Closed(ConnectError::Refused);
            *device.world.character.borrow_mut() = closed;
            device.run(HOUR).await;
            *device.world.character.borrow_mut() = Character::Good;
            device.run(15 * MINUTE).await;
            let log = device.switch_off().await;
            each_once(&device.arrived(), HOUR + 20 * MINUTE);
            assert!(log.contains("nothing listens there"), "{log}");
        })
        .await;
}
