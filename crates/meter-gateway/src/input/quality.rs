//! How well a line is read.

use sml_wire::Counts;

use super::telegrams::broken;

/// So many frames count, the newest ones: two minutes of a meter that sends every second.
const WINDOW: u32 = 100;

/// How many of the last hundred frames of a line were good. Bytes between frames do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignalQuality {
    /// A bit for each frame, set for a good one; the newest is the lowest.
    good: u128,
    frames: u32,
}

impl SignalQuality {
    /// In hundredths; `None` before the first frame.
    #[must_use]
    pub fn percent(self) -> Option<u32> {
        (100 * self.good.count_ones()).checked_div(self.frames)
    }

    /// Takes in what a decoder has counted since `before`.
    pub(super) fn note(&mut self, before: &Counts, now: &Counts) {
        self.push(broken(now).saturating_sub(broken(before)), 0);
        self.push(now.frames.saturating_sub(before.frames), 1);
    }

    fn push(&mut self, frames: u64, good: u128) {
        for _ in 0..frames.min(WINDOW.into()) {
            self.good = (self.good << 1 | good) & ((1 << WINDOW) - 1);
            self.frames = (self.frames + 1).min(WINDOW);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hundred_frames_count() {
        let mut quality = SignalQuality::default();
        assert_eq!(quality.percent(), None);
        let mut before = Counts::default();
        let mut after = |frames, crc, cut| {
            let now = Counts {
                frames: before.frames + frames,
                crc: before.crc + crc,
                cut: before.cut + cut,
                ..before
            };
            quality.note(&before, &now);
            before = now;
            quality.percent()
        };
        assert_eq!(after(1, 0, 0), Some(100));
        assert_eq!(after(1, 1, 1), Some(50));
        assert_eq!(after(0, 0, 0), Some(50));
        assert_eq!(after(96, 0, 0), Some(98));
        assert_eq!(after(1, 0, 0), Some(98));
        assert_eq!(after(0, 100, 0), Some(0));
        assert_eq!(after(1_000_000, 0, 0), Some(100));
        assert_eq!(after(0, 7, 0), Some(93));
    }
}
