//! How often sectors are erased, as the documentation of the outbox computes it.

use std::time::Duration;

use meter_device::outbox::Options;

use crate::device::Device;

/// 384 KiB.
const SECTORS: usize = 96;
const READINGS: u32 = 100_000;
/// Readings with a body of 400 bytes in a sector, by the documentation.
const OF_A_SECTOR: u32 = 9;

fn erases(device: &Device<SECTORS>) -> (u32, u32, u32) {
    let erases = device.flash.0.borrow().erases.clone();
    let (least, most) = (erases.iter().min(), erases.iter().max());
    (erases.iter().sum(), *least.unwrap(), *most.unwrap())
}

#[test]
fn a_backend_that_never_answers() {
    let mut device = Device::new(Options::default());
    for _ in 0..READINGS {
        device.push(1, 400).unwrap();
        device.pass(Duration::from_secs(10)).unwrap();
    }
    device.flush().unwrap();
    let counters = device.status().counters;
    let left = u32::try_from(device.batch(usize::MAX).unwrap().len()).unwrap();
    assert_eq!(left + counters.thinned + counters.dropped, READINGS);
    assert!(left > 830, "8.7 days of quarter-hours: {left}");

    let (sum, least, most) = erases(&device);
    // The first round needs no erase.
    let written = sum + u32::try_from(SECTORS).unwrap();
    let taken_over = READINGS - counters.thinned;
    let computed = (READINGS + taken_over) / OF_A_SECTOR;
    assert!(
        written.abs_diff(computed) <= 2,
        "{written} sectors, {computed} by the documentation"
    );
    assert_eq!(device.status().erases, most);
    assert!(
        most - least < 350,
        "a third of a hundredth of a life: {least} to {most}"
    );
}

#[test]
fn a_backend_that_is_always_late() {
    let mut device = Device::new(Options::default());
    for _ in 0..READINGS / 20 {
        for _ in 0..20 {
            device.push(1, 400).unwrap();
            device.pass(Duration::from_secs(10)).unwrap();
        }
        device.flush().unwrap();
        assert_eq!(device.deliver(20).unwrap().len(), 20);
    }
    let (sum, least, most) = erases(&device);
    assert!(sum > 11_000 && sum < 11_700, "{sum}");
    assert!(most - least <= 1, "sectors take turns: {least} to {most}");
}
