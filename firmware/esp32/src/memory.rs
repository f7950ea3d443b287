//! How much memory there is, and how much of it was used at most.
//!
//! The stack lies between the statics and the end of the memory and grows downwards. At the start it is
//! painted; where the paint is gone, it has been.

use meter_device::board::Memory;

/// What nobody writes by chance.
const PAINT: u32 = 0x5afe_c0de;
/// Left free at the far end, where the chip watches for an overflow.
const WATCHED: usize = 128;
/// Left free below the caller, whose own frame is not known.
const FRAME: usize = 512;

/// The statics' part of the heap. What it leaves is the stack's.
pub const HEAP: usize = 1024
    * if cfg!(feature = "esp32") {
        24
    } else if cfg!(feature = "esp32c6") {
        192
    } else if cfg!(feature = "esp32s3") {
        128
    } else {
        128
    };
/// What the boot loader needed.
pub const RECLAIMED: usize = 1024 * if cfg!(feature = "esp32") { 96 } else { 64 };

/// Gives the heap its memory: the statics' part, and what the boot loader needed before.
macro_rules! give_heap {
    () => {
        esp_alloc::heap_allocator!(size: $crate::memory::HEAP);
        esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: $crate::memory::RECLAIMED);
    };
}
pub(crate) use give_heap;

#[expect(unsafe_code, reason = "the linker says where the stack lies")]
mod stack {
    unsafe extern "C" {
        #[link_name = "_stack_end_cpu0"]
        static FAR: u32;
        #[link_name = "_stack_start_cpu0"]
        static NEAR: u32;
    }

    /// The addresses of its far end, which is the lower one, and of its start.
    pub fn bounds() -> (usize, usize) {
        ((&raw const FAR).addr(), (&raw const NEAR).addr())
    }

    /// Reads a word of it.
    pub fn read(address: usize) -> u32 {
        // SAFETY: an aligned word between the two bounds, which is memory for as long as it runs.
        unsafe { core::ptr::with_exposed_provenance::<u32>(address).read_volatile() }
    }

    /// Writes a word that is not in use.
    pub fn write(address: usize, value: u32) {
        // SAFETY: as above, and below everything that the caller's frame holds.
        unsafe { core::ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(value) }
    }
}

/// Paints the stack below the caller. Once, at the start.
#[inline(never)]
pub fn paint() {
    let here = 0u32;
    let (far, _) = stack::bounds();
    let end = (&raw const here).addr().saturating_sub(FRAME);
    for address in (far + WATCHED..end).step_by(size_of::<u32>()) {
        stack::write(address, PAINT);
    }
}

/// What there is and was used.
pub fn measure() -> Memory {
    let heap = esp_alloc::HEAP.stats();
    let (far, near) = stack::bounds();
    let deepest = (far + WATCHED..near)
        .step_by(size_of::<u32>())
        .find(|address| stack::read(*address) != PAINT)
        .unwrap_or(near);
    let count = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    Memory {
        heap: count(heap.size),
        heap_peak: count(heap.max_usage),
        heap_used: count(heap.current_usage),
        stack: count(near - far),
        stack_peak: count(near - deepest),
    }
}
