//! A damaged file is set aside under another name, never deleted, and a new one is begun with what
//! can still be read of it: where the outputs were, and what they have yet to deliver.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::OpenError;
use super::options::Options;
use super::position::Position;
use super::room::Room;
use super::schema::{self, Unusable};
use super::store::Store;
use super::trouble::Cause;
use super::worker::Worker;
use crate::times;

/// Damaged files that one process sets aside; with more, the disk is what is damaged, and further
/// copies would only fill it.
const MAX_SET_ASIDE: u32 = 5;

/// Rows that are taken over in one transaction.
const CHUNK: usize = 256;

/// Opens the file, or sets it aside and begins a new one.
pub(super) fn open_or_replace(options: &Options, room: &Room) -> Result<Store, OpenError> {
    let mut opened = open(options);
    // A full disk may not even have room for the shared-memory file.
    if matches!(&opened, Err(Unusable::Database(error)) if Cause::of(error) == Cause::Full)
        && room.release()
    {
        opened = open(options);
    }
    let why = match opened {
        Ok(store) => return Ok(store),
        Err(Unusable::Refused(refused)) => return Err(refused),
        Err(Unusable::Database(error)) if Cause::of(&error) != Cause::Damaged => {
            return Err(refusal(options, error));
        }
        Err(Unusable::Database(error)) => error.to_string(),
        Err(Unusable::Damaged(verdict)) => verdict,
    };
    let aside = set_aside(&options.path).map_err(|source| not_writable(options, source))?;
    let mut store = match open(options) {
        Ok(store) => store,
        Err(Unusable::Database(error)) => return Err(refusal(options, error)),
        Err(Unusable::Refused(refused)) => return Err(refused),
        Err(Unusable::Damaged(_)) => return Err(refusal(options, rusqlite::Error::InvalidQuery)),
    };
    let salvaged = salvage(&aside, &mut store, None);
    tell(&options.path, &aside, &why, &salvaged);
    Ok(store)
}

/// Opens the file as it is.
fn open(options: &Options) -> Result<Store, Unusable> {
    Ok(Store::new(schema::open(options)?, options.path.clone())?)
}

fn directory(options: &Options) -> PathBuf {
    options
        .path
        .parent()
        .map_or_else(PathBuf::new, Path::to_owned)
}

fn not_writable(options: &Options, source: io::Error) -> OpenError {
    OpenError::NotWritable {
        directory: directory(options),
        source,
    }
}

fn refusal(options: &Options, error: rusqlite::Error) -> OpenError {
    let opening = error.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen);
    match Cause::of(&error) {
        Cause::Full => OpenError::DiskFull(options.path.clone()),
        Cause::ReadOnly => {
            not_writable(options, io::Error::from(io::ErrorKind::ReadOnlyFilesystem))
        }
        Cause::Disk if opening => {
            not_writable(options, io::Error::from(io::ErrorKind::PermissionDenied))
        }
        _ => OpenError::Disk {
            path: options.path.clone(),
            source: error,
        },
    }
}

