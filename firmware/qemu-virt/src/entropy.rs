//! Numbers that nobody can guess, from QEMU's virtio-rng.

use core::cell::RefCell;

use critical_section::Mutex;
use virtio_drivers::device::rng::VirtIORng;

use crate::virtio::{Device, Kind, Memory, Transport};

static SOURCE: Mutex<RefCell<Option<VirtIORng<Memory, Transport>>>> =
    Mutex::new(RefCell::new(None));

/// Whether there is a source.
pub fn start() -> bool {
    let source = Device::find(Kind::Entropy)
        .and_then(Device::transport)
        .and_then(|transport| VirtIORng::new(transport).ok());
    let there = source.is_some();
    critical_section::with(|section| SOURCE.borrow(section).replace(source));
    there
}

/// Fills a buffer.
///
/// # Panics
///
/// Without a source: a number that can be guessed is worse than none.
pub fn fill(buffer: &mut [u8]) {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..)
        && !rest.is_empty()
    {
        let got = critical_section::with(|section| {
            let mut source = SOURCE.borrow_ref_mut(section);
            source.as_mut()?.request_entropy(rest).ok()
        });
        match got {
            Some(count) => filled += count,
            None => {
                panic!("there is no source of random numbers: start QEMU with virtio-rng-device")
            }
        }
    }
}

/// A random number.
pub fn number() -> u32 {
    let mut bytes = [0; 4];
    fill(&mut bytes);
    u32::from_le_bytes(bytes)
}
