//! The wall clock that the dates of certificates are held against.

use core::cell::Cell;

use critical_section::Mutex;
use embassy_time::Instant;
use mbedtls_rs::sys::hook::timer::{MbedtlsTimer, hook_timer};
use mbedtls_rs::sys::hook::wall_clock::{MbedtlsWallClock, hook_wall_clock};
use mbedtls_rs::sys::tm;
use meter_core::UnixMillis;

struct Calendar(Mutex<Cell<Option<(UnixMillis, Instant)>>>);

static CALENDAR: Calendar = Calendar(Mutex::new(Cell::new(None)));

/// Lets Mbed TLS ask for the time. Until it is [`set`], no certificate is valid.
#[expect(unsafe_code, reason = "Mbed TLS has one clock for all")]
pub fn start() {
    // SAFETY: this happens before the first connection, and the clock stays.
    unsafe {
        hook_timer(Some(&CALENDAR));
        hook_wall_clock(Some(&CALENDAR));
    }
}

/// Says what the time is.
pub fn set(now: UnixMillis) {
    critical_section::with(|section| CALENDAR.0.borrow(section).set(Some((now, Instant::now()))));
}

impl MbedtlsTimer for Calendar {
    fn now(&self) -> i64 {
        i64::try_from(Instant::now().as_millis()).unwrap_or(i64::MAX)
    }
}

impl MbedtlsWallClock for Calendar {
    fn instant(&self) -> Option<tm> {
        let (time, then) = critical_section::with(|section| self.0.borrow(section).get())?;
        let now = time.saturating_add(then.elapsed().into());
        let (year, month, day) = now.date();
        let second = now.0.div_euclid(1000).rem_euclid(86_400);
        Some(tm {
            tm_year: i32::try_from(year - 1900).ok()?,
            tm_mon: i32::try_from(month - 1).ok()?,
            tm_mday: i32::try_from(day).ok()?,
            tm_hour: i32::try_from(second / 3600).ok()?,
            tm_min: i32::try_from(second / 60 % 60).ok()?,
            tm_sec: i32::try_from(second % 60).ok()?,
            // Nobody compares the rest.
            tm_wday: 0,
            tm_yday: 0,
            tm_isdst: 0,
        })
    }
}
