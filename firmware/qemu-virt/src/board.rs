//! QEMU's machine `virt`: its serial ports, its interrupts, and its end.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use riscv::interrupt::Interrupt;
use riscv::register::{mie, mstatus};

use crate::registers::{self, EXIT, INTERRUPTS, METER_PORT, PCI};
use crate::uart::Uart;
use crate::virtio;

/// The console.
pub static CONSOLE: Uart<1024> = Uart::new(registers::CONSOLE);
/// The meter's read head: four seconds of a meter at 9600 baud wait for their reader.
pub static METER: Uart<4096> = Uart::new(registers::METER);

const CONSOLE_INTERRUPT: u32 = 10;
const FIRST_PCI_INTERRUPT: u32 = 32;
/// Vendor and device of `pci-serial`.
const PCI_SERIAL: u32 = 0x0002_1b36;

static METER_INTERRUPT: AtomicU32 = AtomicU32::new(0);
/// Bytes that came when the pipe was full.
pub static OVERRUN: AtomicUsize = AtomicUsize::new(0);

/// Brings the serial ports up. Whether there is one for the meter.
pub fn start() -> bool {
    CONSOLE.start();
    enable(CONSOLE_INTERRUPT);
    let meter = find_meter();
    if let Some(interrupt) = meter {
        METER_INTERRUPT.store(interrupt, Ordering::Relaxed);
        METER.start();
        enable(interrupt);
    }
    let_interrupts_in();
    meter.is_some()
}

#[expect(unsafe_code, reason = "interrupts may come in the middle of anything")]
fn let_interrupts_in() {
    // SAFETY: no critical section is open, and the handlers are in place.
    unsafe {
        mie::set_mext();
        mie::set_mtimer();
        mstatus::set_mie();
    }
}

/// Starts the machine anew.
pub fn reset() -> ! {
    EXIT.write(0, 0x7777u32);
    loop {
        riscv::asm::wfi();
    }
}

/// Ends QEMU with an exit status.
pub fn exit(status: u16) -> ! {
    let value = match status {
        0 => 0x5555,
        status => u32::from(status) << 16 | 0x3333,
    };
    EXIT.write(0, value);
    loop {
        riscv::asm::wfi();
    }
}

/// Gives the PCI serial port its I/O port, and returns its interrupt.
fn find_meter() -> Option<u32> {
    let device = (0..32).find(|device| PCI.read::<u32>(device << 15) == PCI_SERIAL)?;
    let config = device << 15;
    PCI.write(config + 0x10, METER_PORT);
    let command: u16 = PCI.read(config + 4);
    PCI.write(config + 4, command | 1);
    let pin = u32::from(PCI.read::<u8>(config + 0x3d));
    let line = (u32::try_from(device).ok()? + pin.checked_sub(1)?) % 4;
    Some(FIRST_PCI_INTERRUPT + line)
}

/// Lets an interrupt of the board in.
pub fn enable(interrupt: u32) {
    let word = 0x2000 + interrupt as usize / 32 * 4;
    INTERRUPTS.write(interrupt as usize * 4, 1u32);
    let enabled: u32 = INTERRUPTS.read(word);
    INTERRUPTS.write(word, enabled | 1 << (interrupt % 32));
    INTERRUPTS.write(0x20_0000, 0u32);
}

#[riscv_rt::core_interrupt(Interrupt::MachineExternal)]
fn external() {
    const CLAIM: usize = 0x20_0004;
    loop {
        let interrupt: u32 = INTERRUPTS.read(CLAIM);
        let lost = match interrupt {
            0 => return,
            CONSOLE_INTERRUPT => CONSOLE.take(),
            virtio::FIRST_INTERRUPT..=virtio::LAST_INTERRUPT => virtio::acknowledge(interrupt),
            meter if meter == METER_INTERRUPT.load(Ordering::Relaxed) => METER.take(),
            _ => 0,
        };
        OVERRUN.fetch_add(lost, Ordering::Relaxed);
        INTERRUPTS.write(CLAIM, interrupt);
    }
}
