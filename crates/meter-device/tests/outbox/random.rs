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

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_missing_that_may_not_be(
        steps in proptest::collection::vec(anything(), 1..80),
        spill_after in 1..9_u16,
    ) {
        let options = Options { spill_after, ..Options::default() };
        let mut device = Device::<6>::new(options);
        let mut refusing = false;
        for step in &steps {
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
        prop_assert_eq!(device.status().in_memory, 0);
        device.check();
        device.restart();
        device.check();
        while !device.deliver(10).unwrap().is_empty() {}
        device.check();
    }
}
