//! What a delivery looks like.

use core::fmt::{self, Write};

use meter_core::{Stamped, payload};
use serde::{Deserialize, Serialize};

/// What a body looks like. The texts are those of [`meter_core::payload`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `ThingsBoard`'s telemetry with time stamps.
    #[default]
    Thingsboard,
    /// The JSON of the predecessor, one reading at a time and without a time.
    Classic,
    /// Every register exactly, as documented by its JSON Schema.
    Json,
}

impl Format {
    /// Its name in the settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Thingsboard => "thingsboard",
            Self::Classic => "classic",
            Self::Json => "json",
        }
    }

    /// Whether one body can hold several readings.
    #[must_use]
    pub const fn batches(self) -> bool {
        !matches!(self, Self::Classic)
    }

    /// Writes readings; of those in a format that holds one, the first.
    pub fn write(self, readings: &[Stamped<'_>], out: &mut impl Write) -> fmt::Result {
        match self {
            Self::Thingsboard => payload::thingsboard(readings, out),
            Self::Classic => readings
                .first()
                .map_or(Ok(()), |reading| payload::classic(reading, out)),
            Self::Json => payload::json(readings, out),
        }
    }

    /// How many bytes [`write`](Self::write) writes.
    #[must_use]
    pub fn length(self, readings: &[Stamped<'_>]) -> usize {
        let mut count = Count(0);
        // Counting cannot fail.
        let _ = self.write(readings, &mut count);
        count.0
    }

    /// How many of the readings, from the first on, can be written into `room` bytes at once.
    #[must_use]
    pub fn fitting(self, readings: &[Stamped<'_>], room: usize) -> usize {
        let most = if self.batches() { readings.len() } else { 1 };
        let mut length = 0_usize;
        let mut count = 0;
        for reading in readings.iter().take(most) {
            length += self.length(core::slice::from_ref(reading));
            // Several are an array: its brackets, and a comma between two.
            let around = if count == 0 { 0 } else { count + 2 };
            if length + around > room {
                break;
            }
            count += 1;
        }
        count
    }
}

/// Counts what would be written.
pub(crate) struct Count(pub(crate) usize);

impl Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// Writes into a buffer, and fails when it is full.
pub(crate) struct Fill<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

impl<'b> Fill<'b> {
    pub(crate) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// What was written.
    pub(crate) fn finish(self) -> &'b mut [u8] {
        self.buffer.get_mut(..self.length).unwrap_or_default()
    }
}

impl Write for Fill<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.buffer.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_to_the_last_byte_and_no_further() {
        let mut buffer = [0; 5];
        let mut fill = Fill::new(&mut buffer);
        assert!(fill.write_str("ab").is_ok());
        assert!(fill.write_str("cdef").is_err());
        assert!(fill.write_str("cde").is_ok());
        assert_eq!(fill.finish(), b"abcde");
    }
}
