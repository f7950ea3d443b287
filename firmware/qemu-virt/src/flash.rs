//! A file of QEMU's as flash, with the rules of NOR flash held: it is erased in sectors of 4 KiB to
//! ones, written in words of 4 bytes, and a bit that is 0 stays 0 until its sector is erased.

use core::cell::RefCell;

use embassy_time::{Duration, block_for};
use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use static_cell::StaticCell;
use virtio_drivers::device::blk::{SECTOR_SIZE, VirtIOBlk};

use crate::virtio::{Device, Kind, Memory, Transport};

/// The smallest part that is erased.
const SECTOR: u32 = 4096;
const WORD: usize = 4;
const BLOCK: u32 = SECTOR_SIZE as u32;

/// So long a chip takes to erase a sector, and so long nothing but interrupts runs on it.
const ERASING: Duration = Duration::from_millis(30);

/// The whole flash: parts of it are given away.
#[derive(Clone, Copy)]
pub struct Flash(&'static RefCell<VirtIOBlk<Memory, Transport>>);

/// Why an access was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not in words or sectors, or lies outside.
    Place(NorFlashErrorKind),
    /// A bit would have gone from 0 to 1 without an erase.
    NotErased,
    /// QEMU could not read or write its file.
    File,
}

impl NorFlashError for Refused {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Place(kind) => *kind,
            Self::NotErased | Self::File => NorFlashErrorKind::Other,
        }
    }
}

impl Flash {
    /// The flash, if QEMU has a file for it.
    pub fn start() -> Option<Self> {
        static DISK: StaticCell<RefCell<VirtIOBlk<Memory, Transport>>> = StaticCell::new();
        let disk = VirtIOBlk::new(Device::find(Kind::Disk)?.transport()?).ok()?;
        Some(Self(DISK.try_init(RefCell::new(disk))?))
    }

    /// A part of it, in sectors.
    pub fn part(self, first: u32, count: u32) -> Option<Part> {
        let end = u64::from(first.checked_add(count)?) * u64::from(SECTOR / BLOCK);
        (end <= self.0.borrow().capacity()).then_some(Part {
            flash: self,
            start: first * SECTOR,
            length: count * SECTOR,
        })
    }

    /// Works on each block of 512 bytes that a range has a share in: its bytes, and where they lie in
    /// the range.
    fn blocks(
        self,
        range: core::ops::Range<u32>,
        mut work: impl FnMut(&mut [u8], usize) -> Result<Then, Refused>,
    ) -> Result<(), Refused> {
        let mut disk = self.0.borrow_mut();
        let mut at = range.start;
        while at < range.end {
            let block = (at / BLOCK) as usize;
            let from = at % BLOCK;
            let until = (from + (range.end - at)).min(BLOCK);
            let mut bytes = [0; SECTOR_SIZE];
            disk.read_blocks(block, &mut bytes)
                .map_err(|_| Refused::File)?;
            let share = bytes
                .get_mut(from as usize..until as usize)
                .ok_or(Refused::File)?;
            if let Then::Write = work(share, (at - range.start) as usize)? {
                disk.write_blocks(block, &bytes)
                    .map_err(|_| Refused::File)?;
            }
            at += until - from;
        }
        Ok(())
    }
}

/// What becomes of a block.
enum Then {
    Leave,
    Write,
}

/// A part of the flash.
pub struct Part {
    flash: Flash,
    start: u32,
    length: u32,
}

impl Part {
    /// The place of a part of it, in units of `unit`.
    fn range(
        &self,
        offset: u32,
        length: usize,
        unit: usize,
    ) -> Result<core::ops::Range<u32>, Refused> {
        let outside = Refused::Place(NorFlashErrorKind::OutOfBounds);
        let count = u32::try_from(length).map_err(|_| outside)?;
        let end = offset.checked_add(count).ok_or(outside)?;
        if end > self.length {
            return Err(outside);
        }
        if offset as usize % unit != 0 || length % unit != 0 {
            return Err(Refused::Place(NorFlashErrorKind::NotAligned));
        }
        Ok(self.start + offset..self.start + end)
    }
}

impl ErrorType for Part {
    type Error = Refused;
}

impl ReadNorFlash for Part {
    const READ_SIZE: usize = WORD;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Refused> {
        let range = self.range(offset, bytes.len(), WORD)?;
        self.flash.blocks(range, |block, at| {
            if let Some(place) = bytes.get_mut(at..at + block.len()) {
                place.copy_from_slice(block);
            }
            Ok(Then::Leave)
        })
    }

    fn capacity(&self) -> usize {
        self.length as usize
    }
}

impl NorFlash for Part {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Refused> {
        let length = to
            .checked_sub(from)
            .ok_or(Refused::Place(NorFlashErrorKind::OutOfBounds))?;
        let range = self.range(from, length as usize, Self::ERASE_SIZE)?;
        block_for(ERASING * (length / SECTOR));
        self.flash.blocks(range, |block, _| {
            block.fill(0xff);
            Ok(Then::Write)
        })
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Refused> {
        let range = self.range(offset, bytes.len(), WORD)?;
        self.flash.blocks(range, |block, at| {
            for (old, new) in block.iter_mut().zip(bytes.iter().skip(at)) {
                if *old & new != *new {
                    return Err(Refused::NotErased);
                }
                *old = *new;
            }
            Ok(Then::Write)
        })
    }
}
