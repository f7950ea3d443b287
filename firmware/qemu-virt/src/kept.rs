//! What a run leaves behind for the next one, in memory that a reset does not clear.

use core::fmt::{self, Write};

use heapless::String;
use meter_device::board::Start;

use crate::registers::KEPT;

const MARK: usize = 0;
const CAUSE: usize = 4;
const LENGTH: usize = 8;
const TEXT: usize = 12;

const WRITTEN: u32 = 0x6c61_7374;

/// The longest last words.
pub const LONGEST: usize = 240;

/// What the run before has left behind.
pub struct Kept {
    /// Why there is a new one.
    pub start: Start,
    /// Its last words.
    pub words: String<LONGEST>,
}

/// Takes what was left behind: the next one finds nothing.
pub fn take() -> Kept {
    let mut kept = Kept {
        start: Start::Power,
        words: String::new(),
    };
    if KEPT.read::<u32>(MARK) != WRITTEN {
        return kept;
    }
    KEPT.write(MARK, 0u32);
    kept.start = match KEPT.read::<u32>(CAUSE) {
        1 => Start::Asked,
        2 => Start::Panic,
        3 => Start::Watchdog,
        _ => Start::Power,
    };
    let length = (KEPT.read::<u32>(LENGTH) as usize).min(LONGEST);
    for place in 0..length {
        let byte: u8 = KEPT.read(TEXT + place);
        // Only ASCII is written, and it is as long as the room.
        let _ = kept.words.push(char::from(byte));
    }
    kept
}

/// Leaves something behind.
pub fn leave(start: Start, words: fmt::Arguments<'_>) {
    let cause: u32 = match start {
        Start::Power | Start::BrownOut => 0,
        Start::Asked => 1,
        Start::Panic => 2,
        Start::Watchdog => 3,
    };
    let mut writer = Writer(0);
    // What is too long is cut.
    let _ = writer.write_fmt(words);
    KEPT.write(CAUSE, cause);
    KEPT.write(LENGTH, writer.0 as u32);
    KEPT.write(MARK, WRITTEN);
}

/// Writes straight into the memory: there may be neither heap nor stack to spare.
struct Writer(usize);

impl Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.0 == LONGEST {
                return Err(fmt::Error);
            }
            let byte = if byte.is_ascii() { byte } else { b'?' };
            KEPT.write(TEXT + self.0, byte);
            self.0 += 1;
        }
        Ok(())
    }
}
