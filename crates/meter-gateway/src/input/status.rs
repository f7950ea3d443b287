use std::fmt;
use std::time::Duration;

use meter_core::ServerId;
use sml_wire::Counts;

use super::SignalQuality;

/// How an input is doing. Everything that a person or a metric wants to know of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// What it does.
    pub state: State,
    /// What is open, for people: `/dev/ttyUSB0 at 9600 8N1`.
    pub source: Option<String>,
    /// Server id of the meter that was read last.
    pub meter: Option<Box<[u8]>>,
    /// All bytes that came.
    pub bytes: u64,
    /// Readings that were found in them.
    pub readings: u64,
    /// Readings of another meter than the one that is to be read; they are not passed on.
    pub foreign: u64,
    /// How often the source was opened.
    pub opened: u64,
    /// Frames, and what was no frame, by cause.
    pub counts: Counts,
    /// How well the frames come through lately.
    pub quality: SignalQuality,
    /// When the last byte came, on the [monotonic](super::monotonic) clock.
    pub last_byte: Option<Duration>,
    /// When the last reading came, on the same clock.
    pub last_reading: Option<Duration>,
    /// When the reading loop last turned, on the clock that stands still while the machine sleeps
    /// ([`awake`](super::awake)). It turns every
    /// [`TURN`](super::TURN) at the least; a watchdog should be fed only while it does.
    pub turned: Duration,
}

impl Status {
    /// Takes in what the decoder has counted since the beginning.
    pub(super) fn note(&mut self, counts: Counts) {
        self.quality.note(&self.counts, &counts);
        self.counts = counts;
    }
}

/// What an input does.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum State {
    /// It is being opened for the first time, or again after a passing fault.
    #[default]
    Opening,
    /// It is open, and no reading has come yet.
    Listening,
    /// Readings come.
    Reading,
    /// No readings come, and somebody should look.
    Trouble(Trouble),
    /// The recording is at its end.
    Finished,
}

/// What is wrong with an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// One word for it, which does not change with its details.
    pub kind: &'static str,
    /// One line for a person: what is wrong and what to do.
    pub text: String,
    /// Since when, on the [monotonic](super::monotonic) clock.
    pub since: Duration,
}

/// A meter as it is called in what people read.
#[must_use]
pub fn called(server_id: &[u8]) -> String {
    if server_id.is_empty() {
        "a meter that sends no id".to_owned()
    } else {
        format!("meter {}", ServerId(server_id).meter_id())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::called;

    #[test]
    fn a_meter_without_an_id_is_no_gap_in_a_sentence() {
        assert_eq!(called(&[]), "a meter that sends no id");
        let emh = [0x0a, 1, b'E', b'M', b'H', 0, 0, 0xa1, 0xbd, 0x34];
        assert_eq!(called(&emh), "meter 1 EMH00 1059 9732");
    }
}
