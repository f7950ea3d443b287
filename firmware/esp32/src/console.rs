//! The console: the chip's own USB port, or a serial port behind a bridge.

#[cfg(console = "uart")]
pub use uart::{Keyboard, Paper};
#[cfg(console = "usb")]
pub use usb::{Keyboard, Paper};

#[cfg(console = "usb")]
mod usb {
    use core::convert::Infallible;

    use embassy_time::{Duration, Instant, Timer};
    use embedded_io_async::{ErrorType, Read, Write};
    use esp_hal::Async;
    use esp_hal::usb::usb_serial_jtag::{UsbSerialJtagRx, UsbSerialJtagTx};

    /// A computer that listens takes 64 bytes each millisecond.
    const PATIENCE: Duration = Duration::from_millis(50);

    /// What is typed. The computer waits when nobody reads, so that nothing is lost.
    pub struct Keyboard(pub UsbSerialJtagRx<'static, Async>);

    impl ErrorType for Keyboard {
        type Error = Infallible;
    }

    impl Read for Keyboard {
        async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
            Ok(self.0.read(buffer).await.unwrap_or(0))
        }
    }

    /// What is said, as long as somebody listens: without a computer, the port would wait for ever.
    pub struct Paper {
        port: UsbSerialJtagTx<'static, Async>,
        heard: bool,
    }

    impl Paper {
        /// Nobody is known to listen.
        pub fn new(port: UsbSerialJtagTx<'static, Async>) -> Self {
            Self { port, heard: true }
        }

        async fn put(&mut self, byte: u8) -> bool {
            let start = Instant::now();
            while self.port.write_byte_nb(byte).is_err() {
                if !self.heard || start.elapsed() > PATIENCE {
                    return false;
                }
                Timer::after_millis(1).await;
            }
            true
        }
    }

    impl ErrorType for Paper {
        type Error = Infallible;
    }

    impl Write for Paper {
        async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
            for byte in bytes {
                self.heard = self.put(*byte).await;
                if !self.heard {
                    break;
                }
            }
            Ok(bytes.len())
        }

        async fn flush(&mut self) -> Result<(), Infallible> {
            // What cannot go now goes with the next bytes.
            let _ = self.port.flush_tx_nb();
            Ok(())
        }
    }
}

#[cfg(console = "uart")]
mod uart {
    use core::convert::Infallible;

    use embedded_io_async::{ErrorType, Write};
    use esp_hal::Async;
    use esp_hal::uart::UartTx;

    /// What is typed.
    pub type Keyboard = crate::line::Reader;

    /// What is said.
    pub struct Paper(pub UartTx<'static, Async>);

    impl ErrorType for Paper {
        type Error = Infallible;
    }

    impl Write for Paper {
        async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
            // A serial port has no way to fail.
            Ok(self.0.write_async(bytes).await.unwrap_or(bytes.len()))
        }

        async fn flush(&mut self) -> Result<(), Infallible> {
            let _ = self.0.flush_async().await;
            Ok(())
        }
    }
}
