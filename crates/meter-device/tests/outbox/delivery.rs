//! What an outbox is for, while nothing goes wrong but the backend.

use std::time::Duration;

use meter_device::outbox::{Opened, Options, Time};

use crate::device::{Device, now};

const SECOND: Duration = Duration::from_secs(1);

fn ids(device: &mut Device<8>) -> Vec<u32> {
    let batch = device.batch(usize::MAX).unwrap();
    batch.iter().map(|(_, taken)| taken.id).collect()
}

#[test]
fn what_is_delivered_in_time_never_touches_the_flash() {
    let mut device = Device::<8>::new(Options::default());
    assert_eq!(device.opened, Opened::New);
    for _ in 0..1000 {
        device.push(1, 300).unwrap();
        device.pass(10 * SECOND).unwrap();
        assert_eq!(device.deliver(10).unwrap().len(), 1);
    }
    assert_eq!(device.flash.steps(), 0);
    assert_eq!(device.status().counters.spilled, 0);
}

#[test]
fn readings_spill_after_so_many_and_after_so_long() {
    let mut device = Device::<8>::new(Options::default());
    for _ in 0..15 {
        device.push(1, 100).unwrap();
    }
    assert_eq!(device.status().in_memory, 15);
    device.push(1, 100).unwrap();
    assert_eq!(
        (device.status().in_memory, device.status().in_flash),
        (0, 16)
    );
    device.push(1, 100).unwrap();
    device.pass(59 * SECOND).unwrap();
    assert_eq!(device.status().in_memory, 1);
    device.pass(SECOND).unwrap();
    assert_eq!(
        (device.status().in_memory, device.status().in_flash),
        (0, 17)
    );
    assert_eq!(device.outbox.poll_at(), None);
    assert_eq!(ids(&mut device), (1..=17).collect::<Vec<_>>());
}

#[test]
fn only_what_is_acknowledged_goes_and_a_restart_changes_nothing() {
    let mut device = Device::<8>::new(Options::default());
    for _ in 0..70 {
        device.push(1, 200).unwrap();
        device.pass(SECOND).unwrap();
    }
    assert_eq!(ids(&mut device), (1..=70).collect::<Vec<_>>());
    assert_eq!(device.deliver(20).unwrap().len(), 20);
    assert_eq!(ids(&mut device), (21..=70).collect::<Vec<_>>());
    device.flush().unwrap();
    device.restart();
    assert_eq!(device.opened, Opened::Resumed);
    assert_eq!(ids(&mut device), (21..=70).collect::<Vec<_>>());
    device.deliver(100).unwrap();
    device.pass(60 * SECOND).unwrap();
    device.restart();
    assert_eq!(ids(&mut device), []);
    assert_eq!(device.status().counters.spilled, 70);
    device.check();
}

#[test]
fn provisional_times_are_set_right_also_in_flash_and_after_a_restart() {
    let mut device = Device::<8>::new(Options::default());
    device.pass(1234 * SECOND).unwrap();
    device.restart();
    device.clock_known = false;
    for _ in 0..20 {
        device.pass(SECOND).unwrap();
        device.push(1, 60).unwrap();
    }
    assert_eq!(
        (device.status().in_memory, device.status().in_flash),
        (4, 16)
    );
    let boot = device.outbox.boot();
    let mut buffer = [0; 64];
    let first = now(device.outbox.next(0, &mut buffer)).unwrap().unwrap();
    assert!(
        matches!(first.time, Time::Provisional(moment) if moment.boot == boot && moment.monotonic_ms == 1000)
    );

    device.restamp().unwrap();
    device.flush().unwrap();
    for _ in 0..2 {
        let mut after = 0;
        while let Some(record) = now(device.outbox.next(after, &mut buffer)).unwrap() {
            let taken = device.taken[usize::try_from(record.seq).unwrap() - 1];
            assert!(matches!(record.time, Time::Utc(time) if time.0 == taken.time));
            after = record.seq;
        }
        assert_eq!(after, 20);
        device.restart();
        assert_ne!(device.outbox.boot(), boot);
    }
}

/// The clock task tells the time once an hour, which is too seldom.
#[test]
fn a_time_that_the_flash_refuses_is_written_soon() {
    let mut device = Device::<8>::new(Options::default());
    device.clock_known = false;
    device.push(1, 60).unwrap();
    device.flush().unwrap();
    assert_eq!(device.outbox.poll_at(), None);
    device.flash.0.borrow_mut().refuses = true;
    device.restamp().unwrap_err();
    let mut waits = Vec::new();
    for _ in 0..6 {
        let due = device.outbox.poll_at().unwrap();
        waits.push(due.saturating_sub(device.uptime()).as_secs());
        device.clock = due;
        now(device.outbox.poll(due)).unwrap_err();
    }
    assert_eq!(waits, [10, 20, 40, 80, 80, 80]);
    device.flash.0.borrow_mut().refuses = false;
    device.pass(80 * SECOND).unwrap();
    assert_eq!(device.outbox.poll_at(), None);
    device.restart();
    let mut buffer = [0; 64];
    let record = now(device.outbox.next(0, &mut buffer)).unwrap().unwrap();
    assert!(matches!(record.time, Time::Utc(time) if time.0 == device.taken[0].time));
}

#[test]
fn a_boot_that_never_knew_the_time_says_which_it_was() {
    let mut device = Device::<8>::new(Options::default());
    device.clock_known = false;
    device.push(1, 60).unwrap();
    device.flush().unwrap();
    let boot = device.outbox.boot();
    device.restart();
    device.restamp().unwrap();
    let mut buffer = [0; 64];
    let record = now(device.outbox.next(0, &mut buffer)).unwrap().unwrap();
    assert!(matches!(record.time, Time::Provisional(moment) if moment.boot == boot));
}
