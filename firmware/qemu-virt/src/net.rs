//! QEMU's virtio-net as the network device of embassy.

use core::cell::RefCell;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use virtio_drivers::device::net::{RxBuffer, VirtIONet};

use crate::virtio::{self, Device, Kind, Memory, Transport};

const QUEUE: usize = 8;
/// The longest frame, without its checksum.
const FRAME: usize = 1514;
/// A frame with virtio's header.
const BUFFER: usize = 1528;
/// Where the link's state is in the configuration: behind the address.
const STATUS: usize = 6;
const LINK_UP: u16 = 1;

/// Whether the simulated Wi-Fi is joined: without, there is no link.
static JOINED: AtomicBool = AtomicBool::new(false);

/// Joins or leaves the simulated Wi-Fi.
pub fn join(joined: bool) {
    JOINED.store(joined, Ordering::Relaxed);
    virtio::NETWORK.wake();
}

/// Whether the cable is plugged in, as QEMU's monitor says with `set_link`.
pub fn is_plugged_in() -> bool {
    Device::find(Kind::Network).is_some_and(|device| device.configuration(STATUS) & LINK_UP != 0)
}

type Card = VirtIONet<Memory, Transport, QUEUE>;

/// The network card.
pub struct Ethernet {
    card: RefCell<Card>,
    device: Device,
    address: [u8; 6],
}

impl Ethernet {
    /// The card, if QEMU has one. Its eight buffers take 12 KiB of the heap.
    pub fn start() -> Option<Self> {
        let device = Device::find(Kind::Network)?;
        let mut card = Card::new(device.transport()?, BUFFER).ok()?;
        card.enable_interrupts();
        device.listen();
        Some(Self {
            address: card.mac_address(),
            card: RefCell::new(card),
            device,
        })
    }
}

impl Driver for Ethernet {
    type RxToken<'a> = Arrived<'a>;
    type TxToken<'a> = Leaving<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Arrived<'_>, Leaving<'_>)> {
        virtio::NETWORK.register(cx.waker());
        let frame = self.card.get_mut().receive().ok()?;
        let card = &self.card;
        Some((Arrived { card, frame }, Leaving { card }))
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<Leaving<'_>> {
        virtio::NETWORK.register(cx.waker());
        let card = &self.card;
        card.borrow().can_send().then_some(Leaving { card })
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        virtio::NETWORK.register(cx.waker());
        let plugged_in = self.device.configuration(STATUS) & LINK_UP != 0;
        if plugged_in && JOINED.load(Ordering::Relaxed) {
            LinkState::Up
        } else {
            LinkState::Down
        }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

/// A frame that has come.
pub struct Arrived<'a> {
    card: &'a RefCell<Card>,
    frame: RxBuffer,
}

impl RxToken for Arrived<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, take: F) -> R {
        let taken = take(self.frame.packet_mut());
        // A buffer that cannot be given back is one less; the rest go on.
        let _ = self.card.borrow_mut().recycle_rx_buffer(self.frame);
        taken
    }
}

/// Room for a frame that is to go.
pub struct Leaving<'a> {
    card: &'a RefCell<Card>,
}

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut card = self.card.borrow_mut();
        let mut frame = card.new_tx_buffer(length);
        let written = write(frame.packet_mut());
        // A frame that does not go is sent again by whoever misses its answer.
        let _ = card.send(frame);
        written
    }
}
