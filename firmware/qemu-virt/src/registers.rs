//! Memory-mapped registers: the one place that touches the hardware's addresses.

use core::ptr::{read_volatile, write_volatile};

/// A block of registers.
#[derive(Clone, Copy, Debug)]
pub struct Registers(usize);

impl Registers {
    /// The block that begins at `base`.
    ///
    /// # Safety
    ///
    /// All offsets that are used with it must be registers of this board.
    pub const unsafe fn at(base: usize) -> Self {
        Self(base)
    }

    pub fn read<T: Width>(self, offset: usize) -> T {
        // SAFETY: whoever made this says that the register is there.
        unsafe { read_volatile((self.0 + offset) as *const T) }
    }

    pub fn write<T: Width>(self, offset: usize, value: T) {
        // SAFETY: as above.
        unsafe { write_volatile((self.0 + offset) as *mut T, value) }
    }
}

/// What a register may be wide.
pub trait Width: Copy {}
impl Width for u8 {}
impl Width for u16 {}
impl Width for u32 {}
