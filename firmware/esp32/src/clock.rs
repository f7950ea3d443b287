//! The clock that is never set.

use core::future::Future;
use core::time::Duration;

use embassy_time::{Instant, Timer};
use meter_device::board::Time;

/// The chip's timer, from its start.
#[derive(Clone, Copy)]
pub struct Clock;

impl Time for Clock {
    fn now(&self) -> Duration {
        Duration::from_micros(Instant::now().as_micros())
    }

    fn until(&self, at: Duration) -> impl Future<Output = ()> {
        let micros = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        Timer::at(Instant::from_micros(micros))
    }
}
