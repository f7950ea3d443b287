//! Counts instructions: of a telegram, a handshake and a delivery, with the application's own parts.
//!
//! QEMU's `-icount shift=3` makes time out of instructions, 8 ns each, and `mcycle` tells it. A task that
//! is always ready sees how long it waits for its turn: whatever goes beyond the least is work of others,
//! of tasks and of interrupts alike. Waiting for the other side is no work.
//!
//! Commands are as in [`trial`](../trial/index.html): words between `|`.

#![no_std]
#![no_main]

use core::future::poll_fn;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Poll;

use embassy_executor::Spawner;
use embassy_time::{Instant, Timer};
use embedded_io_async::Read as _;
use heapless::Vec;
use meter_core::clock::Stamp;
use meter_core::{Guard, Reading, ReducedDetector, ServerId, Stamped, UnixMillis};
use meter_device::board::{Network as _, Radio as _, Security, Server};
use meter_device::format::Format;
use meter_device::outbox::{Options, Outbox};
use meter_device::rest::{Target, post};
use meter_device::url::Url;
use riscv::register::mcycle;
use sml_wire::{Body, Decoder, Event};

use meterline_qemu_virt::{CONSOLE, METER, Part, Parts, Time, exit, say, start};

/// As the application has them.
const SECTORS: usize = 88;
const WAITING: usize = 12 * 1024;
const LONGEST_TELEGRAM: usize = 2048;
const LONGEST_BODY: usize = 1280;
const REQUEST: usize = 8 * 1024;

/// `-icount shift=3`.
const NANOSECONDS: u64 = 8;

/// Instructions of work so far.
static WORK: AtomicU32 = AtomicU32::new(0);

type Body1280 = Vec<u8, LONGEST_BODY>;

#[embassy_executor::main(entry = "riscv_rt::entry")]
async fn main(spawner: Spawner) {
    let parts = start(spawner);
    match account() {
        Ok(token) => spawner.spawn(token),
        Err(_) => exit(2),
    }
    say(format_args!(
        "meterline {} on qemu-virt",
        env!("CARGO_PKG_VERSION")
    ));
    let mut bench = Bench {
        parts,
        authority: Vec::new(),
        body: Vec::new(),
    };
    obey(&mut bench).await
}

/// Keeps account of what the others do.
#[embassy_executor::task]
async fn account() {
    let mut last = None;
    let mut least = u32::MAX;
    poll_fn(|cx| {
        let now = mcycle::read64();
        let turn = last.map_or(u64::MAX, |last| now - last) / NANOSECONDS;
        let turn = u32::try_from(turn).unwrap_or(u32::MAX);
        last = Some(now);
        least = least.min(turn);
        // An idle turn may take a few instructions more than the least: they are nobody's.
        if turn > least.saturating_mul(2) {
            WORK.fetch_add(turn - least, Ordering::Relaxed);
        }
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })
    .await;
}

struct Bench {
    parts: Parts,
    authority: Vec<u8, 2048>,
    /// The newest reading.
    body: Body1280,
}

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
        "ca" => {
            bench.authority.clear();
            for pair in next().as_bytes().chunks(2) {
                let pair = core::str::from_utf8(pair).unwrap_or("");
                let _ = bench
                    .authority
                    .push(u8::from_str_radix(pair, 16).unwrap_or(0));
            }
            say(format_args!("ca of {} bytes", bench.authority.len()));
        }
        "join" => {
            let joined = bench.parts.radio.join(next(), next(), "meterline").await;
            say(format_args!("joined {}", joined.is_ok()));
        }
        "telegrams" => telegrams(bench, next().parse().unwrap_or(0)).await,
        "deliver" => deliver(bench, next(), next(), next()).await,
        _ => say(format_args!("there is no {word}")),
    }
}

