//! Room on the disk: what goes first when there is too much, and what happens when the disk is full.
//!
//! The order, least valuable first: readings that every output has delivered, oldest first; copies of
//! rejected readings; suspects, thinned to the first of each quarter-hour and meter at first; then
//! undelivered readings are thinned to the first of each quarter-hour and
//! meter, oldest first; then the oldest of those that are left; then readings that never got a time.
//! The newest reading of a meter always stays.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::options::Options;
use super::store::{Outline, Store, sql};
use super::trouble::Cause;
use super::worker::{Worker, write_losses};

/// Milliseconds in a quarter-hour.
pub(super) const QUARTER: i64 = 15 * 60 * 1000;
/// Appended readings after which it is time to look at the size again.
const LOOK_AFTER: u32 = 256;
/// Rejected readings and suspects kept of each kind.
pub(super) const ASIDE: u64 = 10_000;
/// Readings without a time that are kept.
const WAITING: u64 = 50_000;

/// A file that is deleted when the disk is full, so that there is room to tidy up.
#[derive(Debug)]
struct Reserve {
    path: PathBuf,
    bytes: u64,
}

impl Reserve {
    fn held(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|data| data.len() == self.bytes)
    }

    fn release(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }

    /// Takes the space, unless that would leave others none.
    fn take(&self) -> bool {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let free = rustix::fs::statvfs(directory)
            .map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let taken = free > 2 * self.bytes && self.fill().is_ok();
        if !taken {
            self.release();
        }
        taken
    }

    /// Written, not only sized: a hole takes no space.
    fn fill(&self) -> std::io::Result<()> {
        let mut file = fs::File::create(&self.path)?;
        let block = [0x5A; 4096];
        for _ in 0..self.bytes / 4096 {
            file.write_all(&block)?;
        }
        file.set_len(self.bytes)?;
        file.sync_data()
    }
}

/// What retention remembers from step to step.
#[derive(Debug)]
pub(super) struct Room {
    reserve: Reserve,
    interval: Duration,
    due: Instant,
    appended: u32,
    hourly: Instant,
    /// Up to here every reading left is the newest of its meter.
    front: u64,
    thinned_through: u64,
    /// The quarter-hour of each meter that has its reading already.
    kept: HashMap<i64, i64>,
    /// The newest reading of meters that have sent none since the start.
    silent: HashMap<i64, u64>,
    /// The database may not grow, because the disk is full.
    frozen: bool,
    pub(super) told: Told,
}

/// What was said since there was room last.
#[derive(Debug, Default)]
pub(super) struct Told {
    thinning: bool,
    dropping: bool,
    pub(super) suspects: bool,
}

/// What happens to the undelivered among the readings of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Thinned,
    Dropped,
}

impl Room {
    pub(super) fn new(options: &Options) -> Self {
        let reserve = Reserve {
            path: options.path.with_extension("reserve"),
            bytes: options.reserve(),
        };
        let start = Instant::now();
        Self {
            reserve,
            interval: options.tidy_interval,
            due: start,
            appended: 0,
            hourly: start,
            front: 0,
            thinned_through: 0,
            kept: HashMap::new(),
            silent: HashMap::new(),
            frozen: false,
            told: Told::default(),
        }
    }

    /// Gives the reserve back before the file is even open.
    pub(super) fn release(&self) -> bool {
        self.reserve.release()
    }

    /// Begins with a file.
    pub(super) fn begin(&mut self, thinned_through: u64) {
        self.thinned_through = thinned_through;
        self.front = 0;
        self.kept.clear();
        self.silent.clear();
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn note_appended(&mut self) {
        self.appended += 1;
        if self.appended >= LOOK_AFTER {
            self.appended = 0;
            self.due = Instant::now();
        }
    }
}

impl Worker {
    /// One step of what is due; comes back soon if there is more to do.
    pub(super) fn tidy(&mut self) {
        self.room.due = Instant::now() + self.room.interval;
        self.check_file();
        if self.trouble.is_some() || self.store.is_none() {
            return;
        }
        let outcome = self.take_reserve().and_then(|()| self.tidy_step());
        match outcome {
            Ok(true) => self.room.due = Instant::now(),
            Ok(false) => {}
            Err(error) => match Cause::of(&error) {
                Cause::Full => {
                    self.make_room(&error);
                }
                Cause::Damaged => {
                    self.replace(&error.to_string());
                }
                cause => self.begin_trouble(cause, &error),
            },
        }
    }

