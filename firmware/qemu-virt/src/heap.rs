//! The heap: as much as a small chip has left, with its peak.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};

use embedded_alloc::LlffHeap;

/// Its size in bytes.
pub const SIZE: usize = 128 * 1024;

#[repr(align(16))]
struct Arena(UnsafeCell<[MaybeUninit<u8>; SIZE]>);

#[expect(unsafe_code, reason = "the heap's memory")]
// SAFETY: the allocator alone gives it out.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena(UnsafeCell::new([MaybeUninit::uninit(); SIZE]));

struct Heap {
    free: LlffHeap,
    peak: AtomicUsize,
}

#[global_allocator]
static HEAP: Heap = Heap {
    free: LlffHeap::empty(),
    peak: AtomicUsize::new(0),
};

/// Makes it usable; once, before anything else.
#[expect(unsafe_code, reason = "an allocator is told where its memory is")]
pub fn start() {
    // SAFETY: the memory is a static of this size that nobody else uses.
    unsafe { HEAP.free.init(ARENA.0.get() as usize, SIZE) }
}

/// What of it is in use, in bytes.
pub fn used() -> usize {
    HEAP.free.used()
}

/// The most that was in use at once, in bytes.
pub fn peak() -> usize {
    HEAP.peak.load(Ordering::Relaxed)
}

#[expect(unsafe_code, reason = "an allocator")]
// SAFETY: the crate's allocator does the work; the peak is a number beside it.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let place = unsafe { self.free.alloc(layout) };
        self.peak.fetch_max(self.free.used(), Ordering::Relaxed);
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.free.dealloc(place, layout) }
    }
}
