//! The two logs in flash: which sector is what, and how something is written.

use alloc::boxed::Box;
use embedded_storage_async::nor_flash::NorFlash;
use meter_core::UnixMillis;

use super::layout::{BEGIN, Begin, HEADER, Header, Kind, Log, MARK, Mark, SECTOR, padded};
use super::room::Kept;
use super::scan::{Cursor, Step};

/// Sectors that stay free. What survives of a sector that is thinned fits into one; the other lets
/// the wear be shared, and nothing be erased before a mark says that it was given up.
pub(super) const SPARE: usize = 2;

/// Boots whose beginning is remembered.
const CLOCKS: usize = 8;

/// What is known of a sector without looking.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sector {
    /// `None` when nothing in it is wanted any more.
    pub(super) log: Option<Log>,
    pub(super) order: u32,
    pub(super) erases: u32,
    /// Its newest reading.
    pub(super) last: u32,
    /// Where the next record may be written.
    pub(super) end: usize,
    /// Readings that are not acknowledged.
    pub(super) live: u32,
    /// Stretches that cannot be read.
    pub(super) damaged: u32,
    /// Given up since the last mark. Erased only when there is no other, so that a power cut in
    /// between does not take back the counters.
    pub(super) unmarked: bool,
    /// Needs no erase before its first use.
    pub(super) blank: bool,
}

impl Sector {
    /// Nothing in it is wanted any more. Returns the stretches in it that could not be read.
    pub(super) fn give_up(&mut self) -> u32 {
        (self.log, self.unmarked) = (None, true);
        core::mem::take(&mut self.damaged)
    }
}

#[derive(Debug)]
pub(super) struct Store<F, const SECTORS: usize> {
    pub(super) flash: F,
    /// On the heap, since they would be moved about otherwise.
    pub(super) sectors: Box<[Sector]>,
    pub(super) mark: Mark,
    pub(super) next_order: u32,
    /// The newest reading that was copied into the thinned log.
    pub(super) copied: u32,
    /// How many were copied since thinning came to the end of a sector.
    pub(super) copied_since: u32,
    pub(super) kept: Kept,
    pub(super) cursor: Cursor,
    pub(super) clocks: Clocks,
    /// Where a write failed, which may be whole all the same.
    pub(super) failed: Option<(usize, usize)>,
}

/// When boots began, as far as it is known: of the last [`CLOCKS`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clocks {
    began: [(u32, i64); CLOCKS],
    next: usize,
}

impl Clocks {
    pub(super) fn note(&mut self, boot: u32, began: UnixMillis) {
        let known = self.began.iter().position(|(known, _)| *known == boot);
        let place = known.unwrap_or(self.next);
        if known.is_none() {
            self.next = (self.next + 1) % CLOCKS;
        }
        if let Some(clock) = self.began.get_mut(place) {
            *clock = (boot, began.0);
        }
    }

    /// When a boot began, if that is known.
    pub(super) fn began(&self, boot: u32) -> Option<UnixMillis> {
        let known = self.began.iter().find(|(known, _)| *known == boot);
        known.map(|(_, began)| UnixMillis(*began))
    }

    /// The header with its time in UTC, if that can be told.
    pub(super) fn dated(&self, mut header: Header) -> Header {
        let known = self.began.iter().find(|(boot, _)| *boot == header.boot);
        if let (Some((_, began)), Kind::Reading, 1..) = (known, header.kind, header.boot) {
            header.time = began.saturating_add(header.time);
            header.boot = 0;
        }
        header
    }
}

impl<F: NorFlash, const SECTORS: usize> Store<F, SECTORS> {
    /// Readings that are not acknowledged.
    pub(super) fn waiting(&self) -> u32 {
        self.sectors.iter().map(|sector| sector.live).sum()
    }

    /// Everything in the fresh log up to here is in the thinned log or not wanted there.
    pub(super) fn superseded(&self) -> u32 {
        self.mark.thinned_through.max(self.copied)
    }

    /// Whether a reading still has to be delivered.
    pub(super) fn awaits(&self, log: Log, seq: u32) -> bool {
        seq > self.mark.done && (log == Log::Thinned || seq > self.superseded())
    }

