//! What is in the flash when the device starts.

use alloc::vec;

use embedded_storage_async::nor_flash::NorFlash;
use meter_core::UnixMillis;

use super::layout::{BEGIN, Kind, Log, Look, MARK, Mark, SECTOR};
use super::report::{OpenError, Opened, Unopened};
use super::room::Kept;
use super::scan::{Cursor, Found, Step};
use super::store::{Clocks, Sector, Store};

/// The newest numbers that were given.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Newest {
    pub(super) seq: u32,
    pub(super) boot: u32,
    /// Readings that were spilled, as the fresh log counts them.
    spilled: u32,
}

/// What the beginnings of the sectors say together.
#[derive(Default)]
struct Looks {
    ours: bool,
    written: bool,
    damaged: bool,
    version: Option<u16>,
}

impl<F: NorFlash, const SECTORS: usize> Store<F, SECTORS> {
    /// Finds out what is in the flash. Writes nothing.
    pub(super) async fn mount(flash: F) -> Result<(Self, Newest, Opened), Unopened<F>> {
        let mut store = Self {
            flash,
            sectors: vec![Sector::default(); SECTORS].into_boxed_slice(),
            mark: Mark::default(),
            next_order: 1,
            copied: 0,
            copied_since: 0,
            kept: Kept::default(),
            cursor: Cursor::default(),
            clocks: Clocks::default(),
            failed: None,
        };
        match store.open().await {
            Ok((newest, opened)) => Ok((store, newest, opened)),
            Err(error) => Err(Unopened {
                flash: store.flash,
                error,
            }),
        }
    }

    async fn open(&mut self) -> Result<(Newest, Opened), OpenError<F::Error>> {
        if self.flash.capacity() / SECTOR < SECTORS {
            return Err(OpenError::TooSmall);
        }
        let looks = self.look().await.map_err(OpenError::Flash)?;
        let opened = match looks {
            Looks {
                version: Some(version),
                ..
            } => return Err(OpenError::Version(version)),
            Looks { ours: true, .. } => Opened::Resumed,
            Looks { written: false, .. } => Opened::New,
            Looks { damaged: true, .. } => Opened::Damaged,
            Looks { .. } => return Err(OpenError::Foreign),
        };
        let newest = self.take_stock().await.map_err(OpenError::Flash)?;
        Ok((newest, opened))
    }

    async fn look(&mut self) -> Result<Looks, F::Error> {
        let mut looks = Looks::default();
        for index in 0..SECTORS {
            let mut begin = [0; BEGIN];
            self.read(index, 0, &mut begin).await?;
            let end = self.written(index).await?;
            let look = Look::at(&begin);
            let mut sector = Sector {
                end,
                blank: end == 0,
                damaged: u32::from(end > 0),
                ..Sector::default()
            };
            match look {
                Look::Ours(begin) => {
                    looks.ours = true;
                    sector.log = Some(begin.log);
                    (sector.order, sector.erases) = (begin.order, begin.erases);
                    self.next_order = self.next_order.max(begin.order.saturating_add(1));
                }
                Look::Version(version) => looks.version = Some(version),
                Look::Damaged => looks.damaged = true,
                Look::Blank | Look::Foreign => {}
            }
            looks.written |= end > 0;
            if let Some(place) = self.sectors.get_mut(index) {
                *place = sector;
            }
        }
        let worn = self.sectors.iter().map(|sector| sector.erases).max();
        for sector in self.sectors.iter_mut().filter(|_| looks.ours) {
            // It may look blank because an erase was interrupted. How often it was erased before is
            // not known.
            sector.blank = false;
            if sector.log.is_none() {
                sector.erases = worn.unwrap_or_default();
            }
        }
        Ok(looks)
    }

    /// Behind the last word of a sector that is not blank.
    async fn written(&mut self, index: usize) -> Result<usize, F::Error> {
        let mut chunk = [0; 64];
        for from in (0..SECTOR).step_by(chunk.len()).rev() {
            self.read(index, from, &mut chunk).await?;
            if let Some(last) = chunk.iter().rposition(|byte| *byte != 0xFF) {
                return Ok((from + last + 1).next_multiple_of(4));
            }
        }
        Ok(0)
    }

    /// Takes in all records, then counts the readings that are not delivered.
    async fn take_stock(&mut self) -> Result<Newest, F::Error> {
        let mut newest = Newest::default();
        let mut place = self.following(None);
        while let Some(index) = place {
            self.take_in(index, &mut newest).await?;
            place = self.following(place);
        }
        newest.seq = newest.seq.max(self.mark.done).max(self.superseded());
        let counters = &mut self.mark.counters;
        counters.spilled = counters.spilled.max(newest.spilled);
        place = self.following(None);
        while let Some(index) = place {
            self.inspect(index).await?;
            place = self.following(place);
        }
        let heads = [self.head(Log::Thinned), self.head(Log::Fresh)];
        for (index, sector) in self.sectors.iter_mut().enumerate() {
            // Counted when it was given up.
            if sector.log.is_some() && sector.live == 0 && !heads.contains(&Some(index)) {
                sector.damaged = 0;
            }
        }
        self.release();
        Ok(newest)
    }

    async fn take_in(&mut self, index: usize, newest: &mut Newest) -> Result<(), F::Error> {
        let (mut at, mut end) = (BEGIN, BEGIN);
        loop {
            match self.step(index, at).await? {
                Step::Record(found) => {
                    at = found.next();
                    if self.sound(&found).await? {
                        self.note(&found, newest).await?;
                    }
                }
                Step::Damage(next) => at = next,
                Step::End => break,
            }
            end = at;
        }
        if let Some(sector) = self.sectors.get_mut(index) {
            // A record that was cut short may reach further than what was written of it.
            sector.end = sector.end.max(end) + 4;
        }
        Ok(())
    }

    async fn note(&mut self, found: &Found, newest: &mut Newest) -> Result<(), F::Error> {
        let log = self.sectors.get(found.sector).and_then(|sector| sector.log);
        let header = &found.header;
        match header.kind {
            Kind::Reading => {
                newest.seq = newest.seq.max(header.seq);
                newest.boot = newest.boot.max(header.boot);
                if log == Some(Log::Thinned) {
                    self.copied = self.copied.max(header.seq);
                    self.copied_since += 1;
                    self.kept.note(header);
                } else {
                    newest.spilled += 1;
                }
            }
            Kind::Mark => {
                let mut body = [0; MARK];
                self.read(found.sector, found.next() - MARK, &mut body)
                    .await?;
                let mark = Mark::decode(&body);
                self.mark.merge(&mark);
                if log == Some(Log::Fresh) {
                    newest.spilled = newest.spilled.max(mark.counters.spilled);
                }
                if self.mark.thinned_through >= self.copied {
                    self.copied_since = 0;
                }
            }
            Kind::Clock => {
                newest.boot = newest.boot.max(header.boot);
                self.clocks.note(header.boot, UnixMillis(header.time));
            }
        }
        Ok(())
    }
}
