//! Readings that come into the log late: those that waited for the clock, and suspects that were
//! right after all.

use std::collections::HashMap;

use meter_core::UnixMillis;

use super::error::AskError;
use super::record::Record;
use super::store::{Store, Waiting};
use super::trouble::Cause;
use super::worker::Worker;

/// Readings that come into the log in one transaction.
const CHUNK: usize = 256;

/// Milliseconds by which the times of readings that came together may be behind one another.
const TOGETHER: i64 = 1000;

/// A reading on its way into the log, and the row that it comes from.
struct Late {
    id: i64,
    meter: Box<[u8]>,
    time: UnixMillis,
    body: Vec<u8>,
}

impl Late {
    fn of(waiting: Waiting, time: i64) -> Self {
        Self {
            id: waiting.id,
            meter: waiting.meter,
            time: UnixMillis(time),
            body: waiting.body,
        }
    }
}

/// The time for a reading, and never that of the one before it: backends take two readings of one
/// meter and one time for the same.
fn next(given: &mut HashMap<Box<[u8]>, i64>, meter: &[u8], time: UnixMillis) -> UnixMillis {
    let last = given.get(meter).copied();
    let together = last.filter(|last| (0..TOGETHER).contains(&last.saturating_sub(time.0)));
    let time = together.map_or(time.0, |last| last + 1);
    given.insert(meter.into(), time);
    UnixMillis(time)
}

impl Worker {
    /// Gives the readings of a boot their time: that of their monotonic clock plus `boot_time`.
    pub(super) fn restamp(&mut self, boot: &str, boot_time: UnixMillis) -> Result<u64, AskError> {
        if !self.flush() {
            return Err(self.not_now());
        }
        if self.read(|_, store| store.date_suspects(boot, boot_time))? > 0 {
            self.note_commit();
        }
        let stamp = |waiting: Waiting| {
            let time = boot_time.0.saturating_add_unsigned(waiting.monotonic_ms);
            Some(Late::of(waiting, time))
        };
        self.admit(
            |store| {
                Ok(store
                    .waiting_of_boot(boot, CHUNK)?
                    .into_iter()
                    .filter_map(stamp)
                    .collect())
            },
            Store::delete_provisional,
        )
    }

    /// Gives the readings of a meter their time by the meter's own clock, of which one point is known.
    pub(super) fn restamp_by_index(
        &mut self,
        meter: &[u8],
        index: u64,
        time: UnixMillis,
    ) -> Result<u64, AskError> {
        let stamp = |waiting: Waiting| {
            let earlier = index
                .saturating_sub(waiting.seconds_index?)
                .saturating_mul(1000);
            let time = time.0.saturating_sub_unsigned(earlier);
            Some(Late::of(waiting, time))
        };
        self.admit(
            |store| {
                Ok(store
                    .waiting_of_meter(meter, index, CHUNK)?
                    .into_iter()
                    .filter_map(stamp)
                    .collect())
            },
            Store::delete_provisional,
        )
    }

    /// Takes a meter's suspects from number `first` on into the log, with the time at which they were
    /// taken. Those whose time is not known stay.
    pub(super) fn accept(&mut self, meter: &[u8], first: u64) -> Result<u64, AskError> {
        self.admit(
            |store| {
                let suspects = store.dated_suspects(meter, first, CHUNK)?;
                Ok(suspects
                    .into_iter()
                    .map(|suspect| Late {
                        id: suspect.id.cast_signed(),
                        meter: suspect.meter,
                        time: suspect.time,
                        body: suspect.body,
                    })
                    .collect())
            },
            |store, id| store.delete_suspect(id.cast_unsigned()),
        )
    }

    /// Deletes a meter's suspects.
    pub(super) fn discard(&mut self, meter: &[u8]) -> Result<u64, AskError> {
        if !self.flush() {
            return Err(self.not_now());
        }
        self.asides = None;
        self.read(|_, store| {
            let mut discarded = 0;
            loop {
                let suspects = store.suspects(Some(meter), 0, CHUNK)?;
                if suspects.is_empty() {
                    return Ok(discarded);
                }
                for suspect in suspects {
                    store.delete_suspect(suspect.id)?;
                    discarded += 1;
                }
            }
        })
    }

    /// Moves rows into the log, a chunk and a transaction at a time, until there are none.
    fn admit(
        &mut self,
        chunk: impl Fn(&Store) -> rusqlite::Result<Vec<Late>>,
        delete: impl Fn(&Store, i64) -> rusqlite::Result<()>,
    ) -> Result<u64, AskError> {
        let mut admitted = 0;
        let mut given: HashMap<Box<[u8]>, i64> = HashMap::new();
        loop {
            if !self.flush() {
                return Err(self.not_now());
            }
            let mut seq = self.last_seq;
            let Some(store) = &mut self.store else {
                return Err(self.not_now());
            };
            let moved = store.transaction(|store| {
                let mut moved = Vec::new();
                for mut late in chunk(store)? {
                    seq += 1;
                    late.time = next(&mut given, &late.meter, late.time);
                    store.insert(&Record {
                        seq,
                        meter: late.meter.clone(),
                        time: late.time,
                        body: late.body,
                    })?;
                    delete(store, late.id)?;
                    moved.push((late.meter, late.time));
                }
                Ok(moved)
            });
            match moved {
                Ok(moved) if moved.is_empty() => break,
                Ok(moved) => {
                    admitted += moved.len() as u64;
                    for (meter, time) in moved {
                        let seq = self.last_seq + 1;
                        self.note_appended(meter, time, seq);
                    }
                    self.asides = None;
                    self.note_commit();
                }
                Err(error) if Cause::of(&error) == Cause::Full && self.make_room(&error) => {}
                Err(error)
                    if Cause::of(&error) == Cause::Damaged && self.replace(&error.to_string()) => {}
                Err(error) => return Err(AskError::Retry(error.to_string())),
            }
        }
        // Tells those who wait for more.
        self.flush();
        Ok(admitted)
    }
}
