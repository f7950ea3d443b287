//! Flipped bits, and flash that is no outbox.

use std::collections::BTreeSet;
use std::time::Duration;

use meter_device::outbox::{OpenError, Opened, Options, Outbox};
use proptest::prelude::*;

use crate::device::{Device, now};
use crate::flash::{Chip, Flash, SECTOR};

const SECTORS: usize = 6;

/// A store with both logs in it, and what is in them.
fn full() -> (Device<SECTORS>, BTreeSet<u32>) {
    let mut device = Device::new(Options::default());
    for reading in 0..700 {
        device.push(1, 100 + reading % 7 * 30).unwrap();
        device.pass(Duration::from_mins(2)).unwrap();
    }
    device.flush().unwrap();
    device.deliver(5).unwrap();
    device.flush().unwrap();
    let counters = device.status().counters;
    assert!(counters.thinned > 0 && counters.dropped > 0, "{counters:?}");
    let left = device.batch(usize::MAX).unwrap();
    let left = left.iter().map(|(_, taken)| taken.id).collect();
    (device, left)
}

/// The device with some bits of its flash flipped, started again.
fn flipped(from: &Device<SECTORS>, bits: &[usize]) -> Device<SECTORS> {
    let mut chip: Chip = from.flash.0.borrow().clone();
    for bit in bits {
        chip.bytes[bit / 8] ^= 1 << (bit % 8);
    }
    let mut device = Device::on(Flash::of(chip), from.options);
    device.taken.clone_from(&from.taken);
    device.acked.clone_from(&from.acked);
    device
}

fn ids(device: &mut Device<SECTORS>) -> BTreeSet<u32> {
    let batch = device.batch(usize::MAX).unwrap();
    batch.iter().map(|(_, taken)| taken.id).collect()
}

#[test]
fn a_flipped_bit_costs_one_reading_at_most() {
    let (device, before) = full();
    let mut lost = 0;
    for word in 0..SECTORS * SECTOR / 4 {
        let bit = word * 32 + word * 7 % 32;
        let mut device = flipped(&device, &[bit]);
        let after = ids(&mut device);
        let missing = before.difference(&after).count();
        assert!(missing <= 1, "bit {bit} costs {missing}");
        if missing == 1 {
            lost += 1;
            assert_eq!(device.status().counters.corrupt, 1, "bit {bit}");
        }
    }
    assert!(
        lost > SECTOR * SECTORS / 4 / 4,
        "many of the words are readings: {lost}"
    );
}

#[test]
fn what_is_damaged_is_counted_once_and_the_outbox_goes_on() {
    let (device, before) = full();
    let mut damaged = (0..SECTORS * SECTOR / 4).step_by(97).filter_map(|word| {
        let mut device = flipped(&device, &[word * 32]);
        (ids(&mut device).len() < before.len()).then_some(device)
    });
    let mut device = damaged.next().unwrap();
    for _ in 0..3 {
        assert_eq!(device.status().counters.corrupt, 1);
        device.restart();
    }
    while !device.deliver(10).unwrap().is_empty() {}
    for _ in 0..300 {
        device.push(1, 200).unwrap();
        device.pass(Duration::from_secs(70)).unwrap();
    }
    device.flush().unwrap();
    device.restart();
    assert_eq!(device.status().counters.corrupt, 1);
}

#[test]
fn what_is_altered_while_it_waits_is_passed_over_and_counted() {
    let (mut device, before) = full();
    let last = *before.last().unwrap();
    let body = device.taken.last().unwrap().body();
    {
        let mut chip = device.flash.0.borrow_mut();
        let at = chip
            .bytes
            .windows(body.len())
            .position(|bytes| bytes == body)
            .unwrap();
        chip.bytes[at + 9] ^= 4;
    }
    let after = ids(&mut device);
    assert_eq!(
        before.difference(&after).copied().collect::<Vec<_>>(),
        [last]
    );
    assert_eq!(device.status().counters.corrupt, 1);
}

#[test]
fn blank_flash_is_a_new_outbox() {
    let device = Device::<SECTORS>::new(Options::default());
    assert_eq!(device.opened, Opened::New);
    assert_eq!(device.flash.steps(), 0);
}

#[test]
fn something_else_is_left_alone() {
    let flash = Flash::new(SECTORS);
    flash.0.borrow_mut().bytes[3 * SECTOR..][..12]
        .copy_from_slice(b"not an outbox".first_chunk::<12>().unwrap());
    let opened = now(Outbox::<_, SECTORS, 4096>::open(
        flash.clone(),
        Options::default(),
    ));
    assert_eq!(
        opened.err().map(|unopened| unopened.error),
        Some(OpenError::Foreign)
    );
    assert_eq!(flash.steps(), 0);
}

#[test]
fn a_flash_that_is_too_small_is_refused() {
    let opened = now(Outbox::<_, SECTORS, 4096>::open(
        Flash::new(SECTORS - 1),
        Options::default(),
    ));
    assert_eq!(
        opened.err().map(|unopened| unopened.error),
        Some(OpenError::TooSmall)
    );
}

#[test]
fn another_version_is_refused() {
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ ((crc & 1) * 0xEDB8_8320)
            })
        })
    };
    let (device, _) = full();
    {
        let mut chip = device.flash.0.borrow_mut();
        for at in [0, 20] {
            chip.bytes[at + 4] = 2;
            let sum = crc(&chip.bytes[at..at + 16]);
            chip.bytes[at + 16..at + 20].copy_from_slice(&sum.to_le_bytes());
        }
    }
    let opened = now(Outbox::<_, SECTORS, 4096>::open(
        device.flash.clone(),
        Options::default(),
    ));
    assert_eq!(
        opened.err().map(|unopened| unopened.error),
        Some(OpenError::Version(2))
    );
}

#[test]
fn an_outbox_beyond_use_begins_anew_and_says_so() {
    let (device, _) = full();
    let headers =
        (0..SECTORS).flat_map(|sector| [sector * SECTOR * 8 + 70, (sector * SECTOR + 20) * 8 + 70]);
    let mut device = flipped(&device, &headers.collect::<Vec<_>>());
    assert_eq!(device.opened, Opened::Damaged);
    assert_eq!(ids(&mut device), BTreeSet::new());
    assert_eq!(device.status().counters.corrupt, 6);
    device.push(1, 100).unwrap();
    device.flush().unwrap();
    device.restart();
    assert_eq!(device.opened, Opened::Resumed);
    assert_eq!(ids(&mut device).len(), 1);
}

proptest! {
    #[test]
    fn no_wrong_reading_is_given_out(
        bits in proptest::collection::vec(0..SECTORS * SECTOR * 8, 1..400),
    ) {
        let (device, before) = full();
        let mut device = flipped(&device, &bits);
        // The batch compares each reading with what was taken.
        let after = ids(&mut device);
        prop_assert!(before.difference(&after).count() <= SECTORS * SECTOR / 100);
        for _ in 0..50 {
            device.push(1, 300).unwrap();
        }
        device.flush().unwrap();
        let last = u32::try_from(device.taken.len()).unwrap();
        prop_assert!(ids(&mut device).contains(&last));
    }
}
