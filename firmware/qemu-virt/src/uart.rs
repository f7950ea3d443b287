//! A 16550: QEMU's `ns16550a` for the console, and its `pci-serial` for the meter.

use core::convert::Infallible;
use core::fmt;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embedded_io_async::{ErrorType, Read, Write};

use crate::registers::Registers;

const DATA: usize = 0;
const INTERRUPTS: usize = 1;
const FIFO: usize = 2;
const LINE_CONTROL: usize = 3;
const MODEM_CONTROL: usize = 4;
const LINE_STATUS: usize = 5;

const RECEIVED: u8 = 1;
const FIFO_ON_AND_CLEARED: u8 = 0b111;
const EIGHT_BITS: u8 = 0b11;
/// DTR and RTS raised, as a head wants it; OUT2 lets interrupts out.
const RAISED: u8 = 0b1011;
const HAS_BYTE: u8 = 1;
const TAKES_BYTE: u8 = 1 << 5;

/// One with room for so many bytes that wait for their reader.
pub struct Uart<const ROOM: usize> {
    registers: Registers,
    received: Pipe<CriticalSectionRawMutex, ROOM>,
}

impl<const ROOM: usize> Uart<ROOM> {
    pub(crate) const fn new(registers: Registers) -> Self {
        Self {
            registers,
            received: Pipe::new(),
        }
    }

    /// From now on each byte raises the interrupt.
    pub fn start(&self) {
        self.registers.write(LINE_CONTROL, EIGHT_BITS);
        self.registers.write(FIFO, FIFO_ON_AND_CLEARED);
        self.registers.write(MODEM_CONTROL, RAISED);
        self.registers.write(INTERRUPTS, RECEIVED);
    }

    /// Takes what has come; for the interrupt. Returns how many bytes nobody had room for.
    pub fn take(&self) -> usize {
        let mut lost = 0;
        while self.registers.read::<u8>(LINE_STATUS) & HAS_BYTE != 0 {
            let byte: u8 = self.registers.read(DATA);
            lost += usize::from(self.received.try_write(&[byte]).is_err());
        }
        lost
    }

    fn send(&self, byte: u8) {
        while self.registers.read::<u8>(LINE_STATUS) & TAKES_BYTE == 0 {}
        self.registers.write(DATA, byte);
    }
}

/// Writes at once, and waits for the line.
impl<const ROOM: usize> fmt::Write for &Uart<ROOM> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.send(byte));
        Ok(())
    }
}

impl<const ROOM: usize> ErrorType for &Uart<ROOM> {
    type Error = Infallible;
}

impl<const ROOM: usize> Read for &Uart<ROOM> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.received.read(buffer).await)
    }
}

/// Writes at once: QEMU's line takes any byte in no time.
impl<const ROOM: usize> Write for &Uart<ROOM> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        bytes.iter().for_each(|&byte| self.send(byte));
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
