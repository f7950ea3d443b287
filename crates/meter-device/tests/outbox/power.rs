//! Power cuts at every word and every erase.

use std::time::Duration;

use crate::device::Device;
use crate::flash::{Cut, HALVES, Half};
use meter_device::outbox::Options;

const SECOND: Duration = Duration::from_secs(1);

fn options() -> Options {
    Options {
        spill_after: 4,
        spill_within: 30 * SECOND,
        record_after: 6,
        record_within: 40 * SECOND,
    }
}

/// What happens to a device in half a day, thinning and dropping included.
fn script(device: &mut Device<6>) -> Result<(), Cut> {
    device.clock_known = false;
    for round in 0..26_u32 {
        for reading in 0..5_u32 {
            let length = 40 + usize::try_from(round * 37 % 11 * 60 + reading * 13).unwrap();
            device.push(u8::from(reading == 3), length)?;
            device.pass(SECOND * (7 + round * 30))?;
        }
        match round {
            3 => device.restamp()?,
            5 | 6 | 9 => {
                device.deliver(4)?;
            }
            12 => device.flush()?,
            25 => {
                device.deliver(9)?;
                device.deliver(5)?;
            }
            _ => {}
        }
    }
    device.pass(100 * SECOND)
}

fn cut_at(step: u64, half: Half) -> Device<6> {
    let mut device = Device::<6>::new(options());
    device.flash.cut_in(step, half);
    assert_eq!(script(&mut device), Err(Cut), "at {step}");
    let unrecorded = device.acked.clone();
    device.restart();
    device.check();
    let again: usize = device
        .batch(usize::MAX)
        .unwrap()
        .iter()
        .filter(|(_, taken)| unrecorded.contains(&taken.id))
        .count();
    // Those that are too few to be recorded, and the batch that made them enough.
    assert!(again <= 5 + 9, "{again} are delivered again");
    device
}

#[test]
fn at_every_step() {
    let mut device = Device::<6>::new(options());
    script(&mut device).unwrap();
    device.check();
    let counters = device.status().counters;
    assert!(
        counters.thinned > 0 && counters.dropped > 0 && counters.corrupt == 0,
        "{counters:?}"
    );
    let erases: u32 = device.flash.0.borrow().erases.iter().sum();
    assert!(erases > 6, "the script is long enough to erase");
    let steps = device.flash.steps();
    for step in 1..=steps {
        let mut device = cut_at(step, HALVES[usize::try_from(step % 4).unwrap()]);
        // It goes on as if nothing had happened.
        if step % 7 == 0 {
            let _ = device.deliver(3);
            script(&mut device).unwrap();
            device.check();
        }
    }
}
