//! The layout of the database file, and how an older one becomes the present one.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::OpenError;
use super::options::{Options, PAGE};
use super::store::sql;

/// Marks the file as a journal of meterline (`file` shows it): "mtrl".
const APPLICATION_ID: i64 = 0x6d74_726c;

/// One step for each layout; a file of layout n has had the first n of them. Never change a step
/// that was released: add one.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE meters (
        id INTEGER PRIMARY KEY,
        server_id BLOB NOT NULL UNIQUE
    ) STRICT;
    -- The log. `seq` is given by the program, which never uses one twice: the newest reading of each
    -- meter is never deleted, and no cursor is behind the numbers that it has seen. AUTOINCREMENT
    -- would promise the same for one more page written with each reading.
    CREATE TABLE readings (
        seq INTEGER PRIMARY KEY,
        meter INTEGER NOT NULL REFERENCES meters (id),
        time INTEGER NOT NULL,      -- ms since 1970, UTC
        body BLOB NOT NULL,
        checksum INTEGER NOT NULL   -- CRC-32 over seq, time, server id, body
    ) STRICT;
    CREATE TABLE outputs (
        name TEXT PRIMARY KEY,
        after INTEGER NOT NULL,     -- delivered up to this seq
        missing INTEGER NOT NULL    -- of the later ones, how many were thinned or dropped
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ahead (
        output TEXT NOT NULL,
        first INTEGER NOT NULL,     -- delivered from this seq
        last INTEGER NOT NULL,      -- to this one
        PRIMARY KEY (output, first)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE rejected (
        seq INTEGER NOT NULL,
        output TEXT NOT NULL,
        meter INTEGER NOT NULL REFERENCES meters (id),
        time INTEGER NOT NULL,
        rejected_at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        answer TEXT NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (seq, output)
    ) STRICT;
    CREATE TABLE suspects (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        meter INTEGER NOT NULL REFERENCES meters (id),
        time INTEGER NOT NULL,
        reason TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE provisional (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        meter INTEGER NOT NULL REFERENCES meters (id),
        boot TEXT NOT NULL,
        monotonic INTEGER NOT NULL, -- ms of that boot's monotonic clock
        seconds_index INTEGER,      -- the meter's own clock, if it sends it
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE counters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
", "
    -- Both are set as long as `time` is what a wrong clock said, as in the table of provisional readings.
    ALTER TABLE suspects ADD COLUMN boot TEXT;
    ALTER TABLE suspects ADD COLUMN monotonic INTEGER;
"];

/// Why a file cannot be used as it is.
#[derive(Debug)]
pub(super) enum Unusable {
    /// For the person who starts the program.
    Refused(OpenError),
    /// For us: damaged, or an error of the disk.
    Database(rusqlite::Error),
    /// The check of the file found something.
    Damaged(String),
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// Opens the database file, makes or brings up its tables, and looks whether it is sound.
pub(super) fn open(options: &Options) -> Result<Connection, Unusable> {
    let path = &options.path;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    // Until it is known to be sound, nothing is moved in a file that may have to be set aside.
    keep_as_is(&conn);
    conn.busy_timeout(Duration::from_secs(2))?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.pragma_update(None, "page_size", sql(PAGE))?;
    // So that a smaller `max_size` can give space back to the disk. Counts only for a new file.
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let known = number(&conn, "user_version")?;
    check_owner(&conn, path, known)?;
    // The file is written only from here on.
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "cache_size", -128)?; // KiB
    conn.pragma_update(None, "mmap_size", 0)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "wal_autocheckpoint", sql(options.wal_pages()))?;
    conn.pragma_update(
        None,
        "journal_size_limit",
        sql(2 * options.wal_pages() * PAGE),
    )?;
    if known > 0 {
        check(&conn, path)?;
    }
    migrate(&conn, known)?;
    check_tables(&conn)?;
    conn.pragma_update(None, "max_page_count", sql(options.max_pages()))?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(conn)
}

/// Closing the file will leave it and its write-ahead log as they are.
pub(super) fn keep_as_is(conn: &Connection) {
    // Fails only for a library that was built without it, and ours is built with us.
    let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
}

fn number(conn: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, pragma, |row| row.get(0))
}

/// Refuses databases of other programs and of a newer meterline.
fn check_owner(conn: &Connection, path: &Path, version: i64) -> Result<(), Unusable> {
    let application = number(conn, "application_id")?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    if application != APPLICATION_ID && (tables > 0 || application != 0) {
        return Err(Unusable::Refused(OpenError::Foreign(path.to_owned())));
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version > known {
        return Err(Unusable::Refused(OpenError::Newer {
            path: path.to_owned(),
            found: version,
            known,
        }));
    }
    Ok(())
}

/// Refuses what this program cannot read, or what nothing was written to yet.
pub(super) fn check_readable(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let disk = |source| OpenError::Disk {
        path: path.to_owned(),
        source,
    };
    let version = number(conn, "user_version").map_err(disk)?;
    match check_owner(conn, path, version) {
        Ok(()) if version > 0 => Ok(()),
        Ok(()) | Err(Unusable::Damaged(_)) => Err(OpenError::Foreign(path.to_owned())),
        Err(Unusable::Refused(refused)) => Err(refused),
        Err(Unusable::Database(source)) => Err(disk(source)),
    }
}

/// The tables that a file of the present layout has.
const TABLES: &str =
    "'meters', 'readings', 'outputs', 'ahead', 'rejected', 'suspects', 'provisional', 'counters'";

fn check_tables(conn: &Connection) -> Result<(), Unusable> {
    let query =
        format!("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ({TABLES})");
    let tables: u16 = conn.query_row(&query, (), |row| row.get(0))?;
    if usize::from(tables) < TABLES.split(',').count() {
        return Err(Unusable::Damaged(format!(
            "only {tables} of its tables are there"
        )));
    }
    Ok(())
}

/// A check of the whole file reads all of it, so a large one is checked only where a fault would
/// cost most; its readings carry checksums of their own.
const CHECK_WHOLE: u64 = 64 * 1024 * 1024;

fn check(conn: &Connection, path: &Path) -> Result<(), Unusable> {
    let size = std::fs::metadata(path).map_or(0, |data| data.len());
    let checks: &[&str] = if size <= CHECK_WHOLE {
        &["PRAGMA quick_check(1)"]
    } else {
        &[
            "PRAGMA quick_check(outputs)",
            "PRAGMA quick_check(ahead)",
            "PRAGMA quick_check(meters)",
        ]
    };
    for check in checks {
        let verdict: String = conn.query_row(check, (), |row| row.get(0))?;
        if verdict != "ok" {
            return Err(Unusable::Damaged(verdict));
        }
    }
    Ok(())
}

fn migrate(conn: &Connection, version: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(version).unwrap_or(0);
    for (index, step) in MIGRATIONS.iter().enumerate().skip(done) {
        let tx = conn.unchecked_transaction()?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(
            None,
            "user_version",
            i64::try_from(index + 1).unwrap_or(i64::MAX),
        )?;
        tx.commit()?;
    }
    Ok(())
}
