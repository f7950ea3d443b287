//! A look into a journal that another process may be writing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meter_core::UnixMillis;
use rusqlite::{Connection, OpenFlags};

use super::error::OpenError;
use super::record::{Part, Record, Rejected, Span, Suspect};
use super::schema;
use super::store::Store;

/// Readings that are looked at before others may come between. A look that lasted would keep the write-ahead
/// log from being begun anew.
const STRETCH: u64 = 1024;

/// Bodies in one part.
const MOST_BYTES: usize = 256 * 1024;

/// A journal that is only read: without its lock, and without changing anything.
#[derive(Debug)]
pub struct Look {
    store: Store,
    path: PathBuf,
    chart: Arc<Mutex<Chart>>,
}

impl Look {
    /// Opens the journal at `path`. It shows what is committed.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        File::open(path).map_err(|source| OpenError::NotReadable {
            path: path.to_owned(),
            source,
        })?;
        let disk = |source| OpenError::Disk {
            path: path.to_owned(),
            source,
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let conn = Connection::open_with_flags(uri(path), flags).map_err(disk)?;
        conn.busy_timeout(Duration::from_secs(2)).map_err(disk)?;
        schema::check_readable(&conn, path)?;
        Ok(Self {
            store: Store::new(conn, path.to_owned()).map_err(disk)?,
            path: path.to_owned(),
            chart: Arc::default(),
        })
    }

    /// Shares what other looks have found out.
    pub(super) fn with_chart(mut self, chart: &Arc<Mutex<Chart>>) -> Self {
        self.chart = Arc::clone(chart);
        self
    }

    /// The oldest suspects.
    pub fn suspects(&self, limit: usize) -> Result<Vec<Suspect>, OpenError> {
        self.store
            .suspects(None, 0, limit)
            .map_err(|source| self.unreadable(source))
    }

    /// The newest readings that servers refused, newest first.
    pub fn rejected(&self, limit: usize) -> Result<Vec<Rejected>, OpenError> {
        self.store
            .rejected(limit)
            .map_err(|source| self.unreadable(source))
    }

    /// The readings of a span behind the place `after`, in the order in which they were stored: at most
    /// `limit`, and fewer if they are large (256 KiB of bodies). One whose checksum is wrong is left out.
    ///
    /// The log is not sorted by time, so the first look goes through all of it; later ones know where
    /// nothing of the span can be.
    pub fn readings(&self, span: &Span, after: u64, limit: usize) -> Result<Part, OpenError> {
        self.part(span, after, limit.max(1))
            .map_err(|source| self.unreadable(source))
    }

    fn part(&self, span: &Span, after: u64, limit: usize) -> rusqlite::Result<Part> {
        let mut part = Part::default();
        let newest = self.store.newest_seq()?;
        let oldest = self.store.oldest_seq()?.unwrap_or(newest + 1);
        let mut first = oldest.max(after.saturating_add(1));
        let mut bytes = 0;
        let times = span.from..span.to;
        while first <= newest && part.next.is_none() {
            let stretch = first / STRETCH;
            let end = stretch * STRETCH + (STRETCH - 1);
            if end >= newest || self.may_hold(stretch, &times)? {
                let seqs = first..=end.min(newest);
                self.store
                    .readings_of(&span.meter, &times, seqs, |stored| {
                        if part.records.len() >= limit || bytes >= MOST_BYTES {
                            part.next = part.records.last().map(|record| record.seq);
                            return false;
                        }
                        if stored.sound {
                            bytes += stored.record.body.len();
                            part.records.push(stored.record);
                        }
                        true
                    })?;
            }
            first = end + 1;
        }
        Ok(part)
    }

    /// Gives the readings of a span with the numbers up to `through`, in the order in which they were
    /// stored. It goes back in the log as far as there are readings of those times without a break of
    /// 1024 readings and more; one that was stored apart from the others is not found. One whose
    /// checksum is wrong is left out.
    pub fn up_to(
        &self,
        span: &Span,
        through: u64,
        take: impl FnMut(Record),
    ) -> Result<(), OpenError> {
        self.walk_up_to(span, through, take)
            .map_err(|source| self.unreadable(source))
    }

    fn walk_up_to(
        &self,
        span: &Span,
        through: u64,
        mut take: impl FnMut(Record),
    ) -> rusqlite::Result<()> {
        let times = span.from..span.to;
        let through = through.min(self.store.newest_seq()?);
        let oldest = self.store.oldest_seq()?.unwrap_or(through) / STRETCH;
        let last = through / STRETCH;
        let mut first = last;
        while first > oldest && self.may_hold(first - 1, &times)? {
            first -= 1;
        }
        for stretch in first..=last {
            let end = stretch * STRETCH + (STRETCH - 1);
            let seqs = stretch * STRETCH..=end.min(through);
            self.store
                .readings_of(&span.meter, &times, seqs, |stored| {
                    if stored.sound {
                        take(stored.record);
                    }
                    true
                })?;
        }
        Ok(())
    }

    /// Whether a stretch that is full has readings of these times.
    fn may_hold(&self, stretch: u64, times: &Range<UnixMillis>) -> rusqlite::Result<bool> {
        let mut chart = self.chart.lock().unwrap_or_else(PoisonError::into_inner);
        if chart.file != self.store.file() {
            *chart = Chart {
                file: self.store.file(),
                stretches: BTreeMap::new(),
            };
        }
        let taken = if let Some(taken) = chart.stretches.get(&stretch) {
            *taken
        } else {
            let first = stretch * STRETCH;
            let taken = self.store.times(first..=first + (STRETCH - 1))?;
            chart.stretches.insert(stretch, taken);
            taken
        };
        Ok(taken.is_some_and(|(first, last)| first < times.end && last >= times.start))
    }

    fn unreadable(&self, source: rusqlite::Error) -> OpenError {
        OpenError::Disk {
            path: self.path.clone(),
            source,
        }
    }
}

/// When the readings of each stretch of the log were taken, as far as it was looked through. Readings are only
/// added at the end, and never change.
#[derive(Debug, Default)]
pub(super) struct Chart {
    /// The file that it is of.
    file: Option<(u64, u64)>,
    /// The earliest and the latest time in each full stretch, unless it is empty.
    stretches: BTreeMap<u64, Option<(UnixMillis, UnixMillis)>>,
}

/// The file as `SQLite` is to open it. One that was closed in order has no write-ahead log, and to
/// read it as usual would make one, which might then belong to another user than the daemon's.
fn uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02x}");
        }
    }
    let mut log = OsString::from(path);
    log.push("-wal");
    if !Path::new(&log).exists() {
        uri.push_str("?immutable=1");
    }
    uri
}
