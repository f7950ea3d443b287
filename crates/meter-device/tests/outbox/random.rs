//! Anything in any order, against the book of what was taken.

use std::time::Duration;

use meter_device::outbox::Options;
use proptest::prelude::*;

use crate::device::Device;
use crate::flash::{Cut, HALVES};

#[derive(Clone, Debug)]
enum Do {
    Push {
        meter: u8,
        length: usize,
        times: u8,
    },
    Pass(u64),
    Deliver(usize),
    Flush,
    Restart,
    /// The power goes after so many words, and comes back with a restart.
    Cut {
        steps: u64,
        half: usize,
    },
    /// The flash refuses after so many words, and takes them again a little later.
    Refuse {
        steps: u64,
        half: usize,
    },
    LoseClock,
    Restamp,
}

fn anything() -> impl Strategy<Value = Do> {
    prop_oneof![
        8 => (0..3_u8, 4..1200_usize, 1..40_u8).prop_map(|(meter, length, times)| Do::Push { meter, length, times }),
        4 => (1..1000_u64).prop_map(Do::Pass),
        2 => (1..30_usize).prop_map(Do::Deliver),
        1 => Just(Do::Flush),
        1 => Just(Do::Restart),
        3 => (1..2000_u64, 0..4_usize).prop_map(|(steps, half)| Do::Cut { steps, half }),
        1 => (1..2000_u64, 0..4_usize).prop_map(|(steps, half)| Do::Refuse { steps, half }),
        1 => Just(Do::LoseClock),
        1 => Just(Do::Restamp),
    ]
}

fn carry_out(device: &mut Device<6>, step: &Do) -> Result<(), Cut> {
    match *step {
        Do::Push {
            meter,
            length,
            times,
        } => {
            for _ in 0..times {
                device.push(meter, length)?;
                device.pass(Duration::from_secs(5))?;
            }
        }
        Do::Pass(seconds) => device.pass(Duration::from_secs(seconds))?,
        Do::Deliver(limit) => {
            device.deliver(limit)?;
        }
        Do::Flush => device.flush()?,
        Do::Restart => device.restart(),
        Do::Cut { steps, half } | Do::Refuse { steps, half } => {
            device.flash.cut_in(steps, HALVES[half]);
        }
        Do::LoseClock => device.clock_known = false,
        Do::Restamp => device.restamp()?,
    }
    Ok(())
}

/// Carries out all steps with restarts after failures, delivers what is left, and checks.
fn live(steps: &[Do], spill_after: u16) {
    let options = Options {
        spill_after,
        ..Options::default()
    };
    let mut device = Device::<6>::new(options);
    let mut refusing = false;
    for step in steps {
        refusing |= matches!(step, Do::Refuse { .. });
        device.refused |= refusing;
        if carry_out(&mut device, step).is_err() {
            if refusing {
                device.flash.power();
            } else {
                device.restart();
                device.check();
            }
            refusing = false;
        }
    }
    device.flash.power();
    device.pass(Duration::from_mins(5)).unwrap();
    device.flush().unwrap();
    assert_eq!(device.status().in_memory, 0);
    device.check();
    device.restart();
    device.check();
    while !device.deliver(10).unwrap().is_empty() {}
    device.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_missing_that_may_not_be(
        steps in proptest::collection::vec(anything(), 1..80),
        spill_after in 1..9_u16,
    ) {
        live(&steps, spill_after);
    }
}

/// The flash fails in the last word of a reading, which happens to be right.
#[test]
fn a_reading_that_is_whole_in_spite_of_a_failure_is_there_once() {
    let push = |meter, length, times| Do::Push {
        meter,
        length,
        times,
    };
    let refuse = |steps| Do::Refuse { steps, half: 0 };
    let cut = |steps| Do::Cut { steps, half: 0 };
    let sizes = [
        (969, 7),
        (413, 14),
        (469, 37),
        (393, 8),
        (97, 4),
        (185, 5),
        (361, 7),
        (109, 23),
    ];
    let mut steps: Vec<Do> = sizes
        .into_iter()
        .map(|(length, times)| push(0, length, times))
        .collect();
    steps.extend([
        Do::Pass(320),
        Do::LoseClock,
        refuse(1611),
        push(1, 985, 10),
        push(0, 341, 20),
    ]);
    steps.extend([
        Do::Restamp,
        cut(499),
        push(0, 77, 18),
        refuse(1733),
        Do::Deliver(4),
    ]);
    steps.extend([
        push(0, 41, 35),
        push(0, 89, 16),
        push(0, 45, 21),
        cut(21),
        push(0, 4, 1),
    ]);
    live(&steps, 6);
}
