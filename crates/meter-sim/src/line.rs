//! The line between a meter and its reader, with the faults that real lines have.

use std::time::Duration;

use crate::dice::Dice;

/// How likely each fault is: a probability for each telegram or for each byte, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// Before a telegram: up to 40 bytes of noise.
    pub noise_between: f64,
    /// After each byte: up to 4 bytes of noise.
    pub noise_inside: f64,
    /// Each byte: it is lost.
    pub lost: f64,
    /// Each byte: it arrives twice.
    pub doubled: f64,
    /// Each byte: one of its bits is flipped.
    pub flipped: f64,
    /// Each telegram: it begins late or ends early, anywhere.
    pub cut: f64,
    /// After a telegram: the line is dead for a while.
    pub silence: f64,
    /// How long it is dead.
    pub silence_for: Duration,
    /// Whatever the reader sends comes back, as with an optical head that sees its own light.
    pub echo: bool,
}

impl Faults {
    /// A line without faults.
    pub const NONE: Self = Self {
        noise_between: 0.0,
        noise_inside: 0.0,
        lost: 0.0,
        doubled: 0.0,
        flipped: 0.0,
        cut: 0.0,
        silence: 0.0,
        silence_for: Duration::from_secs(10),
        echo: false,
    };

    /// A head that sits badly: about one telegram in four is damaged in some way.
    pub const POOR: Self = Self {
        noise_between: 0.2,
        noise_inside: 0.0001,
        lost: 0.0002,
        doubled: 0.0001,
        flipped: 0.0003,
        cut: 0.03,
        silence: 0.002,
        ..Self::NONE
    };
}

impl Default for Faults {
    fn default() -> Self {
        Self::NONE
    }
}

/// A line with chance of its own: the same seed damages the same telegrams in the same way.
#[derive(Debug, Clone)]
pub struct Line {
    faults: Faults,
    dice: Dice,
}

/// What comes out at the reader's end for one telegram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The bytes, noise included.
    pub bytes: Vec<u8>,
    /// Whether the telegram itself is in them, unchanged and in one piece.
    pub intact: bool,
    /// How long the line is dead after them.
    pub silence: Option<Duration>,
}

impl Line {
    /// A line with these faults.
    #[must_use]
    pub fn new(faults: Faults, seed: u64) -> Self {
        Self {
            faults,
            dice: Dice::new(seed, 3),
        }
    }

    /// The faults it was made with.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Sends one telegram through the line.
    pub fn pass(&mut self, telegram: &[u8]) -> Passed {
        let faults = self.faults;
        let mut bytes = Vec::with_capacity(telegram.len() + 48);
        if self.dice.chance(faults.noise_between) {
            self.noise(&mut bytes, 40);
        }
        let sent = self.cut(telegram);
        for byte in sent {
            self.byte(*byte, &mut bytes);
        }
        let silence = self
            .dice
            .chance(faults.silence)
            .then_some(faults.silence_for);
        Passed {
            intact: bytes
                .windows(telegram.len().max(1))
                .any(|window| window == telegram),
            bytes,
            silence,
        }
    }

    fn cut<'t>(&mut self, telegram: &'t [u8]) -> &'t [u8] {
        if !self.dice.chance(self.faults.cut) {
            return telegram;
        }
        let length = u64::try_from(telegram.len()).unwrap_or_default();
        let at = usize::try_from(self.dice.below(length)).unwrap_or_default();
        let (head, tail) = telegram.split_at(at);
        if self.dice.chance(0.5) { head } else { tail }
    }

    fn byte(&mut self, byte: u8, bytes: &mut Vec<u8>) {
        let faults = self.faults;
        if self.dice.chance(faults.lost) {
            return;
        }
        let bit = if self.dice.chance(faults.flipped) {
            1 << self.dice.below(8)
        } else {
            0
        };
        bytes.push(byte ^ bit);
        if self.dice.chance(faults.doubled) {
            bytes.push(byte ^ bit);
        }
        if self.dice.chance(faults.noise_inside) {
            self.noise(bytes, 4);
        }
    }

    fn noise(&mut self, bytes: &mut Vec<u8>, most: u64) {
        for _ in 0..=self.dice.below(most) {
            bytes.push(self.dice.bits().to_be_bytes()[0]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Faults, Line};

    const TELEGRAM: [u8; 300] = [0x55; 300];

    #[test]
    fn a_line_without_faults_changes_nothing() {
        let mut line = Line::new(Faults::NONE, 5);
        for _ in 0..100 {
            let passed = line.pass(&TELEGRAM);
            assert_eq!(passed.bytes, TELEGRAM);
            assert!(passed.intact && passed.silence.is_none());
        }
    }

    #[test]
    fn a_seed_gives_the_same_damage() {
        let run = |seed| {
            let mut line = Line::new(Faults::POOR, seed);
            (0..200).map(|_| line.pass(&TELEGRAM)).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        let damaged = run(1).iter().filter(|passed| !passed.intact).count();
        assert!((20..120).contains(&damaged), "{damaged} of 200");
    }

    #[test]
    fn each_fault_does_what_it_says() {
        let pass = |faults| Line::new(faults, 1).pass(&TELEGRAM);
        assert!(
            pass(Faults {
                lost: 1.0,
                ..Faults::NONE
            })
            .bytes
            .is_empty()
        );
        assert_eq!(
            pass(Faults {
                doubled: 1.0,
                ..Faults::NONE
            })
            .bytes
            .len(),
            600
        );
        let flipped = pass(Faults {
            flipped: 1.0,
            ..Faults::NONE
        })
        .bytes;
        assert!(flipped.iter().all(|byte| (byte ^ 0x55).is_power_of_two()));
        assert!(
            pass(Faults {
                cut: 1.0,
                ..Faults::NONE
            })
            .bytes
            .len()
                < 300
        );
        let noisy = pass(Faults {
            noise_between: 1.0,
            ..Faults::NONE
        });
        assert!(noisy.intact && noisy.bytes.ends_with(&TELEGRAM) && noisy.bytes.len() > 300);
        assert!(
            !pass(Faults {
                noise_inside: 1.0,
                ..Faults::NONE
            })
            .intact
        );
        assert!(
            pass(Faults {
                silence: 1.0,
                ..Faults::NONE
            })
            .silence
            .is_some()
        );
    }
}
