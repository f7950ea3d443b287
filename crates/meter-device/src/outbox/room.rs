//! What is given up when the flash is full.

use embedded_storage_async::nor_flash::NorFlash;

use super::layout::{BEGIN, HEADER, Header, Kind, Log, MARK};
use super::scan::Step;
use super::store::{SPARE, Sector, Store};

/// Milliseconds of a quarter of an hour.
const QUARTER: i64 = 15 * 60 * 1000;

/// Meters that are told apart when readings are thinned. Of more, too many are kept.
const METERS: usize = 8;

/// The quarter-hour for which each meter has its reading.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    quarters: [Option<(u32, Quarter)>; METERS],
    next: usize,
}

/// A boot, 0 for UTC, and the number of a quarter of an hour in it.
type Quarter = (u32, i64);

impl Kept {
    fn quarter(header: &Header) -> (u32, Quarter) {
        let quarter = (header.boot, header.time.div_euclid(QUARTER));
        (header.meter, quarter)
    }

    fn has(&self, header: &Header) -> bool {
        self.quarters.contains(&Some(Self::quarter(header)))
    }

    pub(super) fn note(&mut self, header: &Header) {
        let of_meter =
            |kept: &Option<(u32, Quarter)>| kept.is_some_and(|(meter, _)| meter == header.meter);
        let known = self.quarters.iter().position(of_meter);
        let place = known.unwrap_or(self.next);
        if known.is_none() {
            self.next = (self.next + 1) % METERS;
        }
        if let Some(kept) = self.quarters.get_mut(place) {
            *kept = Some(Self::quarter(header));
        }
    }
}

impl<F: NorFlash, const SECTORS: usize> Store<F, SECTORS> {
    /// Makes sure that a sector can be begun and [`SPARE`] are left.
    ///
    /// The sector that is written to stays as it is, and with it the newest reading.
    pub(super) async fn make_room(&mut self) -> Result<(), F::Error> {
        while self.free() <= SPARE {
            match self.oldest(Log::Fresh) {
                Some(oldest) if self.free() > 0 => self.thin(oldest).await?,
                _ if self.drop_oldest().is_some() => {}
                _ => break,
            }
        }
        let ready = |sector: &Sector| sector.log.is_none() && !sector.unmarked;
        if !self.sectors.iter().any(ready) && self.fits(Log::Thinned, HEADER + MARK) {
            self.write_mark(Log::Thinned).await?;
        }
        Ok(())
    }

    /// Takes over one reading of each quarter-hour and meter from the oldest fresh sector into the
    /// thinned log, and gives up the sector.
    ///
    /// The sector that is begun next, and for which this is done, begins with a mark of it. When this is
    /// interrupted, what was taken over counts as the thinned log's already, and the
    /// rest as the fresh one's; the next time it goes on there.
    async fn thin(&mut self, oldest: usize) -> Result<(), F::Error> {
        let (mut seen, mut through, mut damaged, mut at) = (0_u32, 0, 0, BEGIN);
        let mut passed = 0;
        loop {
            let found = match self.step(oldest, at).await? {
                Step::Record(found) => found,
                Step::Damage(next) => {
                    at = next;
                    damaged += 1;
                    continue;
                }
                Step::End => break,
            };
            at = found.next();
            if !self.sound(&found).await? {
                damaged += 1;
                continue;
            }
            let header = self.clocks.dated(found.header);
            match header.kind {
                Kind::Mark => {}
                Kind::Clock => self.copy(oldest, found.at, &header).await?,
                Kind::Reading if header.seq <= self.mark.done.max(self.mark.thinned_through) => {}
                Kind::Reading => {
                    seen += 1;
                    through = header.seq;
                    passed += u32::from(header.seq > self.copied);
                    if header.seq > self.copied && !self.kept.has(&header) {
                        self.copy(oldest, found.at, &header).await?;
                        self.copied = header.seq;
                        self.copied_since += 1;
                        self.kept.note(&header);
                        if let Some(sector) = self.sectors.get_mut(oldest) {
                            sector.live = sector.live.saturating_sub(passed);
                            passed = 0;
                        }
                    }
                }
            }
        }
        let thinned = seen.saturating_sub(core::mem::take(&mut self.copied_since));
        self.mark.counters.thinned += thinned;
        self.mark.thinned_through = self.mark.thinned_through.max(through);
        if let Some(sector) = self.sectors.get_mut(oldest) {
            (sector.live, sector.damaged) = (0, damaged);
        }
        self.release();
        Ok(())
    }

    /// Gives up the sector with the oldest readings, but not the one that is written to. It counts as
    /// delivered.
    pub(super) fn drop_oldest(&mut self) -> Option<usize> {
        let newest = self.head(Log::Fresh);
        let index = self
            .following(None)
            .filter(|index| Some(*index) != newest)?;
        let sector = self.sectors.get_mut(index)?;
        self.mark.counters.dropped += core::mem::take(&mut sector.live);
        self.mark.counters.corrupt += sector.give_up();
        self.mark.done = self.mark.done.max(sector.last);
        Some(index)
    }
}