    /// True if there is more to do.
    fn tidy_step(&mut self) -> rusqlite::Result<bool> {
        if self.room.hourly <= Instant::now() {
            self.room.hourly = Instant::now() + Duration::from_hours(1);
            // A meter's former newest reading may have become an ordinary one.
            self.room.front = 0;
            self.trim_asides()?;
        }
        if self.delete_expired()? {
            return Ok(true);
        }
        let limit = self.options.max_pages();
        let used = self.used_pages()?;
        if used > limit - limit / 20 {
            return self.free_step();
        }
        if used < limit / 5 * 4 {
            self.room.told = Told::default();
        }
        self.shrink()
    }

    fn used_pages(&self) -> rusqlite::Result<u64> {
        self.store.as_ref().map_or(Ok(0), Store::used_pages)
    }

    /// Gives pages back to the disk if the bound was lowered.
    fn shrink(&mut self) -> rusqlite::Result<bool> {
        let Some(store) = &self.store else {
            return Ok(false);
        };
        let limit = self.options.max_pages();
        if self.room.frozen
            || store.number("PRAGMA page_count")? <= limit
            || store.number("PRAGMA freelist_count")? == 0
        {
            return Ok(false);
        }
        store.conn.execute_batch("PRAGMA incremental_vacuum(64)")?;
        store
            .conn
            .pragma_update(None, "max_page_count", sql(limit))?;
        self.note_commit();
        Ok(true)
    }

    /// Whether this is the newest reading of its meter, which always stays.
    fn is_newest(&mut self, outline: Outline) -> rusqlite::Result<bool> {
        let Some(store) = &self.store else {
            return Ok(true);
        };
        if let Some(newest) = self.newest.get(&store.name(outline.meter)) {
            return Ok(outline.seq >= *newest);
        }
        if let Some(newest) = self.room.silent.get(&outline.meter) {
            return Ok(outline.seq >= *newest);
        }
        let newest = store.newest_of(outline.meter)?;
        self.room.silent.insert(outline.meter, newest);
        Ok(outline.seq >= newest)
    }

    /// The oldest readings up to `last` that may go.
    fn oldest(&mut self, last: u64, limit: usize) -> rusqlite::Result<Vec<Outline>> {
        loop {
            let front = self.room.front;
            let outlines = self.store.as_ref().map_or(Ok(Vec::new()), |store| {
                store.outlines(front + 1, last, limit)
            })?;
            let mut free = Vec::with_capacity(outlines.len());
            for outline in &outlines {
                if !self.is_newest(*outline)? {
                    free.push(*outline);
                } else if free.is_empty() {
                    self.room.front = outline.seq;
                }
            }
            if !free.is_empty() || outlines.is_empty() {
                return Ok(free);
            }
        }
    }

    /// Every output has delivered everything up to here.
    fn delivered_through(&self) -> u64 {
        self.positions
            .values()
            .map(super::position::Position::after)
            .min()
            .unwrap_or(self.last_seq)
    }

    /// Deletes delivered readings that are older than they may get. True if there may be more.
    fn delete_expired(&mut self) -> rusqlite::Result<bool> {
        let age = i64::try_from(self.options.max_age.as_millis()).unwrap_or(i64::MAX);
        let bound = self.ageing_time().saturating_sub(age);
        let mut old = self.oldest(self.delivered_through(), self.options.step())?;
        old.retain(|outline| outline.time < bound);
        if old.is_empty() {
            return Ok(false);
        }
        self.give_up(&old, Loss::Dropped)?;
        Ok(true)
    }

