//! Each part of the board, tried from the console: what the meter says as one line of JSON for each
//! reading, and a command for every other part.

#![no_std]
#![no_main]

extern crate alloc;

use core::fmt::Write as _;

use embassy_executor::Spawner;
use embassy_time::Instant;
use embedded_graphics::Drawable as _;
use embedded_graphics::geometry::Point;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::primitives::{Circle, Primitive as _, PrimitiveStyle};
use embedded_io_async::{Read as _, Write as _};
use embedded_storage_async::nor_flash::{NorFlash as _, ReadNorFlash as _};
use meter_core::{Reading, Stamped, UnixMillis, payload};
use meter_device::board::{Chip as _, Network as _, Radio as _, Screen as _, Security, Server};
use meter_screens::Brightness;
use sml_wire::{Body, Decoder, Event};

use meterline_qemu_virt::{CONSOLE, METER, Parts, exit, say, start};

/// The longest telegram that is taken: the longest that is known has less than 700 bytes.
const LONGEST: usize = 2048;

#[embassy_executor::main(entry = "riscv_rt::entry")]
async fn main(spawner: Spawner) {
    let parts = start(spawner);
    say(format_args!(
        "meterline {} on qemu-virt",
        env!("CARGO_PKG_VERSION")
    ));
    match read_meter() {
        Ok(token) => spawner.spawn(token),
        Err(_) => exit(2),
    }
    let mut bench = Bench {
        parts,
        authority: heapless::Vec::new(),
    };
    obey(&mut bench).await
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
    say(format_args!(""));
}

/// All that there is to try.
struct Bench {
    parts: Parts,
    authority: heapless::Vec<u8, 2048>,
}

/// Does what the console says, until it says `exit`.
async fn obey(bench: &mut Bench) -> ! {
    let mut line = heapless::String::<4200>::new();
    let mut console = &CONSOLE;
    loop {
        let mut byte = [0];
        let Ok(_) = console.read(&mut byte).await;
        if byte == *b"\n" {
            perform(bench, &line).await;
            line.clear();
        } else {
            // A line that is too long is cut.
            let _ = line.push(char::from(byte[0]));
        }
    }
}

async fn perform(bench: &mut Bench, line: &str) {
    let mut words = line.split('|');
    let word = words.next().unwrap_or("");
    let mut next = || words.next().unwrap_or("");
    match word {
        "exit" => exit(0),
        "info" => say(format_args!(
            "up {} ms, {} bytes lost, {:?}",
            Instant::now().as_millis(),
            bench.parts.chip.overrun(),
            bench.parts.chip.memory()
        )),
        "words" => say(format_args!("{:?}", bench.parts.chip.last_words())),
        "panic" => panic!("as asked"),
        "feed" => bench.parts.chip.feed(),
        "hang" => loop {
            core::hint::spin_loop();
        },
        "restart" => bench.parts.chip.restart(),
        "join" => join(bench, next(), next()).await,
        "lost" => {
            bench.parts.radio.lost().await;
            say(format_args!("lost"));
        }
        "time" => match bench.parts.network.ask_time(next()).await {
            Ok(time) => say(format_args!("time {time} ({})", time.0)),
            Err(error) => say(format_args!("time: {error}")),
        },
        "ca" => {
            bench.authority.clear();
            let hex = next();
            for pair in hex.as_bytes().chunks(2) {
                let pair = core::str::from_utf8(pair).unwrap_or("");
                let _ = bench
                    .authority
                    .push(u8::from_str_radix(pair, 16).unwrap_or(0));
            }
            say(format_args!("ca of {} bytes", bench.authority.len()));
        }
        "get" => get(bench, next(), next(), next(), next()).await,
        "eat" => {
            let bytes = next().parse().unwrap_or(0);
            core::mem::forget(alloc::vec::Vec::<u8>::with_capacity(bytes));
            say(format_args!("{:?}", bench.parts.chip.memory()));
        }
        "flash" => try_flash(bench).await,
        "screen" => {
            let style = PrimitiveStyle::with_stroke(BinaryColor::On, 3);
            let circle = Circle::new(Point::new(40, 8), 48).into_styled(style);
            let _ = circle.draw(bench.parts.screen.canvas());
            bench.parts.screen.show(Brightness::Full).await;
            say(format_args!("shown"));
        }
        "button" => {
            bench.parts.screen.pressed().await;
            say(format_args!("pressed"));
        }
        _ => say(format_args!("known are: info, exit")),
    }
}

async fn join(bench: &mut Bench, ssid: &str, password: &str) {
    let begin = Instant::now();
    match bench.parts.radio.join(ssid, password, "meterline").await {
        Ok(joined) => say(format_args!(
            "joined {} in {} ms",
            joined.address,
            begin.elapsed().as_millis()
        )),
        Err(error) => say(format_args!("{ssid} {error}")),
    }
}

/// `get|SECURITY|HOST|PORT|TIME`: security is plain, public or private.
async fn get(bench: &mut Bench, security: &str, host: &str, port: &str, time: &str) {
    let server = Server {
        host,
        port: port.parse().unwrap_or(443),
        security: match security {
            "plain" => Security::Plain,
            "private" => Security::Tls {
                authority: Some(&bench.authority),
            },
            _ => Security::Tls { authority: None },
        },
    };
    let begin = Instant::now();
    let mut connection = match bench
        .parts
        .network
        .connect(&server, UnixMillis(time.parse().unwrap_or(0)))
        .await
    {
        Ok(connection) => connection,
        Err(error) => return say(format_args!("refused: {error:?}: {error}")),
    };
    say(format_args!(
        "open after {} ms",
        begin.elapsed().as_millis()
    ));
    let mut request = heapless::String::<256>::new();
    let _ = write!(request, "GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    if let Err(error) = connection.write_all(request.as_bytes()).await {
        return say(format_args!("broken: {error}"));
    }
    let mut answer = [0; 512];
    match connection.read(&mut answer).await {
        Ok(count) => {
            let text = core::str::from_utf8(answer.get(..count).unwrap_or(&[])).unwrap_or("?");
            say(format_args!("answer of {count}: {:?}", text.lines().next()));
        }
        Err(error) => say(format_args!("broken: {error}")),
    }
    say(format_args!("{:?}", bench.parts.chip.memory()));
}

async fn try_flash(bench: &mut Bench) {
    let Some(mut part) = bench.parts.flash.part(0, 2) else {
        return say(format_args!("no flash"));
    };
    let mut before = [0; 4];
    let read = part.read(4096, &mut before).await;
    let erased = part.erase(4096, 8192).await;
    let written = part.write(4096, &[1, 2, 3, 4]).await;
    let again = part.write(4096, &[1, 2, 3, 5]).await;
    say(format_args!(
        "flash {read:?} {before:?} {erased:?} {written:?} {again:?}"
    ));
}
