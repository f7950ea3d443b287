//! The machine's timer as embassy's clock: 10 MHz, and never set.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::Mutex;
use embassy_time::Instant;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;
use riscv::interrupt::Interrupt;

use crate::chip;
use crate::registers::TIMER;

const ALARM: usize = 0x4000;
const NOW: usize = 0xbff8;

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
                return u64::from(high) << 32 | u64::from(low);
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
