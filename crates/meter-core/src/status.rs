//! The status word: bits that meters send beside their counters.

use crate::names::Conductor;

/// Which way energy flows through the meter as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the grid into the house.
    Import,
    /// From the house into the grid.
    Export,
}

impl Direction {
    /// The name used in payloads.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Export => "export",
        }
    }
}

/// A status word, of one of two layouts that share no bit.
///
/// | bits | "moderne Messeinrichtung" (mME), low byte 04 | EDL meters, any other low byte |
/// |---|---|---|
/// | 5 | | the sum is fed in |
/// | 10 | a cover was opened | |
/// | 11 | the sum is fed in | |
/// | 12, 13, 14 | L1, L2, L3 is fed in | |
/// | 15 | rotating field the wrong way round | |
///
/// The word of an mME is in Sagemcom's manual; bit 5 was found in recordings of EMH and ISKRA
/// meters, whose signed power agrees with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusWord(pub u64);

impl StatusWord {
    /// Whether the word has the layout of an mME.
    #[must_use]
    pub const fn is_mme(self) -> bool {
        self.0 & 0xff == 0x04
    }

    /// Which way the sum of the three conductors flows.
    #[must_use]
    pub const fn direction(self) -> Direction {
        let bit = if self.is_mme() { 11 } else { 5 };
        if self.bit(bit) {
            Direction::Export
        } else {
            Direction::Import
        }
    }

    /// Which way one conductor flows; `None` where the word does not tell.
    #[must_use]
    pub const fn direction_of(self, conductor: Conductor) -> Option<Direction> {
        let bit = match conductor {
            Conductor::Sum => return Some(self.direction()),
            Conductor::L1 => 12,
            Conductor::L2 => 13,
            Conductor::L3 => 14,
        };
        match (self.is_mme(), self.bit(bit)) {
            (false, _) => None,
            (true, true) => Some(Direction::Export),
            (true, false) => Some(Direction::Import),
        }
    }

    /// Whether an mME says that its cover was opened.
    #[must_use]
    pub const fn cover_was_opened(self) -> bool {
        self.is_mme() && self.bit(10)
    }

    /// Whether an mME says that its conductors are connected in the wrong order.
    #[must_use]
    pub const fn wrong_field(self) -> bool {
        self.is_mme() && self.bit(15)
    }

    const fn bit(self, bit: u32) -> bool {
        self.0 >> bit & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_of_recorded_words() {
        for (word, direction) in [
            (0x0182, Direction::Import),      // EMH ED300L
            (0x01b0, Direction::Export),      // EMH ED300L, delivering
            (0x0001_01a2, Direction::Export), // ISKRA MT175
            (0x001c_0104, Direction::Import), // EMH mME40
            (0x001c_0004, Direction::Import), // DZG DVS7420
            (0x001c_7904, Direction::Export), // DZG DWSB20
            (0x80, Direction::Import),        // EasyMeter Q3A
        ] {
            assert_eq!(StatusWord(word).direction(), direction, "{word:#x}");
        }
    }

    #[test]
    fn conductors_only_where_the_word_tells() {
        let word = StatusWord(0x001c_2104);
        assert_eq!(word.direction_of(Conductor::L1), Some(Direction::Import));
        assert_eq!(word.direction_of(Conductor::L2), Some(Direction::Export));
        assert_eq!(word.direction_of(Conductor::Sum), Some(Direction::Import));
        assert_eq!(StatusWord(0x0182).direction_of(Conductor::L1), None);
    }

    #[test]
    fn flags_of_an_mme_only() {
        assert!(StatusWord(0x0404).cover_was_opened() && StatusWord(0x8004).wrong_field());
        assert!(!StatusWord(0x8482).cover_was_opened() && !StatusWord(0x8482).wrong_field());
    }
}
