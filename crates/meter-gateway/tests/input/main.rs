//! Inputs against real pseudo-terminals, sockets, web servers and files.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod auto;
mod bridge;
mod head;
mod http;
mod log;
mod mqtt;
mod recording;
mod running;
mod serial;
mod tcp;

use meter_sim::{Meter, MeterConfig, model};

/// A simulated meter; each `serial` is another one.
fn meter(serial: u32) -> Meter {
    let config = MeterConfig {
        serial: Some(serial),
        ..MeterConfig::default()
    };
    Meter::new(model::find("iskra-mt175").unwrap(), &config)
}

/// The next telegrams of a meter, as they leave it.
fn telegrams(meter: &mut Meter, count: usize) -> Vec<Vec<u8>> {
    meter.take(count).map(|telegram| telegram.bytes).collect()
}
