//! What can be set.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes in a page of the database.
pub(super) const PAGE: u64 = 4096;

/// Bytes for the lock and the shared-memory file, whose size is 32 KiB as long as the write-ahead log
/// has less than 4096 pages.
const SMALL_FILES: u64 = 64 << 10;

/// Where the journal is and how much it may keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The database file. Beside it live `-wal`, `-shm`, a `.lock` and a `.reserve`.
    pub path: PathBuf,
    /// A power cut costs at most the readings of this long. Default 5 s.
    pub sync_interval: Duration,
    /// Readings that every output has delivered, rejected ones and suspects are deleted when they
    /// are older. An undelivered reading is never deleted because of its age. Default 31 days.
    pub max_age: Duration,
    /// Bytes that all of the journal's files together may take. Default 1 GiB, at least 512 KiB.
    pub max_size: u64,
    /// Bytes set aside on the disk, so that there is room to tidy up when it is full. Part of
    /// `max_size`, of which it is at most a quarter. Default 4 MiB.
    pub reserve: u64,
    /// Bytes of memory for readings that the disk does not take. Default 256 KiB.
    pub memory: usize,
    /// How often age, size and the state of the disk are looked at, besides every 256 readings.
    /// Default 60 s.
    pub tidy_interval: Duration,
}

impl Options {
    /// The defaults, for `journal.db` in a directory.
    #[must_use]
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            path: directory.join("journal.db"),
            sync_interval: Duration::from_secs(5),
            max_age: Duration::from_hours(31 * 24),
            max_size: 1 << 30,
            reserve: 4 << 20,
            memory: 256 << 10,
            tidy_interval: Duration::from_mins(1),
        }
    }

    /// The whole bound, never so small that the journal could not work.
    pub(super) fn total(&self) -> u64 {
        self.max_size.max(512 << 10)
    }

    /// Bytes of the reserve as they are used.
    pub(super) fn reserve(&self) -> u64 {
        self.reserve.clamp(64 << 10, self.total() / 4)
    }

    /// The write-ahead log is moved into the database at this many pages. Half of the reserve, so
    /// that giving the reserve up always lets the database grow by all that the log holds.
    pub(super) fn wal_pages(&self) -> u64 {
        self.reserve() / PAGE / 2
    }

    /// Pages that the database may have: the bound less the reserve, the write-ahead log, which a
    /// transaction may carry to twice its mark, and the small files.
    pub(super) fn max_pages(&self) -> u64 {
        (self.total() - 2 * self.reserve() - SMALL_FILES) / PAGE
    }

    /// Readings that retention deletes in one transaction: few enough for the write-ahead log, and
    /// for no append to wait long behind it.
    pub(super) fn step(&self) -> usize {
        usize::try_from(2 * self.wal_pages())
            .unwrap_or(usize::MAX)
            .min(256)
    }
}
