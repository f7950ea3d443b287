//! Reading what is in the sectors, damaged or not.

use embedded_storage_async::nor_flash::NorFlash;

use super::layout::{BEGIN, BLANK, HEADER, Header, Kind, SECTOR, padded};
use super::store::{Store, address};
use crate::checksum;

/// What comes next in a sector.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Record(Found),
    /// Something that is no record, up to here.
    Damage(usize),
    End,
}

/// A record whose header is right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) sector: usize,
    pub(super) at: usize,
    pub(super) header: Header,
}

impl Found {
    pub(super) fn next(&self) -> usize {
        self.at + self.header.size()
    }
}

/// Where to go on behind the reading that was given out last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    after: u32,
    sector: usize,
    order: u32,
    at: usize,
}

impl<F: NorFlash, const SECTORS: usize> Store<F, SECTORS> {
    pub(super) async fn read(
        &mut self,
        sector: usize,
        at: usize,
        bytes: &mut [u8],
    ) -> Result<(), F::Error> {
        self.flash.read(address(sector, at), bytes).await
    }

    /// The next record at or behind a place. Blank words are passed over: behind a restart one is
    /// left, because the last word before a power cut may look blank and not be.
    pub(super) async fn step(&mut self, sector: usize, mut at: usize) -> Result<Step, F::Error> {
        let (order, end) = self
            .sectors
            .get(sector)
            .map_or((0, 0), |sector| (sector.order, sector.end.min(SECTOR)));
        let mut damaged = false;
        while at < end {
            let mut bytes = [0xFF; HEADER];
            let (there, _) = bytes.split_at_mut(HEADER.min(SECTOR - at));
            self.read(sector, at, there).await?;
            match Header::decode(&bytes, order) {
                Some(_) if damaged => return Ok(Step::Damage(at)),
                Some(header) => return Ok(Step::Record(Found { sector, at, header })),
                None => damaged |= !bytes.starts_with(&BLANK.to_le_bytes()),
            }
            at += 4;
        }
        Ok(if damaged { Step::Damage(at) } else { Step::End })
    }

    /// Whether the body of a record is as it was written.
    pub(super) async fn sound(&mut self, found: &Found) -> Result<bool, F::Error> {
        let length = usize::from(found.header.length);
        if found.next() > SECTOR {
            return Ok(false);
        }
        let mut digest = checksum::begin();
        let mut chunk = [0; 64];
        for from in (0..length).step_by(chunk.len()) {
            let size = chunk.len().min(length - from);
            let (part, _) = chunk.split_at_mut(padded(size));
            self.read(found.sector, found.at + HEADER + from, part)
                .await?;
            digest.update(part.get(..size).unwrap_or_default());
        }
        Ok(digest.finalize() == found.header.body)
    }

    /// Counts what is in a sector.
    pub(super) async fn inspect(&mut self, sector: usize) -> Result<(), F::Error> {
        let log = self.sectors.get(sector).and_then(|sector| sector.log);
        let (mut live, mut last, mut damaged, mut at) = (0, 0, 0, BEGIN);
        loop {
            match self.step(sector, at).await? {
                Step::Record(found) => {
                    at = found.next();
                    let header = &found.header;
                    if !self.sound(&found).await? {
                        damaged += 1;
                    } else if header.kind == Kind::Reading {
                        last = header.seq.max(last);
                        live += u32::from(log.is_some_and(|log| self.awaits(log, header.seq)));
                    }
                }
                Step::Damage(next) => {
                    at = next;
                    damaged += 1;
                }
                Step::End => break,
            }
        }
        if let Some(sector) = self.sectors.get_mut(sector) {
            (sector.live, sector.last, sector.damaged) = (live, last, damaged);
        }
        Ok(())
    }

    /// The oldest reading with a greater sequence number that has to be delivered. Its body may be
    /// damaged.
    pub(super) async fn next_after(&mut self, after: u32) -> Result<Option<Found>, F::Error> {
        let (mut place, mut at) = self.resume(after);
        while let Some(sector) = place {
            let log = self.sectors.get(sector).and_then(|sector| sector.log);
            loop {
                match self.step(sector, at).await? {
                    Step::Record(found) => {
                        let Header { kind, seq, .. } = found.header;
                        let wanted = log.is_some_and(|log| self.awaits(log, seq));
                        if kind == Kind::Reading && wanted && seq > after {
                            return Ok(Some(found));
                        }
                        at = found.next();
                    }
                    Step::Damage(next) => at = next,
                    Step::End => break,
                }
            }
            place = self.following(place);
            at = BEGIN;
        }
        Ok(None)
    }

    /// The next question for what comes after that sequence number goes on behind this record.
    pub(super) fn advance(&mut self, found: &Found, after: u32) {
        self.cursor = Cursor {
            after,
            sector: found.sector,
            order: self.order(found.sector),
            at: found.next(),
        };
    }

    fn order(&self, sector: usize) -> u32 {
        self.sectors
            .get(sector)
            .filter(|sector| sector.log.is_some())
            .map_or(0, |sector| sector.order)
    }

    fn resume(&self, after: u32) -> (Option<usize>, usize) {
        let cursor = self.cursor;
        let stands = cursor.order != 0 && cursor.order == self.order(cursor.sector);
        if stands && cursor.after == after {
            return (Some(cursor.sector), cursor.at);
        }
        let mut place = self.following(None);
        while let Some(index) = place
            && self
                .sectors
                .get(index)
                .is_some_and(|sector| sector.last <= after)
        {
            place = self.following(place);
        }
        (place, BEGIN)
    }

    /// Everything up to a sequence number is delivered. Returns how many readings in flash that were.
    pub(super) async fn ack(&mut self, through: u32) -> Result<u32, F::Error> {
        self.mark.done = self.mark.done.max(through);
        let before = self.waiting();
        let done = self.mark.done;
        for sector in &mut self.sectors {
            if sector.last <= done {
                sector.live = 0;
            }
        }
        self.release();
        let mut place = self.following(None);
        while let Some(index) = place
            && self
                .sectors
                .get(index)
                .is_some_and(|sector| sector.live == 0)
        {
            place = self.following(place);
        }
        // Of this one, some may be delivered and some not.
        if let Some(partly) = place {
            self.inspect(partly).await?;
        }
        Ok(before.saturating_sub(self.waiting()))
    }
}
