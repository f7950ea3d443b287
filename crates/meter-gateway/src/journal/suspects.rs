//! Which suspects go, and what is said about it: when nobody has noticed that a meter was replaced,
//! they are all that there is of it.

use super::room::{ASIDE, QUARTER};
use super::worker::Worker;

/// Suspects that go in one transaction when room is needed.
const STEP: u64 = 64;

impl Worker {
    /// Deletes suspects from before `bound`.
    pub(super) fn expire_suspects(&mut self, bound: i64) -> rusqlite::Result<()> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let aged = store.aged_suspects(bound)?;
        if aged.is_empty() {
            return Ok(());
        }
        let mut unheeded = 0;
        for (meter, newest, count) in aged {
            // A spike is forgotten silently: the meter went on without it.
            let last = store.newest_of(meter)?;
            let went_on = store
                .outlines(last, last, 1)?
                .first()
                .is_some_and(|reading| reading.time > newest);
            if !went_on {
                unheeded += count;
            }
        }
        store.conn.execute(
            "DELETE FROM suspects WHERE time < ? AND boot IS NULL",
            [bound],
        )?;
        self.note_commit();
        if unheeded > 0 {
            self.lose_suspects(unheeded);
            tracing::error!(
                lost = unheeded,
                path = %self.options.path.display(),
                "readings that the guard kept apart are lost, because nobody has accepted them for too long: see \
                 `meterline suspects`"
            );
        }
        Ok(())
    }

    /// Keeps their number within its bound.
    pub(super) fn trim_suspects(&mut self) -> rusqlite::Result<()> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let surplus = store
            .number("SELECT count(*) FROM suspects")?
            .saturating_sub(ASIDE);
        if surplus == 0 {
            return Ok(());
        }
        let thinned = store.thin_suspects(QUARTER, surplus)?;
        let dropped = store.keep_newest("suspects", ASIDE)?;
        self.note_commit();
        self.lose_suspects(thinned + dropped);
        if dropped > 0 {
            tracing::error!(
                lost = dropped,
                path = %self.options.path.display(),
                "the guard keeps so many readings apart that the oldest are lost: see `meterline suspects`"
            );
        } else {
            tracing::warn!(
                thinned,
                path = %self.options.path.display(),
                "the guard keeps so many readings apart that of the oldest one of each quarter-hour stays: see \
                 `meterline suspects`"
            );
        }
        Ok(())
    }

    /// Gives up suspects for room. False if there are none.
    pub(super) fn free_suspects(&mut self) -> rusqlite::Result<bool> {
        let Some(store) = &self.store else {
            return Ok(false);
        };
        let thinned = store.thin_suspects(QUARTER, STEP)?;
        if thinned > 0 {
            self.asides = None;
            self.note_commit();
            self.lose_suspects(thinned);
            return Ok(true);
        }
        let dropped = self.delete_first("suspects")?;
        if dropped > 0 {
            self.lose_suspects(dropped);
            if !self.room.told.suspects {
                self.room.told.suspects = true;
                tracing::error!(
                    path = %self.options.path.display(),
                    "the journal's room is used up: readings that the guard kept apart are lost. See \
                     `meterline suspects`, or raise the journal's max_size"
                );
            }
        }
        Ok(dropped > 0)
    }

    fn lose_suspects(&mut self, lost: u64) {
        self.losses.suspects += lost;
        self.losses_changed = true;
    }
}
