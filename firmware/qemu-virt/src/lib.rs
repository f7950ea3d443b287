//! QEMU's board `virt` as a chip with a meter's head, a Wi-Fi, flash, a display and a button.
//!
//! Two programs run on it: the device, and one that tries each driver from the console.

#![no_std]

mod board;
mod chip;
mod clib;
mod clock;
mod entropy;
mod flash;
mod heap;
mod kept;
mod net;
mod radio;
mod registers;
mod screen;
mod stack;
mod time;
mod uart;
mod virtio;

extern crate alloc;

use core::fmt::{Arguments, Write};
use core::panic::PanicInfo;

use device_network::{Net, Room, SOCKETS};
use embassy_executor::Spawner;
use embassy_net::{Config, Runner, StackResources};
use meter_device::board::Start;
use static_cell::StaticCell;

pub use board::{CONSOLE, METER, exit};
pub use chip::Chip;
pub use flash::{Flash, Part};
pub use radio::Radio;
pub use screen::{Canvas, Screen};
pub use time::Time;
pub use uart::Uart;

use net::Ethernet;

/// The board, as the application knows it.
#[derive(Debug)]
pub struct QemuVirt;

impl meter_device::board::Board for QemuVirt {
    type Time = Time;
    type Radio = Radio;
    type Network = Net;
    type Flash = Part;
    type Head = &'static Uart<4096>;
    type Keyboard = &'static Uart<1024>;
    type Paper = &'static Uart<1024>;
    type Screen = Screen;
    type Chip = Chip;
}

/// The board's parts, beside its two serial ports.
pub struct Parts {
    /// The simulated Wi-Fi.
    pub radio: Radio,
    /// Connections.
    pub network: Net,
    /// The whole flash.
    pub flash: Flash,
    /// Display and button.
    pub screen: Screen,
    /// The rest.
    pub chip: Chip,
}

/// Starts the board. What QEMU was not told to have ends it, with the option that is missing.
pub fn start(spawner: Spawner) -> Parts {
    stack::paint();
    heap::start();
    clock::start();
    if !board::start() {
        lack("-device pci-serial,chardev=meter");
    }
    if !entropy::start() {
        lack("-device virtio-rng-device");
    }
    let Some(card) = Ethernet::start() else {
        lack("-device virtio-net-device,netdev=n0");
    };
    let Some(flash) = Flash::start() else {
        lack("-device virtio-blk-device,drive=flash");
    };
    let Some((radio, network)) = start_network(spawner, card) else {
        lack("memory for the network");
    };
    Parts {
        radio,
        network,
        flash,
        screen: Screen::start(),
        chip: Chip::start(),
    }
}

fn lack(option: &str) -> ! {
    say(format_args!("QEMU was started without {option}"));
    exit(1)
}

fn start_network(spawner: Spawner, card: Ethernet) -> Option<(Radio, Net)> {
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    static ROOM: StaticCell<Room> = StaticCell::new();
    let mut seed = [0; 8];
    entropy::fill(&mut seed);
    let (stack, runner) = embassy_net::new(
        card,
        Config::dhcpv4(device_network::configure("meterline")),
        RESOURCES.try_uninit()?.write(StackResources::new()),
        u64::from_le_bytes(seed),
    );
    spawner.spawn(run_network(runner).ok()?);
    let room = ROOM.try_uninit()?.write(Room::new());
    let net = Net::new(stack, room, entropy::fill).ok()?;
    Some((Radio::new(stack), net))
}

#[embassy_executor::task]
async fn run_network(mut runner: Runner<'static, Ethernet>) {
    runner.run().await
}

/// Says a line on the console.
pub fn say(text: Arguments<'_>) {
    // The console takes everything.
    let _ = writeln!(&CONSOLE, "{text}");
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    fall(format_args!("{info}"))
}

/// What the processor cannot do: an access to nothing, an instruction that there is not.
#[expect(unsafe_code, reason = "riscv-rt finds it by its name")]
// SAFETY: it has the type that riscv-rt calls it with, and does not return.
#[unsafe(export_name = "ExceptionHandler")]
extern "C" fn exception(_: &riscv_rt::TrapFrame) -> ! {
    fall(format_args!(
        "exception {} at {:#x}, address {:#x}",
        riscv::register::mcause::read().code(),
        riscv::register::mepc::read(),
        riscv::register::mtval::read()
    ))
}

/// Says why, leaves it for the next run, and starts that.
fn fall(words: Arguments<'_>) -> ! {
    say(words);
    kept::leave(Start::Panic, words);
    board::reset()
}
