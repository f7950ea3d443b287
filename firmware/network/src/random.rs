//! Numbers that nobody can guess, from the board.

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use static_cell::StaticCell;

/// Fills a buffer with numbers that nobody can guess.
pub type Fill = fn(&mut [u8]);

/// The board's source as the libraries want it.
pub struct Random(Fill);

impl Random {
    /// The one that TLS draws from. There is only one.
    pub fn of(fill: Fill) -> Option<&'static mut Self> {
        static RANDOM: StaticCell<Random> = StaticCell::new();
        Some(RANDOM.try_uninit()?.write(Self(fill)))
    }
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        (self.0)(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        (self.0)(buffer);
        Ok(())
    }
}

impl TryCryptoRng for Random {}
