//! NOR flash that enforces its rules, counts erases and can lose its power at any word.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

pub const SECTOR: usize = 4096;

/// The power is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

impl NorFlashError for Cut {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

/// What an interrupted erase leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// What was there.
    Nothing,
    /// Some words as they were, some blank.
    Words,
    /// Bits at random.
    Bits,
    /// Nothing but ones, and yet not erased.
    Weak,
}

pub const HALVES: [Half; 4] = [Half::Nothing, Half::Words, Half::Bits, Half::Weak];

#[derive(Clone)]
pub struct Chip {
    pub bytes: Vec<u8>,
    /// Words that were written since the last erase, or may have been.
    touched: Vec<bool>,
    pub erases: Vec<u32>,
    /// Words written and sectors erased so far.
    pub steps: u64,
    pub cut_at: Option<u64>,
    pub half: Half,
    /// It takes no writes, and is as it was.
    pub refuses: bool,
    /// How long a write takes.
    pub takes: Duration,
    /// Writes that took time, as far as they were begun.
    pub begun: u32,
    random: u64,
}

impl Chip {
    fn random(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.random >> 32
    }

    /// Whether the power goes at this step.
    fn cut(&mut self) -> bool {
        self.steps += 1;
        self.cut_at == Some(self.steps)
    }

    fn is_dead(&self) -> bool {
        self.cut_at.is_some_and(|at| self.steps >= at)
    }

    fn write_word(&mut self, at: usize, word: &[u8]) -> Result<(), Cut> {
        assert!(
            !self.touched[at / 4],
            "word {at:#x} is written a second time"
        );
        self.touched[at / 4] = true;
        let partly = self.cut();
        for (offset, new) in word.iter().enumerate() {
            let old = self.bytes[at + offset];
            assert_eq!(
                old & new,
                *new,
                "a bit of {at:#x} would be set without an erase"
            );
            let unfinished = if partly {
                self.random().to_le_bytes()[0]
            } else {
                0
            };
            self.bytes[at + offset] = old & (new | unfinished);
        }
        if partly { Err(Cut) } else { Ok(()) }
    }

    fn erase_sector(&mut self, sector: usize) -> Result<(), Cut> {
        self.erases[sector] += 1;
        let words = sector * SECTOR / 4..(sector + 1) * SECTOR / 4;
        if self.cut() {
            for word in words {
                // Neither of them may be taken for blank.
                self.touched[word] = true;
                let random = self.random();
                for byte in &mut self.bytes[word * 4..][..4] {
                    match self.half {
                        Half::Words if random & 1 == 0 => *byte = 0xFF,
                        Half::Nothing | Half::Words => {}
                        Half::Bits => *byte ^= random.to_le_bytes()[1],
                        Half::Weak => *byte = 0xFF,
                    }
                }
            }
            return Err(Cut);
        }
        self.touched[words.clone()].fill(false);
        self.bytes[words.start * 4..words.end * 4].fill(0xFF);
        Ok(())
    }
}

/// A handle to the chip: the outbox has one, the test another.
#[derive(Clone)]
pub struct Flash(pub Rc<RefCell<Chip>>);

impl std::fmt::Debug for Flash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flash")
    }
}

impl Flash {
    pub fn new(sectors: usize) -> Self {
        Self::of(Chip {
            bytes: vec![0xFF; sectors * SECTOR],
            touched: vec![false; sectors * SECTOR / 4],
            erases: vec![0; sectors],
            steps: 0,
            cut_at: None,
            half: Half::Bits,
            refuses: false,
            takes: Duration::ZERO,
            begun: 0,
            random: 0x5EED,
        })
    }

    pub fn of(chip: Chip) -> Self {
        Self(Rc::new(RefCell::new(chip)))
    }

    /// The power goes at this step, counted from now.
    pub fn cut_in(&self, steps: u64, half: Half) {
        let mut chip = self.0.borrow_mut();
        chip.cut_at = Some(chip.steps + steps);
        chip.half = half;
    }

    /// The power is back. Whether it was gone.
    pub fn power(&self) -> bool {
        let mut chip = self.0.borrow_mut();
        let dead = chip.is_dead();
        chip.cut_at = None;
        dead
    }

    /// Whether a sector of the thinned log was begun. What an interrupted thinning passed over is
    /// counted only when it goes on.
    pub fn has_thinned(&self) -> bool {
        let begun = |sector: &[u8]| sector.starts_with(b"MLob") && sector[6] == 1;
        self.0.borrow().bytes.chunks(SECTOR).any(begun)
    }

    pub fn steps(&self) -> u64 {
        self.0.borrow().steps
    }
}

impl ErrorType for Flash {
    type Error = Cut;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 4;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Cut> {
        let chip = self.0.borrow();
        if chip.is_dead() {
            return Err(Cut);
        }
        let at = usize::try_from(offset).unwrap();
        assert!(
            at.is_multiple_of(4) && bytes.len().is_multiple_of(4),
            "reads whole words"
        );
        bytes.copy_from_slice(&chip.bytes[at..at + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().bytes.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Cut> {
        let mut chip = self.0.borrow_mut();
        if chip.is_dead() || chip.refuses {
            return Err(Cut);
        }
        let (from, to) = (usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
        assert!(
            from.is_multiple_of(SECTOR) && to.is_multiple_of(SECTOR),
            "erases whole sectors"
        );
        (from / SECTOR..to / SECTOR).try_for_each(|sector| chip.erase_sector(sector))
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Cut> {
        let takes = self.0.borrow().takes;
        if !takes.is_zero() {
            self.0.borrow_mut().begun += 1;
            tokio::time::sleep(takes).await;
        }
        let mut chip = self.0.borrow_mut();
        if chip.is_dead() || chip.refuses {
            return Err(Cut);
        }
        let at = usize::try_from(offset).unwrap();
        assert!(
            at.is_multiple_of(4) && bytes.len().is_multiple_of(4),
            "writes whole words"
        );
        assert_eq!(
            at / SECTOR,
            (at + bytes.len() - 1) / SECTOR,
            "stays in a sector"
        );
        let words = bytes.chunks_exact(4).enumerate();
        for (index, word) in words {
            chip.write_word(at + index * 4, word)?;
        }
        Ok(())
    }
}
