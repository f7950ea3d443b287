//! A serial line whose bytes are taken by an interrupt, whatever else the processor does.
//!
//! A TLS handshake keeps the other tasks waiting for hundreds of milliseconds, and the chip itself
//! remembers 128 bytes: 133 ms at 9600 baud, 11 ms at 115 200.

use core::convert::Infallible;
use core::sync::atomic::{AtomicU32, Ordering};

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embedded_io_async::{ErrorType, Read};
use esp_hal::Blocking;
use esp_hal::uart::{Config, RxConfig, RxErrorKind, UartRx};

/// Bytes that the chip remembers; when they are too many, it forgets them all.
const FIFO: u32 = 128;
/// So many bytes wake the reader. The rest of the chip's memory lasts through an erase of flash, which
/// no interrupt may disturb.
const WAKE: u16 = 32;

/// Bytes between the interrupt and the application.
pub struct Line {
    pipe: Pipe<CriticalSectionRawMutex, 4096>,
    lost: AtomicU32,
}

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Self {
            pipe: Pipe::new(),
            lost: AtomicU32::new(0),
        }
    }

    /// Bytes that came when nobody had room for them.
    pub fn lost(&self) -> u32 {
        self.lost.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: &[u8]) {
        let taken = self.pipe.try_write(bytes).unwrap_or(0);
        self.lose(u32::try_from(bytes.len() - taken).unwrap_or(u32::MAX));
    }

    /// Only the line's own reader counts, and the chip may not be able to add in one step.
    fn lose(&self, bytes: u32) {
        self.lost
            .store(self.lost().saturating_add(bytes), Ordering::Relaxed);
    }
}

/// How a line is received: 8 data bits, no parity, 1 stop bit.
pub fn config(baud: u32) -> Config {
    let receive = RxConfig::default()
        .with_fifo_full_threshold(WAKE)
        // Noise is for the application to judge: it shows that there is light on the head.
        .with_discard_erroneous_bytes(false)
        .with_reported_errors(RxErrorKind::FifoOverflowed);
    Config::default().with_baudrate(baud).with_rx(receive)
}

/// Reads a port for ever. To be started where nothing can hold it up.
#[embassy_executor::task(pool_size = 2)]
pub async fn read(port: UartRx<'static, Blocking>, line: &'static Line) {
    let mut port = port.into_async();
    let mut bytes = [0; 64];
    loop {
        match port.read_async(&mut bytes).await {
            Ok(count) => line.take(bytes.get(..count).unwrap_or_default()),
            Err(_) => line.lose(FIFO),
        }
    }
}

/// The application's end of a line.
pub struct Reader(pub &'static Line);

impl ErrorType for Reader {
    type Error = Infallible;
}

impl Read for Reader {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.0.pipe.read(buffer).await)
    }
}
