//! The machine's timer as embassy's clock: 10 MHz, and never set.
//!
//! QEMU may be told to put a number at [`PACE`]: then the clock goes so many times as fast, and a day
//! passes in the part of an hour. Nothing but the clock knows of it.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;

use critical_section::Mutex;
use embassy_time::Instant;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;
use riscv::interrupt::Interrupt;

use crate::chip;
use crate::registers::{PACE, TIMER};

const ALARM: usize = 0x4000;
const NOW: usize = 0xbff8;

/// Ticks of the clock for one of the timer.
static TICKS: AtomicU32 = AtomicU32::new(1);

/// Sets its pace; before anybody asks what time it is.
pub fn start() {
    TICKS.store(PACE.read::<u32>(0).max(1), Ordering::Relaxed);
}

fn ticks() -> u64 {
    TICKS.load(Ordering::Relaxed).into()
}

struct Clock(Mutex<RefCell<Queue>>);

embassy_time_driver::time_driver_impl!(
    static CLOCK: Clock = Clock(Mutex::new(RefCell::new(Queue::new())))
);

impl Driver for Clock {
    fn now(&self) -> u64 {
        loop {
            let high: u32 = TIMER.read(NOW + 4);
            let low: u32 = TIMER.read(NOW);
            if TIMER.read::<u32>(NOW + 4) == high {
                return (u64::from(high) << 32 | u64::from(low)) * ticks();
            }
        }
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            let mut queue = self.0.borrow_ref_mut(section);
            if queue.schedule_wake(at, waker) {
                set_alarm(queue.next_expiration(self.now()));
            }
        });
    }
}

/// Sets the next alarm, or the watchdog's if that is sooner.
fn set_alarm(at: u64) {
    let at = at.min(chip::watch(Instant::from_ticks(CLOCK.now())).as_ticks());
    let at = at.div_ceil(ticks());
    // The middle state must not lie in the past.
    TIMER.write(ALARM + 4, u32::MAX);
    TIMER.write(ALARM, at as u32);
    TIMER.write(ALARM + 4, (at >> 32) as u32);
}

#[riscv_rt::core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    critical_section::with(|section| {
        let next = CLOCK.0.borrow_ref_mut(section).next_expiration(CLOCK.now());
        set_alarm(next);
    });
}
