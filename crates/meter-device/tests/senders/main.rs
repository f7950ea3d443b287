//! Sending by HTTP and MQTT: to servers that lie, in memory, and to real ones.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
mod http_liars;
mod http_server;
mod meters;
mod mqtt_broker;
mod mqtt_liars;
mod script;

use std::time::Duration;

use meter_device::board::Time;
use tokio::time::Instant;

/// tokio's clock, which tests can turn.
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Time for Clock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    async fn until(&self, at: Duration) {
        tokio::time::sleep_until(self.0 + at).await;
    }
}
