//! A look into a journal that another process may be writing.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::OpenError;
use super::record::{Part, Rejected, Span, Suspect};
use super::schema;
use super::store::Store;

/// Readings that are looked at before others may come between. A look that lasted would keep the write-ahead
/// log from being begun anew.
const STEP: u64 = 5000;

/// Bodies in one part.
const MOST_BYTES: usize = 256 * 1024;

/// A journal that is only read: without its lock, and without changing anything.
#[derive(Debug)]
pub struct Look {
    store: Store,
    path: PathBuf,
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
        })
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
    /// The log is not sorted by time, and to find the readings of a day all of it is gone through: some
    /// milliseconds for each hundred thousand, on a disk that is not slow.
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
        while first <= newest {
            let last = newest.min(first + STEP - 1);
            let (times, seqs) = (span.from..span.to, first..=last);
            self.store
                .readings_of(&span.meter, &times, seqs, |stored| {
                    // One more shows that there is more, and whether it is worth another question.
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
            if part.next.is_some() {
                break;
            }
            first = last + 1;
        }
        Ok(part)
    }

    fn unreadable(&self, source: rusqlite::Error) -> OpenError {
        OpenError::Disk {
            path: self.path.clone(),
            source,
        }
    }
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