    /// Rejected readings and suspects by age and number, readings without a time by number.
    fn trim_asides(&mut self) -> rusqlite::Result<()> {
        let age = i64::try_from(self.options.max_age.as_millis()).unwrap_or(i64::MAX);
        let bound = self.ageing_time().saturating_sub(age);
        let Some(store) = &self.store else {
            return Ok(());
        };
        store
            .conn
            .execute("DELETE FROM rejected WHERE rejected_at < ?", [bound])?;
        store.keep_newest("rejected", ASIDE)?;
        let lost = store.keep_newest("provisional", WAITING)?;
        self.asides = None;
        if lost > 0 {
            tracing::error!(
                lost,
                "the clock was not set for so long that the oldest readings without a time are lost: set the clock (NTP)"
            );
            self.losses.dropped += lost;
            self.losses_changed = true;
        }
        self.expire_suspects(bound)?;
        self.trim_suspects()
    }

    /// Gives up the least valuable that there is. False if there is nothing to give up.
    fn free_step(&mut self) -> rusqlite::Result<bool> {
        let delivered = self.oldest(self.delivered_through(), self.options.step())?;
        if !delivered.is_empty() {
            self.give_up(&delivered, Loss::Dropped)?;
            return Ok(true);
        }
        if self.delete_first("rejected")? > 0 || self.free_suspects()? || self.thin()? {
            return Ok(true);
        }
        let oldest = self.oldest(self.last_seq, self.options.step() / 4)?;
        if !oldest.is_empty() {
            if !self.room.told.dropping {
                self.room.told.dropping = true;
                tracing::error!(
                    path = %self.options.path.display(),
                    "the journal's room is used up: the oldest undelivered readings are lost. Make an output \
                     deliver again, or raise the journal's max_size"
                );
            }
            self.give_up(&oldest, Loss::Dropped)?;
            return Ok(true);
        }
        let lost = self.delete_first("provisional")?;
        self.losses.dropped += lost;
        self.losses_changed |= lost > 0;
        Ok(lost > 0)
    }

    pub(super) fn delete_first(&mut self, table: &str) -> rusqlite::Result<u64> {
        let Some(store) = &self.store else {
            return Ok(0);
        };
        let statement = format!(
            "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} ORDER BY rowid LIMIT 64)"
        );
        let deleted = store.conn.execute(&statement, ())? as u64;
        if deleted > 0 {
            self.asides = None;
            self.note_commit();
        }
        Ok(deleted)
    }

    /// Leaves one reading of each quarter-hour and meter, for the oldest stretch in which there are
    /// more. False at the end of the log.
    fn thin(&mut self) -> rusqlite::Result<bool> {
        loop {
            let first = self.room.thinned_through.max(self.delivered_through()) + 1;
            let Some(store) = &self.store else {
                return Ok(false);
            };
            let outlines = store.outlines(first, self.last_seq, self.options.step())?;
            let Some(end) = outlines.last() else {
                return Ok(false);
            };
            let mut surplus = Vec::new();
            for outline in &outlines {
                let quarter = outline.time.div_euclid(QUARTER);
                let delivered = self
                    .positions
                    .values()
                    .all(|position| position.delivered(outline.seq));
                if !delivered && self.room.kept.get(&outline.meter) != Some(&quarter) {
                    self.room.kept.insert(outline.meter, quarter);
                } else if !self.is_newest(*outline)? {
                    surplus.push(*outline);
                }
            }
            self.room.thinned_through = end.seq;
            if surplus.is_empty() {
                continue;
            }
            if !self.room.told.thinning {
                self.room.told.thinning = true;
                tracing::warn!(
                    path = %self.options.path.display(),
                    "the journal's room is nearly used up by undelivered readings: of the oldest, one of each \
                     quarter-hour is kept. Make an output deliver again, or raise the journal's max_size"
                );
            }
            self.give_up(&surplus, Loss::Thinned)?;
            return Ok(true);
        }
    }

