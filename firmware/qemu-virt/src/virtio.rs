//! The virtio devices: found, given memory that both sides see, and their interrupts passed on.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use embassy_sync::waitqueue::AtomicWaker;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

use crate::board;
use crate::registers::{Registers, VIRTIO};

const SLOTS: u32 = 8;
const SLOT_SIZE: usize = 0x1000;
/// The interrupt of the first slot; each has its own.
pub const FIRST_INTERRUPT: u32 = 1;
/// The interrupt of the last slot.
pub const LAST_INTERRUPT: u32 = FIRST_INTERRUPT + SLOTS - 1;

const KIND: usize = 0x008;
const WHAT_HAPPENED: usize = 0x060;
const KNOWN: usize = 0x064;
const CONFIGURATION: usize = 0x100;

/// Woken by the network device.
pub static NETWORK: AtomicWaker = AtomicWaker::new();
/// Woken by the keyboard.
pub static KEYBOARD: AtomicWaker = AtomicWaker::new();

/// How a driver talks to its device.
pub type Transport = MmioTransport<'static>;

/// What a device is, by virtio's number.
#[derive(Clone, Copy)]
pub enum Kind {
    Network = 1,
    Disk = 2,
    Entropy = 4,
    Keyboard = 18,
}

/// A device that QEMU was told to have.
#[derive(Clone, Copy)]
pub struct Device {
    registers: Registers,
    interrupt: u32,
}

impl Device {
    /// The first of its kind.
    pub fn find(kind: Kind) -> Option<Self> {
        (0..SLOTS)
            .map(|slot| Self {
                registers: VIRTIO.block(slot as usize * SLOT_SIZE),
                interrupt: FIRST_INTERRUPT + slot,
            })
            .find(|device| device.registers.read::<u32>(KIND) == kind as u32)
    }

    /// For the one driver of it.
    #[expect(unsafe_code, reason = "a device is an address")]
    pub fn transport(self) -> Option<Transport> {
        let header = NonNull::new(self.registers.address() as *mut VirtIOHeader)?;
        // SAFETY: the machine has a slot there, and it never goes away.
        unsafe { MmioTransport::new(header, SLOT_SIZE) }.ok()
    }

    /// Lets its interrupts in.
    pub fn listen(self) {
        board::enable(self.interrupt);
    }

    /// A field of its configuration.
    pub fn configuration(self, offset: usize) -> u16 {
        self.registers.read(CONFIGURATION + offset)
    }
}

/// Takes note of an interrupt. No byte is ever lost here.
pub fn acknowledge(interrupt: u32) -> usize {
    let registers = VIRTIO.block((interrupt - FIRST_INTERRUPT) as usize * SLOT_SIZE);
    let happened: u32 = registers.read(WHAT_HAPPENED);
    registers.write(KNOWN, happened);
    NETWORK.wake();
    KEYBOARD.wake();
    0
}

/// Two queues of two pages each for the network and the keyboard, one for disk and entropy.
const PAGES: usize = 12;

#[repr(align(4096))]
struct Pages(core::cell::UnsafeCell<[[u8; PAGE_SIZE]; PAGES]>);

#[expect(unsafe_code, reason = "memory that devices write to")]
// SAFETY: each page is given away once.
unsafe impl Sync for Pages {}

static SHARED: Pages = Pages(core::cell::UnsafeCell::new([[0; PAGE_SIZE]; PAGES]));
static GIVEN_AWAY: AtomicUsize = AtomicUsize::new(0);

/// Memory for the queues. Addresses are the same for the processor and its devices.
pub struct Memory;

#[expect(unsafe_code, reason = "memory that devices write to")]
// SAFETY: pages come from a static of zeroes, aligned, each once; addresses are physical.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = GIVEN_AWAY.fetch_add(pages, Ordering::Relaxed);
        if first + pages > PAGES {
            return (0, NonNull::dangling());
        }
        let start = SHARED.0.get().cast::<u8>().wrapping_add(first * PAGE_SIZE);
        match NonNull::new(start) {
            Some(start) => (start.as_ptr() as PhysAddr, start),
            None => (0, NonNull::dangling()),
        }
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        // They are not given away again: a driver is dropped only before a restart.
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(address as *mut u8).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}
