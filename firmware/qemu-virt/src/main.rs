//! The device on QEMU's board `virt`: the parts of the board, handed to the application.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use meter_core::UnixMillis;
use meter_device::app;
use meterline_qemu_virt::{CONSOLE, METER, QemuVirt, Time, exit, say, start};

/// Sectors of 4 KiB for the settings, the ring and the outbox: 384 KiB, as on a chip with 4 MB.
const SETTINGS: u32 = 4;
const RING: u32 = 4;
const OUTBOX: usize = 88;

#[embassy_executor::main(entry = "riscv_rt::entry")]
async fn main(spawner: Spawner) {
    let board = start(spawner);
    let outbox = u32::try_from(OUTBOX).unwrap_or(0);
    let parts = (
        board.flash.part(0, SETTINGS),
        board.flash.part(SETTINGS, RING),
        board.flash.part(SETTINGS + RING, outbox),
    );
    let (Some(settings), Some(ring), Some(outbox)) = parts else {
        say(format_args!("the flash has less than 384 KiB"));
        exit(1)
    };
    let parts = app::Parts::<QemuVirt> {
        time: Time,
        radio: board.radio,
        network: board.network,
        settings,
        ring,
        outbox,
        head: &METER,
        keyboard: &CONSOLE,
        paper: &CONSOLE,
        screen: board.screen,
        chip: board.chip,
        built: UnixMillis(built()),
        version: env!("CARGO_PKG_VERSION"),
    };
    app::run::<QemuVirt, OUTBOX>(parts).await;
    exit(0)
}

/// When it was built, in milliseconds since 1970.
fn built() -> i64 {
    env!("METERLINE_BUILT").parse().unwrap_or(0)
}
