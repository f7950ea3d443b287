//! Each driver, tried by hand from the console until the application takes the board over.

use core::fmt::Write as _;

use embassy_time::Instant;
use embedded_graphics::Drawable as _;
use embedded_graphics::geometry::Point;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::primitives::{Circle, Primitive as _, PrimitiveStyle};
use embedded_io_async::{Read as _, Write as _};
use embedded_storage_async::nor_flash::{NorFlash as _, ReadNorFlash as _};
use meter_core::UnixMillis;
use meter_device::board::{Chip as _, Network as _, Radio as _, Screen as _, Security, Server};
use meter_screens::Brightness;

use crate::board::{self, CONSOLE};
use crate::chip::Chip;
use crate::flash::Flash;
use crate::radio::Radio;
use crate::say;
use crate::screen::Screen;
use device_network::Net;

/// All that there is to try.
pub struct Bench {
    pub chip: Chip,
    pub screen: Screen,
    pub flash: Option<Flash>,
    pub network: Option<(Radio, Net)>,
    pub authority: heapless::Vec<u8, 2048>,
}

/// Does what the console says, until it says `exit`.
pub async fn obey(bench: &mut Bench) -> ! {
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
        "exit" => board::exit(0),
        "info" => say(format_args!(
            "up {} ms, {} bytes lost, {:?}",
            Instant::now().as_millis(),
            bench.chip.overrun(),
            bench.chip.memory()
        )),
        "words" => say(format_args!("{:?}", bench.chip.last_words())),
        "panic" => panic!("as asked"),
        "feed" => bench.chip.feed(),
        "hang" => loop {
            core::hint::spin_loop();
        },
        "restart" => bench.chip.restart(),
        "join" => join(bench, next(), next()).await,
        "lost" => {
            if let Some((radio, _)) = &mut bench.network {
                radio.lost().await;
                say(format_args!("lost"));
            }
        }
        "time" => {
            if let Some((_, net)) = &bench.network {
                match net.ask_time(next()).await {
                    Ok(time) => say(format_args!("time {time} ({})", time.0)),
                    Err(error) => say(format_args!("time: {error}")),
                }
            }
        }
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
            say(format_args!("{:?}", bench.chip.memory()));
        }
        "flash" => try_flash(bench).await,
        "screen" => {
            let style = PrimitiveStyle::with_stroke(BinaryColor::On, 3);
            let circle = Circle::new(Point::new(40, 8), 48).into_styled(style);
            let _ = circle.draw(bench.screen.canvas());
            bench.screen.show(Brightness::Full).await;
            say(format_args!("shown"));
        }
        "button" => {
            bench.screen.pressed().await;
            say(format_args!("pressed"));
        }
        _ => say(format_args!("known are: info, exit")),
    }
}

async fn join(bench: &mut Bench, ssid: &str, password: &str) {
    let Some((radio, _)) = &mut bench.network else {
        return say(format_args!("no network"));
    };
    let begin = Instant::now();
    match radio.join(ssid, password, "meterline").await {
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
    let Some((_, net)) = &bench.network else {
        return say(format_args!("no network"));
    };
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
    let mut connection = match net
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
    say(format_args!("{:?}", bench.chip.memory()));
}

async fn try_flash(bench: &mut Bench) {
    let Some(mut part) = bench.flash.and_then(|flash| flash.part(0, 2)) else {
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
