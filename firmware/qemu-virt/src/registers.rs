//! The registers of QEMU's machine `virt`, and the one place that reads and writes them.
//!
//! Addresses are those of QEMU's `hw/riscv/virt.c`.

use core::ptr::{read_volatile, write_volatile};

/// SiFive's test device: what is written here ends QEMU.
pub const EXIT: Registers = Registers(0x0010_0000);
/// SiFive's CLINT: the timer.
pub const TIMER: Registers = Registers(0x0200_0000);
/// The meter's serial port, at the I/O port that the board gives it.
pub const METER: Registers = Registers(0x0300_0000 + METER_PORT as usize);
/// The I/O port of the meter's serial port.
pub const METER_PORT: u32 = 0x1000;
/// SiFive's PLIC: the interrupts.
pub const INTERRUPTS: Registers = Registers(0x0c00_0000);
/// The console's serial port.
pub const CONSOLE: Registers = Registers(0x1000_0000);
/// The first of eight virtio devices.
pub const VIRTIO: Registers = Registers(0x1000_1000);
/// The configuration of the PCI devices.
pub const PCI: Registers = Registers(0x3000_0000);

/// The stack's memory, as in `memory.x`.
pub const STACK: Registers = Registers(0x807c_0000);
/// Its length, in bytes.
pub const STACK_LENGTH: usize = 256 * 1024;
/// Memory behind the program's own, which no start clears: what the last run left behind.
pub const KEPT: Registers = Registers(0x8080_0000);
/// A word that QEMU may be told to put there: how many times as fast as the timer the clock goes.
pub const PACE: Registers = Registers(0x8080_8000);
/// The display's own memory.
pub const PANEL: Registers = Registers(0x8081_0000);

/// A block of registers: one of those above.
#[derive(Clone, Copy, Debug)]
pub struct Registers(usize);

impl Registers {
    /// The block that begins so many bytes later.
    pub const fn block(self, offset: usize) -> Self {
        Self(self.0 + offset)
    }

    /// Where it is, for a device that reads or writes there by itself.
    pub const fn address(self) -> usize {
        self.0
    }

    #[expect(unsafe_code, reason = "a register is an address")]
    pub fn read<T: Width>(self, offset: usize) -> T {
        // SAFETY: every machine `virt` has these devices, and what is behind one, like the stack below
        // its pointer and the memory behind the program, is nothing that Rust knows of.
        unsafe { read_volatile((self.0 + offset) as *const T) }
    }

    #[expect(unsafe_code, reason = "a register is an address")]
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