/// Renames the database and what belongs to it. Returns the new name.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let stamp = stamp(times::now().0);
    let named = |suffix: &str| {
        let mut name: OsString = path.as_os_str().to_owned();
        name.push(format!(".damaged-{stamp}{suffix}"));
        PathBuf::from(name)
    };
    let taken = |name: &PathBuf| name.symlink_metadata().is_ok();
    let aside = (1..1000)
        .map(|number| {
            if number == 1 {
                named("")
            } else {
                named(&format!("-{number}"))
            }
        })
        .find(|name| !taken(name))
        .ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists))?;
    std::fs::rename(path, &aside)?;
    for part in ["-wal", "-shm"] {
        let with_part = |name: &Path| {
            let mut name = name.as_os_str().to_owned();
            name.push(part);
            name
        };
        match std::fs::rename(with_part(path), with_part(&aside)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

/// A time in UTC as it stands in file names: `20261122T175805Z`.
fn stamp(unix_ms: i64) -> String {
    let seconds = unix_ms.div_euclid(1000);
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // The civil calendar from a count of days: eras of 400 years that begin on 1 March.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    format!(
        "{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// What could be taken over.
#[derive(Debug, Default)]
struct Salvaged {
    /// Where the outputs were; `None` if that cannot be read.
    positions: Option<BTreeMap<Arc<str>, Position>>,
    readings: u64,
    waiting: u64,
}

fn tell(path: &Path, aside: &Path, why: &str, salvaged: &Salvaged) {
    tracing::error!(
        path = %path.display(),
        set_aside = %aside.display(),
        why,
        readings = salvaged.readings,
        without_time = salvaged.waiting,
        "the journal is damaged. It is set aside and a new one is begun, {}; check the disk",
        if salvaged.positions.is_some() {
            "with what it held undelivered as far as it can be read"
        } else {
            "without anything from the old one, because it cannot be read"
        }
    );
}

/// Copies what can be read of a damaged file into a new one. `known` is where the outputs are, for
/// those who know it better than the file.
fn salvage(
    aside: &Path,
    store: &mut Store,
    known: Option<&BTreeMap<Arc<str>, Position>>,
) -> Salvaged {
    let mut salvaged = Salvaged {
        positions: known.cloned(),
        ..Salvaged::default()
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(old) = Connection::open_with_flags(aside, flags).and_then(|conn| {
        conn.busy_timeout(Duration::from_secs(1))?;
        // Otherwise nothing at all is read of a file that is shorter than it says.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true)?;
        Store::new(conn, aside.to_owned())
    }) else {
        return salvaged;
    };
    if salvaged.positions.is_none() {
        salvaged.positions = old
            .positions()
            .ok()
            .map(|positions| positions.into_iter().collect());
    }
    let Some(positions) = &mut salvaged.positions else {
        return salvaged;
    };
    let after = positions.values().map(Position::after).min();
    let last = old.last_seq().unwrap_or(i64::MAX.cast_unsigned() - 1);
    if let Some(after) = after {
        salvaged.readings = copy_readings(&old, store, after, last);
    }
    salvaged.waiting = copy_waiting(&old, store);
    let written = store.transaction(|store| {
        for (output, position) in positions.iter_mut() {
            position.unwritten();
            store.write_position(output, position)?;
        }
        let losses = super::worker::read_losses(&old).unwrap_or_default();
        super::worker::write_losses(store, &losses)
    });
    if let Err(error) = written {
        tracing::warn!(%error, "where the outputs were could not be taken over from the damaged journal");
    }
    salvaged
}

/// From the old end up to the first page that cannot be read, then from the new end down to it.
fn copy_readings(old: &Store, store: &mut Store, after: u64, last: u64) -> u64 {
    let mut copied = 0;
    let mut next = after + 1;
    loop {
        let mut chunk = Vec::new();
        let read = old.readings(next, last, |stored| {
            next = stored.record.seq + 1;
            if stored.sound {
                chunk.push(stored.record);
            }
            chunk.len() < CHUNK
        });
        let more = read.is_ok() && !chunk.is_empty();
        if store
            .transaction(|store| chunk.iter().try_for_each(|record| store.insert(record)))
            .is_err()
        {
            return copied;
        }
        copied += chunk.len() as u64;
        if !more {
            return if read.is_ok() {
                copied
            } else {
                copied + copy_backwards(old, store, next, last)
            };
        }
    }
}

fn copy_backwards(old: &Store, store: &mut Store, first: u64, last: u64) -> u64 {
    let mut copied = 0;
    let mut last = last;
    while last >= first {
        let mut chunk = Vec::new();
        let read = old.readings_backwards(first, last, |stored| {
            last = stored.record.seq - 1;
            if stored.sound {
                chunk.push(stored.record);
            }
            chunk.len() < CHUNK
        });
        let inserted =
            store.transaction(|store| chunk.iter().try_for_each(|record| store.insert(record)));
        if inserted.is_ok() {
            copied += chunk.len() as u64;
        }
        if read.is_err() || inserted.is_err() || chunk.is_empty() {
            break;
        }
    }
    copied
}

fn copy_waiting(old: &Store, store: &mut Store) -> u64 {
    let copied = store.transaction(|store| {
        let mut copied = 0;
        // What cannot be read ends the copy; what was read before stays.
        let _ = old.all_waiting(|meter, boot, waiting| {
            store.provisional(
                meter,
                boot,
                waiting.monotonic_ms,
                waiting.seconds_index,
                &waiting.body,
            )?;
            copied += 1;
            Ok(())
        });
        Ok(copied)
    });
    copied.unwrap_or(0)
}

impl Worker {
    /// Opens the file again after it could not be.
    pub(super) fn reopen(&mut self) -> rusqlite::Result<()> {
        match open_or_replace(&self.options, &self.room) {
            Ok(store) => {
                self.positions.values_mut().for_each(Position::unwritten);
                self.losses_changed = true;
                self.adopt(store)
            }
            Err(OpenError::Disk { source, .. }) => Err(source),
            Err(error) => {
                tracing::debug!(%error, "the journal cannot be opened again");
                Err(rusqlite::Error::InvalidPath(self.options.path.clone()))
            }
        }
    }

    /// Sets the damaged file aside while we run, and goes on with a new one. False if that fails.
    pub(super) fn replace(&mut self, why: &str) -> bool {
        if self.set_aside >= MAX_SET_ASIDE {
            return false;
        }
        self.set_aside += 1;
        if let Some(store) = self.store.take() {
            schema::keep_as_is(&store.conn);
        }
        let aside = match set_aside(&self.options.path) {
            Ok(aside) => aside,
            Err(error) => {
                tracing::error!(%error, path = %self.options.path.display(), "the damaged journal cannot be set aside");
                return false;
            }
        };
        let Ok(mut store) = open(&self.options) else {
            return false;
        };
        let salvaged = salvage(&aside, &mut store, Some(&self.positions));
        tell(&self.options.path, &aside, why, &salvaged);
        self.positions.values_mut().for_each(Position::unwritten);
        self.losses_changed = true;
        self.adopt(store).is_ok() && self.recount()
    }

    /// Counts anew which numbers of the undelivered have no reading.
    pub(super) fn recount(&mut self) -> bool {
        let Some(store) = &self.store else {
            return false;
        };
        let last = self.last_seq;
        for position in self.positions.values_mut() {
            let (mut numbers, mut readings) = (0, 0);
            for (first, last) in position.gaps(last) {
                numbers += last - first + 1;
                readings += self.pending.readings(first, last).count() as u64;
                readings += store.count(first, last).unwrap_or(0);
            }
            let gone = numbers.saturating_sub(readings);
            position.find(position.missing());
            position.lose(gone);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn stamps_are_the_civil_calendar() {
        assert_eq!(super::stamp(0), "19700101T000000Z");
        assert_eq!(super::stamp(951_782_400_000), "20000229T000000Z");
        assert_eq!(super::stamp(1_795_370_285_999), "20261122T175805Z");
        assert_eq!(super::stamp(-1), "19691231T235959Z");
    }
}