    /// Deletes readings, and counts for whom they are lost.
    fn give_up(&mut self, outlines: &[Outline], loss: Loss) -> rusqlite::Result<()> {
        let mut missing: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        let mut undelivered = 0;
        for outline in outlines {
            let mut wanted = false;
            for (output, position) in &self.positions {
                if !position.delivered(outline.seq) {
                    *missing.entry(Arc::clone(output)).or_default() += 1;
                    wanted = true;
                }
            }
            undelivered += u64::from(wanted);
        }
        let before = self.losses;
        match loss {
            Loss::Thinned => self.losses.thinned += undelivered,
            Loss::Dropped => self.losses.dropped += undelivered,
        }
        for (output, position) in &mut self.positions {
            position.lose(missing.get(output).copied().unwrap_or(0));
        }
        let (positions, losses, thinned_through) =
            (&self.positions, &self.losses, self.room.thinned_through);
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        let deleted = store.transaction(|store| {
            outlines
                .iter()
                .try_for_each(|outline| store.delete(outline.seq))?;
            for (output, position) in positions
                .iter()
                .filter(|(output, _)| missing.contains_key(*output))
            {
                store.write_position(output, position)?;
            }
            if undelivered > 0 {
                write_losses(store, losses)?;
                store.set_counter("thinned_through", thinned_through)?;
            }
            Ok(())
        });
        if deleted.is_err() {
            self.losses = before;
            for (output, position) in &mut self.positions {
                position.find(missing.get(output).copied().unwrap_or(0));
            }
        } else {
            self.note_commit();
        }
        deleted
    }

    /// The file took no more. Makes room, in it or on the disk; false if there is none to be made.
    pub(super) fn make_room(&mut self, error: &rusqlite::Error) -> bool {
        match self.try_make_room(error) {
            Ok(made) => made,
            Err(error) => {
                tracing::debug!(%error, "no room could be made in the journal");
                false
            }
        }
    }

    fn try_make_room(&mut self, error: &rusqlite::Error) -> rusqlite::Result<bool> {
        let Some(store) = &self.store else {
            return Ok(false);
        };
        let pages = store.number("PRAGMA page_count")?;
        let bound = store.number("PRAGMA max_page_count")?;
        // One statement may want a few pages at once.
        if pages + 8 >= bound {
            return self.free_step();
        }
        if !self.room.frozen {
            self.room.frozen = true;
            tracing::error!(
                path = %store.path.display(),
                %error,
                "the disk is full. The journal goes on in the space that it has, and gives up its least \
                 valuable readings for new ones: make room on the disk, or lower the journal's max_size"
            );
        }
        let released = self.room.reserve.release();
        // Moves the write-ahead log into the database, so that its space can be written again.
        let checkpoint: rusqlite::Result<i64> =
            store
                .conn
                .query_row("PRAGMA wal_checkpoint(RESTART)", (), |row| row.get(0));
        store.conn.pragma_update(
            None,
            "max_page_count",
            sql(store.number("PRAGMA page_count")?),
        )?;
        if released && checkpoint.is_ok() {
            return Ok(true);
        }
        self.free_step()
    }

    /// Takes the reserve again once there is room for it; the database may grow again then.
    fn take_reserve(&mut self) -> rusqlite::Result<()> {
        if !self.room.reserve.held() && !self.room.reserve.take() {
            return Ok(());
        }
        if self.room.frozen
            && let Some(store) = &self.store
        {
            store
                .conn
                .pragma_update(None, "max_page_count", sql(self.options.max_pages()))?;
            self.room.frozen = false;
            tracing::info!(path = %self.options.path.display(), "there is room on the disk again");
        }
        Ok(())
    }

    /// Begins anew if somebody has removed or replaced the file under our hands.
    fn check_file(&mut self) {
        let Some(store) = &self.store else { return };
        if store.is_at_its_path() {
            return;
        }
        tracing::error!(
            path = %self.options.path.display(),
            "the journal's file was removed or replaced while it was in use: what it held is gone, a new one is begun"
        );
        self.store = None;
        self.positions
            .values_mut()
            .for_each(super::position::Position::unwritten);
        self.losses_changed = true;
        self.flush();
    }
}