    /// The sectors of both logs in the order of their readings: the first, or the one behind another.
    pub(super) fn following(&self, place: Option<usize>) -> Option<usize> {
        let key = |index: usize| {
            let sector = self.sectors.get(index)?;
            Some((sector.log?, sector.order))
        };
        let from = place.and_then(key);
        (0..SECTORS)
            .filter(|index| key(*index) > from)
            .min_by_key(|index| key(*index))
    }

    /// The sector of a log that was begun last, or first.
    pub(super) fn head(&self, log: Log) -> Option<usize> {
        self.of(log)
            .max_by_key(|index| self.sectors.get(*index).map(|sector| sector.order))
    }

    pub(super) fn oldest(&self, log: Log) -> Option<usize> {
        let head = self.head(log);
        self.of(log)
            .filter(|index| Some(*index) != head)
            .min_by_key(|index| self.sectors.get(*index).map(|sector| sector.order))
    }

    fn of(&self, log: Log) -> impl Iterator<Item = usize> {
        let of_log =
            move |(index, sector): (usize, &Sector)| (sector.log == Some(log)).then_some(index);
        self.sectors.iter().enumerate().filter_map(of_log)
    }

    pub(super) fn free(&self) -> usize {
        let free = |sector: &&Sector| sector.log.is_none();
        self.sectors.iter().filter(free).count()
    }

    /// Gives up sectors in which nothing is wanted any more.
    pub(super) fn release(&mut self) {
        let heads = [self.head(Log::Thinned), self.head(Log::Fresh)];
        for (index, sector) in self.sectors.iter_mut().enumerate() {
            if sector.log.is_some() && sector.live == 0 && !heads.contains(&Some(index)) {
                self.mark.counters.corrupt += sector.give_up();
            }
        }
    }

    /// Writes a reading or a clock behind the others.
    pub(super) async fn append(&mut self, header: &Header, body: &[u8]) -> Result<(), F::Error> {
        if let Some((sector, at)) = self.failed {
            let whole = self.is_there(sector, at, header.seq).await?;
            self.failed = None;
            if whole {
                self.account(sector, header);
                self.mark.counters.spilled += 1;
                return Ok(());
            }
        }
        if !self.fits(Log::Fresh, header.size()) {
            self.make_room().await?;
        }
        self.write(Log::Fresh, header, body).await?;
        self.mark.counters.spilled += u32::from(header.kind == Kind::Reading);
        Ok(())
    }

    /// Whether a reading lies whole at a place of the fresh log.
    async fn is_there(&mut self, sector: usize, at: usize, seq: u32) -> Result<bool, F::Error> {
        let log = self.sectors.get(sector).and_then(|sector| sector.log);
        match self.step(sector, at).await? {
            Step::Record(found)
                if log == Some(Log::Fresh)
                    && (found.header.kind, found.header.seq) == (Kind::Reading, seq) =>
            {
                self.sound(&found).await
            }
            Step::Record(_) | Step::Damage(_) | Step::End => Ok(false),
        }
    }

    /// Writes how far the outbox has come, if it ever has written anything.
    pub(super) async fn record(&mut self) -> Result<(), F::Error> {
        if self.head(Log::Fresh).is_none() {
            return Ok(());
        }
        if !self.fits(Log::Fresh, HEADER + MARK) {
            self.make_room().await?;
            // Its first record is a mark.
            return self.begin(Log::Fresh).await.map(|_| ());
        }
        self.write_mark(Log::Fresh).await
    }

    pub(super) async fn write_mark(&mut self, log: Log) -> Result<(), F::Error> {
        let body = self.mark.encode();
        self.write(log, &Header::mark(&body), &body).await?;
        self.marked();
        Ok(())
    }

    fn marked(&mut self) {
        for sector in &mut self.sectors {
            sector.unmarked = false;
        }
    }

    /// Copies a record into the thinned log.
    pub(super) async fn copy(
        &mut self,
        sector: usize,
        at: usize,
        header: &Header,
    ) -> Result<(), F::Error> {
        let (target, to) = self.place(Log::Thinned, header.size()).await?;
        self.write_header(target, to, header).await?;
        let mut chunk = [0; 64];
        let length = padded(header.length.into());
        for from in (0..length).step_by(chunk.len()) {
            let size = chunk.len().min(length - from);
            let (part, _) = chunk.split_at_mut(size);
            self.read(sector, at + HEADER + from, part).await?;
            self.flash
                .write(address(target, to + HEADER + from), part)
                .await?;
        }
        self.account(target, header);
        Ok(())
    }

