//! The rest of the board: watchdog, light, random numbers, memory, and what the last run left behind.

use core::cell::Cell;
use core::sync::atomic::Ordering;

use critical_section::Mutex;
use embassy_time::{Duration, Instant};
use meter_device::board::{self, Memory, Start, WATCHDOG};
use static_cell::StaticCell;

use crate::kept::{self, Kept};
use crate::{board as machine, entropy, heap, stack};

/// When the watchdog bites.
static BITES: Mutex<Cell<Instant>> = Mutex::new(Cell::new(Instant::MAX));

/// The watchdog's part of the timer's interrupt: bites when it is time, and says when that is.
pub fn watch(now: Instant) -> Instant {
    let bites = critical_section::with(|section| BITES.borrow(section).get());
    if now >= bites {
        kept::leave(
            Start::Watchdog,
            format_args!("the watchdog was not fed for {} s", WATCHDOG.as_secs()),
        );
        machine::reset();
    }
    bites
}

/// The chip.
pub struct Chip {
    start: Start,
    words: Option<&'static str>,
}

impl Chip {
    /// The chip, with what the last run left behind.
    pub(crate) fn start() -> Self {
        static KEPT: StaticCell<Kept> = StaticCell::new();
        let kept = KEPT.init_with(kept::take);
        Self {
            start: kept.start,
            words: Some(&*kept.words).filter(|words| !words.is_empty()),
        }
    }
}

impl board::Chip for Chip {
    const NAME: &'static str = "qemu-virt";

    fn feed(&mut self) {
        let patience = Duration::try_from(WATCHDOG).unwrap_or(Duration::MAX);
        let bites = Instant::now().saturating_add(patience);
        critical_section::with(|section| BITES.borrow(section).set(bites));
    }

    /// There is none.
    fn light(&mut self, _: bool) {}

    fn random(&mut self) -> u32 {
        entropy::number()
    }

    fn memory(&self) -> Memory {
        let bytes = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Memory {
            heap: bytes(heap::SIZE),
            heap_peak: bytes(heap::peak()),
            heap_used: bytes(heap::used()),
            stack: bytes(stack::SIZE),
            stack_peak: bytes(stack::peak()),
        }
    }

    fn overrun(&self) -> u32 {
        u32::try_from(machine::OVERRUN.load(Ordering::Relaxed)).unwrap_or(u32::MAX)
    }

    fn last_words(&mut self) -> (Start, Option<&'static str>) {
        (self.start, self.words.take())
    }

    fn restart(&mut self) {
        kept::leave(Start::Asked, format_args!(""));
        machine::reset();
    }
}
