//! The device on QEMU's board `virt`: it reads the meter on its second serial port and says on the
//! console what the meter says, one line of JSON for each reading.

#![no_std]
#![no_main]

extern crate alloc;

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
mod trial;
mod uart;
mod virtio;

use core::fmt::Write;
use core::panic::PanicInfo;

use embassy_executor::Spawner;
use embassy_net::{Config, Runner, StackResources};
use embassy_time::Instant;
use embedded_io_async::Read as _;
use meter_core::{Reading, Stamped, UnixMillis, payload};
use meter_device::board::Start;
use sml_wire::{Body, Decoder, Event};
use static_cell::StaticCell;

use board::{CONSOLE, METER};
use chip::Chip;
use device_network::{Net, Room, SOCKETS};
use flash::{Flash, Part};
use net::Ethernet;
use radio::Radio;
use screen::Screen;
use time::Time;
use uart::Uart;

/// The board, as the application knows it.
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

/// The longest telegram that is taken: the longest that is known has less than 700 bytes.
const LONGEST: usize = 2048;

#[embassy_executor::main(entry = "riscv_rt::entry")]
async fn main(spawner: Spawner) {
    stack::paint();
    heap::start();
    let meter = board::start();
    say(format_args!(
        "meterline {} on qemu-virt",
        env!("CARGO_PKG_VERSION")
    ));
    if !meter {
        say(format_args!("there is no serial port for a meter"));
        board::exit(1);
    }
    match read_meter() {
        Ok(token) => spawner.spawn(token),
        Err(_) => board::exit(2),
    }
    let mut bench = trial::Bench {
        chip: Chip::start(),
        screen: Screen::start(),
        flash: Flash::start(),
        network: start_network(spawner),
        authority: heapless::Vec::new(),
    };
    trial::obey(&mut bench).await
}

/// The network, if QEMU has a card and a source of random numbers.
fn start_network(spawner: Spawner) -> Option<(Radio, Net)> {
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    static ROOM: StaticCell<Room> = StaticCell::new();
    if !entropy::start() {
        return None;
    }
    let card = Ethernet::start()?;
    let mut seed = [0; 8];
    entropy::fill(&mut seed);
    let (stack, runner) = embassy_net::new(
        card,
        Config::dhcpv4(device_network::configure("meterline")),
        RESOURCES.init_with(StackResources::new),
        u64::from_le_bytes(seed),
    );
    spawner.spawn(run_network(runner).ok()?);
    let net = Net::new(stack, ROOM.init_with(Room::new), entropy::fill).ok()?;
    Some((Radio::new(stack), net))
}

#[embassy_executor::task]
async fn run_network(mut runner: Runner<'static, Ethernet>) {
    runner.run().await
}

#[embassy_executor::task]
async fn read_meter() {
    let mut decoder = Decoder::new([0; LONGEST]);
    let mut buffer = [0; 128];
    let mut head = &METER;
    loop {
        let Ok(count) = head.read(&mut buffer).await;
        let mut input = &buffer[..count];
        while let Some(event) = decoder.next(&mut input) {
            match event {
                Event::Frame(frame) => {
                    for message in frame.file().messages().flatten() {
                        if let (true, Body::GetListRes(list)) = (message.intact(), message.body) {
                            show(Reading::new(list));
                        }
                    }
                }
                Event::Skipped(skipped) => say(format_args!("skipped {skipped:?}")),
            }
        }
    }
}

fn show(reading: Reading<'_>) {
    let millis = i64::try_from(Instant::now().as_millis()).unwrap_or(i64::MAX);
    let stamped = Stamped {
        time: UnixMillis(millis),
        reading,
    };
    // The console takes everything.
    let _ = payload::json(&[stamped], &mut &CONSOLE);
    let _ = (&CONSOLE).write_str("\n");
}

fn say(text: core::fmt::Arguments<'_>) {
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
fn fall(words: core::fmt::Arguments<'_>) -> ! {
    let _ = writeln!(&CONSOLE, "{words}");
    kept::leave(Start::Panic, words);
    board::reset()
}