/// `telegrams|COUNT`: from the first byte to the reading in the outbox, so many times.
async fn telegrams(bench: &mut Bench, count: u32) {
    let Some(flash) = bench.parts.flash.part(8, 88) else {
        return say(format_args!("no flash"));
    };
    let Ok((mut outbox, _)) =
        Outbox::<Part, SECTORS, WAITING>::open(flash, Options::default()).await
    else {
        return say(format_args!("no outbox"));
    };
    let mut guard = Guard::new(meter_core::GuardConfig::default());
    let mut reduced = ReducedDetector::default();
    let mut decoder = Decoder::new([0; LONGEST_TELEGRAM]);
    let mut buffer = [0; 128];
    let mut head = &METER;
    say(format_args!("ready"));
    for _ in 0..count {
        let before = WORK.load(Ordering::Relaxed);
        let mut stored = false;
        while !stored {
            let Ok(count) = head.read(&mut buffer).await;
            let mut input = buffer.get(..count).unwrap_or_default();
            while let Some(event) = decoder.next(&mut input) {
                let Event::Frame(frame) = event else {
                    continue;
                };
                for message in frame.file().messages().flatten() {
                    if let (true, Body::GetListRes(list)) = (message.intact(), message.body) {
                        let reading = Reading::new(list);
                        stored = keep(
                            &mut outbox,
                            &mut guard,
                            &mut reduced,
                            &reading,
                            &mut bench.body,
                        )
                        .await;
                    }
                }
            }
        }
        said("telegram", before).await;
        if outbox.ack(now(), u32::MAX).await.is_err() {
            say(format_args!("no acknowledgement"));
        }
    }
    say(format_args!("done"));
}

/// What the application does with a reading.
async fn keep(
    outbox: &mut Outbox<Part, SECTORS, WAITING>,
    guard: &mut Guard,
    reduced: &mut ReducedDetector,
    reading: &Reading<'_>,
    body: &mut Body1280,
) -> bool {
    if guard.check(reading, now()).is_err() {
        return false;
    }
    reduced.observe(reading);
    body.clear();
    if body.resize_default(LONGEST_BODY).is_err() {
        return false;
    }
    let length = reading.emit(body).map_or(0, |emitted| emitted.len());
    body.truncate(length);
    let meter = ServerId(reading.server_id().0);
    let stamp = Stamp::Utc(UnixMillis(1_800_000_000_000));
    outbox.push(now(), meter, stamp, body).await.is_ok()
}

/// `deliver|HOST|PORT|COUNT`: connects, and posts the newest reading so many times.
async fn deliver(bench: &mut Bench, host: &str, port: &str, count: &str) {
    let Ok(reading) = Reading::from_bytes(&bench.body) else {
        return say(format_args!("no reading yet"));
    };
    let time = UnixMillis(1_800_000_000_000);
    let server = Server {
        host,
        port: port.parse().unwrap_or(443),
        security: Security::Tls {
            authority: Some(&bench.authority),
        },
    };
    let mut url = heapless::String::<64>::new();
    let _ = core::fmt::write(&mut url, format_args!("https://{host}:{port}/readings"));
    let Ok(url) = Url::parse(&url) else {
        return say(format_args!("no URL"));
    };
    let target = Target {
        url,
        format: Format::Json,
        authorization: None,
        agent: "meterline",
        event: None,
    };
    let before = WORK.load(Ordering::Relaxed);
    let mut connection = match bench.parts.network.connect(&server, time).await {
        Ok(connection) => connection,
        Err(error) => return say(format_args!("refused: {error}")),
    };
    said("handshake", before).await;
    let mut buffer = [0; REQUEST];
    for _ in 0..count.parse().unwrap_or(1) {
        let before = WORK.load(Ordering::Relaxed);
        let readings = [Stamped { time, reading }];
        match post(&mut connection, &Time, &target, &readings, &mut buffer).await {
            Ok(posted) if posted.reusable => said("delivery", before).await,
            other => return say(format_args!("broken: {other:?}")),
        }
    }
    drop(connection);
    say(format_args!("done"));
}

/// Says how much work it was. Acknowledgements and the accountant get their turn first.
async fn said(what: &str, before: u32) {
    Timer::after_millis(5).await;
    let work = WORK.load(Ordering::Relaxed).wrapping_sub(before);
    say(format_args!("{what} {work}"));
    Timer::after_millis(5).await;
}

fn now() -> core::time::Duration {
    core::time::Duration::from_micros(Instant::now().as_micros())
}
