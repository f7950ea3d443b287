//! The clock that is never set, for the application.

use core::time::Duration;

use embassy_time::{Instant, Timer};
use meter_device::board;

/// Embassy's clock.
#[derive(Clone, Copy)]
pub struct Time;

impl board::Time for Time {
    fn now(&self) -> Duration {
        Duration::from_micros(Instant::now().as_micros())
    }

    async fn until(&self, at: Duration) {
        match embassy_time::Duration::try_from(at) {
            Ok(at) => Timer::at(Instant::MIN + at).await,
            Err(_) => core::future::pending().await,
        }
    }
}