    async fn write(&mut self, log: Log, header: &Header, body: &[u8]) -> Result<(), F::Error> {
        let (sector, at) = self.place(log, header.size()).await?;
        if header.kind == Kind::Reading {
            self.failed = Some((sector, at));
        }
        self.write_header(sector, at, header).await?;
        if !body.is_empty() {
            self.flash.write(address(sector, at + HEADER), body).await?;
        }
        if header.kind == Kind::Reading {
            self.failed = None;
        }
        self.account(sector, header);
        Ok(())
    }

    async fn write_header(
        &mut self,
        sector: usize,
        at: usize,
        header: &Header,
    ) -> Result<(), F::Error> {
        let order = self.sectors.get(sector).map_or(0, |sector| sector.order);
        self.flash
            .write(address(sector, at), &header.encode(order))
            .await
    }

    fn account(&mut self, sector: usize, header: &Header) {
        if let (Some(sector), Kind::Reading) = (self.sectors.get_mut(sector), header.kind) {
            sector.live += 1;
            sector.last = sector.last.max(header.seq);
        }
    }

    pub(super) fn fits(&self, log: Log, size: usize) -> bool {
        let head = self.head(log).and_then(|head| self.sectors.get(head));
        head.is_some_and(|head| head.end + size <= SECTOR)
    }

    /// Where the next record of a log goes. Taken before anything is written, so that nothing is ever
    /// written twice, whatever becomes of the write.
    async fn place(&mut self, log: Log, size: usize) -> Result<(usize, usize), F::Error> {
        let head = match self.head(log) {
            Some(head) if self.fits(log, size) => head,
            _ => self.begin(log).await?,
        };
        let at = self.sectors.get_mut(head).map_or(BEGIN, |sector| {
            let at = sector.end;
            sector.end += size;
            at
        });
        Ok((head, at))
    }

    /// Begins a sector.
    async fn begin(&mut self, log: Log) -> Result<usize, F::Error> {
        let index = self.choose(log);
        let order = self.next_order;
        self.next_order += 1;
        let Some(sector) = self.sectors.get_mut(index) else {
            return Ok(index);
        };
        // Counted first: a sector that cannot be erased is not chosen again at once.
        let blank = core::mem::take(&mut sector.blank);
        sector.erases += u32::from(!blank);
        let erases = sector.erases;
        self.mark.counters.corrupt += core::mem::take(&mut sector.damaged);
        if !blank {
            self.flash
                .erase(address(index, 0), address(index, SECTOR))
                .await?;
        }
        let begin = Begin { log, order, erases };
        self.flash.write(address(index, 0), &begin.encode()).await?;
        let (body, at) = (self.mark.encode(), BEGIN);
        let header = Header::mark(&body);
        self.flash
            .write(address(index, at), &header.encode(order))
            .await?;
        self.flash.write(address(index, at + HEADER), &body).await?;
        if let Some(sector) = self.sectors.get_mut(index) {
            *sector = Sector {
                log: Some(log),
                order,
                erases,
                end: BEGIN + header.size(),
                ..Sector::default()
            };
        }
        self.marked();
        self.release();
        Ok(index)
    }

    /// The free sector that is begun next. What is thinned rests for long, so it goes where most was
    /// erased; what is fresh goes where least was.
    fn choose(&mut self, log: Log) -> usize {
        let marked = |index: &usize| {
            self.sectors
                .get(*index)
                .is_some_and(|sector| !sector.unmarked)
        };
        let wear = |index: &usize| self.sectors.get(*index).map(|sector| sector.erases);
        let free = (0..SECTORS).filter(|index| {
            self.sectors
                .get(*index)
                .is_some_and(|sector| sector.log.is_none())
        });
        let chosen = match log {
            Log::Fresh => free.min_by_key(|index| (!marked(index), wear(index))),
            Log::Thinned => free.max_by_key(|index| (marked(index), wear(index))),
        };
        // Room was made before, so there is one.
        chosen.or_else(|| self.drop_oldest()).unwrap_or_default()
    }
}

/// Where something is in the flash.
#[expect(
    clippy::cast_possible_truncation,
    reason = "flash has addresses of 32 bits"
)]
pub(super) const fn address(sector: usize, at: usize) -> u32 {
    (sector * SECTOR + at) as u32
}
