//! How much of the stack was ever in use: it is painted at the start, and the paint is looked for.

use crate::registers::{STACK, STACK_LENGTH};

const PAINT: u32 = 0x5741_4e44;
/// What a chip has, in bytes. There is more here, so that what uses more is measured.
pub const SIZE: usize = 32 * 1024;
/// What the painter itself may need.
const MARGIN: usize = 512;

/// Paints what is not in use. Not inlined: its own frame tells where that begins.
#[inline(never)]
pub fn paint() {
    let here = 0u32;
    let used_from = core::ptr::from_ref(&here).addr() - STACK.address();
    for place in (0..used_from.saturating_sub(MARGIN)).step_by(4) {
        STACK.write(place, PAINT);
    }
}

/// The most that was in use, in bytes.
pub fn peak() -> usize {
    let untouched = (0..STACK_LENGTH)
        .step_by(4)
        .take_while(|&place| STACK.read::<u32>(place) == PAINT)
        .count();
    STACK_LENGTH - untouched * 4
}
