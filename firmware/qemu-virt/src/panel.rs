//! QEMU's `ramfb`: memory that is shown as a picture, once QEMU has been told where it is.
//!
//! It is told through the machine's `fw_cfg` device, as in QEMU's `docs/specs/fw_cfg.rst`.

use crate::registers::{FIRMWARE_CONFIG, PANEL};
use crate::screen::{HEIGHT, WIDTH};

const DATA: usize = 0;
const SELECTOR: usize = 8;
const DMA_HIGH: usize = 16;
const DMA_LOW: usize = 20;

const DIRECTORY: u16 = 0x19;
const NAME: &[u8] = b"etc/ramfb\0";
/// Length of a name in the directory.
const NAME_ROOM: usize = 56;

const SELECT: u32 = 0x08;
const WRITE: u32 = 0x10;

/// `XR24`: a byte each for blue, green, red and nothing.
const FORMAT: u32 = 0x3432_5258;
const BYTES_A_POINT: usize = 4;

/// What QEMU reads, behind the points.
const COMMAND: usize = WIDTH * HEIGHT * BYTES_A_POINT;
const SETTINGS: usize = COMMAND + 16;

/// Lets QEMU show the memory; without such a device nothing happens.
pub fn start() {
    let Some(file) = find() else {
        return;
    };
    for point in 0..WIDTH * HEIGHT {
        PANEL.write(point * BYTES_A_POINT, 0u32);
    }
    let stride = WIDTH * BYTES_A_POINT;
    // All of it is big-endian; the upper half of an address is 0.
    let settings = [
        0,
        PANEL.address(),
        FORMAT as usize,
        0,
        WIDTH,
        HEIGHT,
        stride,
    ];
    put(SETTINGS, &settings);
    let length = settings.len() * 4;
    let control = u32::from(file) << 16 | SELECT | WRITE;
    put(
        COMMAND,
        &[control as usize, length, 0, PANEL.block(SETTINGS).address()],
    );
    FIRMWARE_CONFIG.write(DMA_HIGH, 0u32);
    let command = PANEL.block(COMMAND).address() as u32;
    FIRMWARE_CONFIG.write(DMA_LOW, command.to_be());
}

/// Lights a point, or not.
pub fn paint(x: usize, y: usize, light: u8) {
    let point = u32::from_le_bytes([light, light, light, 0]);
    PANEL.write((y * WIDTH + x) * BYTES_A_POINT, point);
}

fn put(offset: usize, words: &[usize]) {
    for (place, word) in words.iter().enumerate() {
        PANEL.write(offset + place * 4, (*word as u32).to_be());
    }
}

/// The number of the file that the settings go into.
fn find() -> Option<u16> {
    FIRMWARE_CONFIG.write(SELECTOR, DIRECTORY.to_be());
    let count = u32::from_be_bytes(read());
    (0..count).find_map(|_| {
        let _size: [u8; 4] = read();
        let [high, low, _, _] = read();
        let name: [u8; NAME_ROOM] = read();
        name.starts_with(NAME)
            .then(|| u16::from_be_bytes([high, low]))
    })
}

fn read<const N: usize>() -> [u8; N] {
    core::array::from_fn(|_| FIRMWARE_CONFIG.read(DATA))
}
