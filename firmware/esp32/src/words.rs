//! The last words of a run, in memory that outlives a reset.

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use heapless::String;

/// The longest that is kept.
const LONGEST: usize = 240;
/// Marks words that were written by this firmware.
const MARK: [u8; 4] = *b"MLW1";
/// The mark, the kind, the length and a checksum.
const HEAD: usize = 8;

/// What was left.
pub type Words = String<LONGEST>;

/// Why the run ended.
#[derive(Clone, Copy, PartialEq)]
pub enum End {
    /// The application asked for it.
    Asked,
    /// It panicked.
    Panic,
}

impl End {
    const fn code(self) -> u8 {
        match self {
            Self::Asked => b'a',
            Self::Panic => b'p',
        }
    }

    fn of(code: u8) -> Option<Self> {
        [Self::Asked, Self::Panic]
            .into_iter()
            .find(|end| end.code() == code)
    }
}

#[expect(unsafe_code, reason = "only a static can lie in this memory")]
mod kept {
    use super::{HEAD, LONGEST};

    pub type Bytes = [u8; HEAD + LONGEST];

    #[esp_hal::ram(unstable(rtc_fast, persistent))]
    static mut KEPT: Bytes = [0; HEAD + LONGEST];

    pub fn read() -> Bytes {
        // SAFETY: any bytes are valid, and nothing refers to them for longer than this copy takes.
        unsafe { (&raw const KEPT).read_volatile() }
    }

    pub fn write(bytes: Bytes) {
        // SAFETY: as above.
        unsafe { (&raw mut KEPT).write_volatile(bytes) }
    }
}

/// Leaves words for the next run.
pub fn leave(end: End, words: fmt::Arguments<'_>) {
    let mut text = Cut(Words::new());
    // What is too long is cut.
    let _ = text.write_fmt(words);
    let text = text.0;
    let mut bytes = [0; HEAD + LONGEST];
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    let sum = checksum(text.as_bytes());
    let head = MARK
        .into_iter()
        .chain([end.code(), length])
        .chain(sum.to_le_bytes());
    for (place, byte) in bytes.iter_mut().zip(head.chain(text.bytes())) {
        *place = byte;
    }
    kept::write(bytes);
}

/// The words of the run before. They are forgotten by this.
pub fn take() -> Option<(End, Words)> {
    let bytes = kept::read();
    kept::write([0; HEAD + LONGEST]);
    let (head, text) = bytes.split_first_chunk::<HEAD>()?;
    let [mark @ .., code, length, low, high] = head;
    if *mark != MARK {
        return None;
    }
    let text = text.get(..usize::from(*length))?;
    if checksum(text) != u16::from_le_bytes([*low, *high]) {
        return None;
    }
    let text = core::str::from_utf8(text).ok()?;
    Some((End::of(*code)?, Words::try_from(text).ok()?))
}

/// Fletcher's: a reset may come in the middle of a word.
fn checksum(bytes: &[u8]) -> u16 {
    let (mut low, mut high) = (0u16, 0u16);
    for byte in bytes {
        low = (low + u16::from(*byte)) % 255;
        high = (high + low) % 255;
    }
    high << 8 | low
}

/// Text that is cut where there is no more room.
struct Cut(Words);

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            self.0.push(character).map_err(|_| fmt::Error)?;
        }
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    leave(End::Panic, format_args!("{info}"));
    esp_hal::system::software_reset()
}
