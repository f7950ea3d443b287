//! The device on QEMU's board `virt`: it reads the meter on its second serial port and says on the
//! console what the meter says, one line of JSON for each reading.

#![no_std]
#![no_main]

mod board;
mod clock;
mod registers;
mod uart;

use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::Ordering;

use embassy_executor::Spawner;
use embassy_time::Instant;
use meter_core::{Reading, Stamped, UnixMillis, payload};
use sml_wire::{Body, Decoder, Event};

use board::{CONSOLE, METER};

/// The longest telegram that is taken: the longest that is known has less than 700 bytes.
const LONGEST: usize = 2048;

#[embassy_executor::main(entry = "riscv_rt::entry")]
async fn main(spawner: Spawner) {
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
    obey().await
}

/// Does what the console says, until it says `exit`.
async fn obey() {
    let mut line = [0; 64];
    let mut length = 0;
    loop {
        let mut byte = [0];
        CONSOLE.read(&mut byte).await;
        if byte == *b"\n" {
            match &line[..length] {
                b"exit" => board::exit(0),
                b"info" => say(format_args!(
                    "up {} ms, {} bytes lost",
                    Instant::now().as_millis(),
                    board::OVERRUN.load(Ordering::Relaxed)
                )),
                _ => say(format_args!("known are: info, exit")),
            }
            length = 0;
        } else if let Some(place) = line.get_mut(length) {
            *place = byte[0];
            length += 1;
        }
    }
}

#[embassy_executor::task]
async fn read_meter() {
    let mut decoder = Decoder::new([0; LONGEST]);
    let mut buffer = [0; 128];
    loop {
        let count = METER.read(&mut buffer).await;
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
    let _ = writeln!(&CONSOLE, "{info}");
    board::exit(3)
}
