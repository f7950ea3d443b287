//! The statements. Synchronous, without any policy: the thread above decides what and when.

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use meter_core::UnixMillis;

use super::checksum;
use super::position::Position;
use super::record::{Moment, Record, Rejected, Suspect};

/// Sequence numbers and counts are below 2^63 in the program and in the file.
pub(super) fn sql(number: u64) -> i64 {
    number.cast_signed()
}

/// A reading as it is read: with the verdict of its checksum.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) record: Record,
    pub(super) sound: bool,
}

/// A reading that waits for its time.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: i64,
    pub(super) meter: Box<[u8]>,
    pub(super) monotonic_ms: u64,
    pub(super) seconds_index: Option<u64>,
    pub(super) body: Vec<u8>,
}

/// What retention needs to know about a reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline {
    pub(super) seq: u64,
    pub(super) meter: i64,
    pub(super) time: i64,
}

/// An open journal file.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    meters: HashMap<Box<[u8]>, i64>,
    names: HashMap<i64, Box<[u8]>>,
    /// Device and inode of the file that was opened.
    file: Option<(u64, u64)>,
}

type Result<T> = rusqlite::Result<T>;

impl Store {
    pub(super) fn new(conn: Connection, path: PathBuf) -> Result<Self> {
        let file = file_at(&path);
        let mut store = Self {
            conn,
            path,
            meters: HashMap::new(),
            names: HashMap::new(),
            file,
        };
        store.load_meters()?;
        Ok(store)
    }

    /// Device and inode of the file that was opened.
    pub(super) fn file(&self) -> Option<(u64, u64)> {
        self.file
    }

    /// Whether the path still leads to the file that is open.
    pub(super) fn is_at_its_path(&self) -> bool {
        file_at(&self.path) == self.file
    }

    /// Reads the table of meters again, after a transaction that may have added to it was undone.
    pub(super) fn load_meters(&mut self) -> Result<()> {
        self.meters.clear();
        self.names.clear();
        let mut statement = self
            .conn
            .prepare_cached("SELECT id, server_id FROM meters")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let (id, meter): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            self.meters.insert(meter.clone().into(), id);
            self.names.insert(id, meter.into());
        }
        Ok(())
    }

    /// The server id of a meter's number in the file.
    pub(super) fn name(&self, id: i64) -> Box<[u8]> {
        self.names.get(&id).cloned().unwrap_or_default()
    }

    /// The number of a meter in the file, new if need be.
    pub(super) fn meter(&mut self, meter: &[u8]) -> Result<i64> {
        if let Some(id) = self.meters.get(meter) {
            return Ok(*id);
        }
        self.conn
            .prepare_cached("INSERT INTO meters (server_id) VALUES (?)")?
            .execute([meter])?;
        let id = self.conn.last_insert_rowid();
        self.meters.insert(meter.into(), id);
        self.names.insert(id, meter.into());
        Ok(id)
    }

    pub(super) fn begin(&self) -> Result<()> {
        self.conn
            .prepare_cached("BEGIN IMMEDIATE")?
            .execute(())
            .map(drop)
    }

    pub(super) fn commit(&self) -> Result<()> {
        self.conn.prepare_cached("COMMIT")?.execute(()).map(drop)
    }

    /// Undoes what was begun. The database may have done so already, and then refuses.
    pub(super) fn rollback(&mut self) {
        if !self.conn.is_autocommit() {
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        // A failure shows itself again with the next statement.
        let _ = self.load_meters();
    }

    /// Runs `deed` in a transaction of its own.
    pub(super) fn transaction<T>(
        &mut self,
        deed: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let outcome = self
            .begin()
            .and_then(|()| deed(self))
            .and_then(|value| self.commit().map(|()| value));
        if outcome.is_err() {
            self.rollback();
        }
        outcome
    }

    // The log.

    pub(super) fn insert(&mut self, record: &Record) -> Result<()> {
        let meter = self.meter(&record.meter)?;
        let checksum = checksum::of_reading(record.seq, &record.meter, record.time.0, &record.body);
        self.conn
            .prepare_cached(
                "INSERT INTO readings (seq, meter, time, body, checksum) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![
                sql(record.seq),
                meter,
                record.time.0,
                record.body,
                checksum
            ])
            .map(drop)
    }

    fn stored(&self, row: &Row<'_>) -> Result<Stored> {
        let meter = self.name(row.get(1)?);
        let record = Record {
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            meter,
            time: UnixMillis(row.get(2)?),
            body: row.get(3)?,
        };
        let checksum: i64 = row.get(4)?;
        let sound = checksum
            == i64::from(checksum::of_reading(
                record.seq,
                &record.meter,
                record.time.0,
                &record.body,
            ));
        Ok(Stored { record, sound })
    }

    /// Readings between two sequence numbers, both included, oldest first, until `take` says no.
    pub(super) fn readings(
        &self,
        first: u64,
        last: u64,
        take: impl FnMut(Stored) -> bool,
    ) -> Result<()> {
        let query = "SELECT seq, meter, time, body, checksum FROM readings WHERE seq BETWEEN ? AND ? ORDER BY seq";
        self.walk(query, &[sql(first), sql(last)], take)
    }

    /// Those of one meter among them that were taken between two times, the second one not included.
    pub(super) fn readings_of(
        &self,
        meter: &[u8],
        times: &Range<UnixMillis>,
        seqs: RangeInclusive<u64>,
        take: impl FnMut(Stored) -> bool,
    ) -> Result<()> {
        let query = "SELECT seq, meter, time, body, checksum FROM readings
                     WHERE seq BETWEEN ? AND ? AND meter = ? AND time >= ? AND time < ? ORDER BY seq";
        let (first, last) = (sql(*seqs.start()), sql(*seqs.end()));
        let meter = self.number_of(meter);
        let values = [first, last, meter, times.start.0, times.end.0];
        self.walk(query, &values, take)
    }

    /// The same as [`readings`](Self::readings), newest first.
    pub(super) fn readings_backwards(
        &self,
        first: u64,
        last: u64,
        take: impl FnMut(Stored) -> bool,
    ) -> Result<()> {
        let query = "SELECT seq, meter, time, body, checksum FROM readings WHERE seq BETWEEN ? AND ? ORDER BY seq DESC";
        self.walk(query, &[sql(first), sql(last)], take)
    }

    fn walk(
        &self,
        query: &str,
        values: &[i64],
        mut take: impl FnMut(Stored) -> bool,
    ) -> Result<()> {
        let mut statement = self.conn.prepare_cached(query)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if !take(self.stored(row)?) {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn reading(&self, seq: u64) -> Result<Option<Stored>> {
        let mut found = None;
        self.readings(seq, seq, |stored| {
            found = Some(stored);
            false
        })?;
        Ok(found)
    }

    /// The same without the bodies.
    pub(super) fn outlines(&self, first: u64, last: u64, limit: usize) -> Result<Vec<Outline>> {
        self.conn
            .prepare_cached("SELECT seq, meter, time FROM readings WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?")?
            .query_map(params![sql(first), sql(last), limit.cast_signed()], outline)?
            .collect()
    }

    /// The last `limit` readings, newest first.
    pub(super) fn newest_outlines(&self, limit: usize) -> Result<Vec<Outline>> {
        self.conn
            .prepare_cached("SELECT seq, meter, time FROM readings ORDER BY seq DESC LIMIT ?")?
            .query_map([limit.cast_signed()], outline)?
            .collect()
    }

    pub(super) fn count(&self, first: u64, last: u64) -> Result<u64> {
        self.number_with(
            "SELECT count(*) FROM readings WHERE seq BETWEEN ? AND ?",
            &[sql(first), sql(last)],
        )
    }

    pub(super) fn delete(&self, seq: u64) -> Result<()> {
        self.conn
            .prepare_cached("DELETE FROM readings WHERE seq = ?")?
            .execute([sql(seq)])
            .map(drop)
    }

    pub(super) fn oldest_seq(&self) -> Result<Option<u64>> {
        let seq: Option<i64> = self
            .conn
            .prepare_cached("SELECT min(seq) FROM readings")?
            .query_row((), |row| row.get(0))?;
        Ok(seq.map(i64::cast_unsigned))
    }

    /// The earliest and the latest time between two sequence numbers, both included.
    pub(super) fn times(
        &self,
        seqs: RangeInclusive<u64>,
    ) -> Result<Option<(UnixMillis, UnixMillis)>> {
        self.conn
            .prepare_cached("SELECT min(time), max(time) FROM readings WHERE seq BETWEEN ? AND ?")?
            .query_row([sql(*seqs.start()), sql(*seqs.end())], |row| {
                let (first, last): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
                Ok(first.map(UnixMillis).zip(last.map(UnixMillis)))
            })
    }

    pub(super) fn newest_seq(&self) -> Result<u64> {
        self.number("SELECT coalesce(max(seq), 0) FROM readings")
    }

    /// The newest reading of a meter by looking through all of them; 0 without any.
    pub(super) fn newest_of(&self, meter: i64) -> Result<u64> {
        self.number_with(
            "SELECT coalesce(max(seq), 0) FROM readings WHERE meter = ?",
            &[meter],
        )
    }

    /// The highest sequence number that anything in the file speaks of.
    pub(super) fn last_seq(&self) -> Result<u64> {
        self.number(
            "SELECT max(
                (SELECT coalesce(max(seq), 0) FROM readings), (SELECT coalesce(max(after), 0) FROM outputs),
                (SELECT coalesce(max(last), 0) FROM ahead), (SELECT coalesce(max(seq), 0) FROM rejected))",
        )
    }

    // Outputs.

    pub(super) fn positions(&self) -> Result<Vec<(Arc<str>, Position)>> {
        let mut outputs = self
            .conn
            .prepare_cached("SELECT name, after, missing FROM outputs")?;
        let mut ranges = self
            .conn
            .prepare_cached("SELECT first, last FROM ahead WHERE output = ?")?;
        let mut rows = outputs.query(())?;
        let mut positions = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let ahead: Vec<(u64, u64)> = ranges
                .query_map([&name], |row| {
                    Ok((
                        row.get::<_, i64>(0)?.cast_unsigned(),
                        row.get::<_, i64>(1)?.cast_unsigned(),
                    ))
                })?
                .collect::<Result<_>>()?;
            let (after, missing) = (
                row.get::<_, i64>(1)?.cast_unsigned(),
                row.get::<_, i64>(2)?.cast_unsigned(),
            );
            positions.push((name.into(), Position::restore(after, missing, ahead)));
        }
        Ok(positions)
    }

    pub(super) fn write_position(&self, output: &str, position: &Position) -> Result<()> {
        self.conn
            .prepare_cached(
                "INSERT OR REPLACE INTO outputs (name, after, missing) VALUES (?, ?, ?)",
            )?
            .execute(params![
                output,
                sql(position.after()),
                sql(position.missing())
            ])?;
        for (first, last) in position.edits() {
            match last {
                Some(last) => self
                    .conn
                    .prepare_cached(
                        "INSERT OR REPLACE INTO ahead (output, first, last) VALUES (?, ?, ?)",
                    )?
                    .execute(params![output, sql(first), sql(last)])?,
                None => self
                    .conn
                    .prepare_cached("DELETE FROM ahead WHERE output = ? AND first = ?")?
                    .execute(params![output, sql(first)])?,
            };
        }
        Ok(())
    }

    pub(super) fn forget_output(&self, output: &str) -> Result<()> {
        self.conn
            .execute("DELETE FROM ahead WHERE output = ?", [output])?;
        self.conn
            .execute("DELETE FROM outputs WHERE name = ?", [output])
            .map(drop)
    }

    // Rejected readings.

    /// Copies a reading from the log.
    pub(super) fn reject(
        &self,
        seq: u64,
        output: &str,
        at: UnixMillis,
        reason: &str,
        answer: &str,
    ) -> Result<()> {
        self.conn
            .prepare_cached(
                "INSERT OR REPLACE INTO rejected (seq, output, meter, time, rejected_at, reason, answer, body)
                 SELECT seq, ?, meter, time, ?, ?, ?, body FROM readings WHERE seq = ?",
            )?
            .execute(params![output, at.0, reason, answer, sql(seq)])
            .map(drop)
    }

    /// The newest of them, newest first.
    pub(super) fn rejected(&self, limit: usize) -> Result<Vec<Rejected>> {
        self.conn
            .prepare_cached(
                "SELECT seq, meter, time, body, output, rejected_at, reason, answer FROM rejected
                 ORDER BY seq DESC, output LIMIT ?",
            )?
            .query_map([limit.cast_signed()], |row| {
                Ok(Rejected {
                    record: Record {
                        seq: row.get::<_, i64>(0)?.cast_unsigned(),
                        meter: self.name(row.get(1)?),
                        time: UnixMillis(row.get(2)?),
                        body: row.get(3)?,
                    },
                    output: row.get(4)?,
                    at: UnixMillis(row.get(5)?),
                    reason: row.get(6)?,
                    answer: row.get(7)?,
                })
            })?
            .collect()
    }

    // Suspects.

    pub(super) fn suspect(
        &mut self,
        meter: &[u8],
        time: UnixMillis,
        moment: Option<&Moment>,
        reason: &str,
        body: &[u8],
    ) -> Result<()> {
        let meter = self.meter(meter)?;
        let boot = moment.map(|moment| &*moment.boot);
        let monotonic = moment.map(|moment| sql(moment.monotonic_ms));
        self.conn
            .prepare_cached(
                "INSERT INTO suspects (meter, time, boot, monotonic, reason, body) VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![meter, time.0, boot, monotonic, reason, body])
            .map(drop)
    }

    /// Suspects of one meter or of all, oldest first, behind a number.
    pub(super) fn suspects(
        &self,
        meter: Option<&[u8]>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Suspect>> {
        let meter = meter.map(|meter| self.number_of(meter));
        self.conn
            .prepare_cached(
                "SELECT id, meter, time, reason, body FROM suspects
                 WHERE id > ?1 AND (?2 IS NULL OR meter = ?2) ORDER BY id LIMIT ?3",
            )?
            .query_map(params![sql(after), meter, limit.cast_signed()], |row| {
                self.a_suspect(row)
            })?
            .collect()
    }

    /// The suspects of a meter whose time is known, oldest first, from a number on.
    pub(super) fn dated_suspects(
        &self,
        meter: &[u8],
        first: u64,
        limit: usize,
    ) -> Result<Vec<Suspect>> {
        self.conn
            .prepare_cached(
                "SELECT id, meter, time, reason, body FROM suspects
                 WHERE id >= ? AND meter = ? AND boot IS NULL ORDER BY id LIMIT ?",
            )?
            .query_map(
                params![sql(first), self.number_of(meter), limit.cast_signed()],
                |row| self.a_suspect(row),
            )?
            .collect()
    }

    /// The meters that have suspects.
    pub(super) fn suspected_meters(&self) -> Result<Vec<Box<[u8]>>> {
        self.conn
            .prepare_cached("SELECT DISTINCT meter FROM suspects")?
            .query_map((), |row| Ok(self.name(row.get(0)?)))?
            .collect()
    }

    /// The newest suspects of a meter, newest first.
    pub(super) fn newest_suspects(&self, meter: &[u8], limit: usize) -> Result<Vec<Suspect>> {
        self.conn
            .prepare_cached(
                "SELECT id, meter, time, reason, body FROM suspects
                 WHERE meter = ? ORDER BY id DESC LIMIT ?",
            )?
            .query_map(params![self.number_of(meter), limit.cast_signed()], |row| {
                self.a_suspect(row)
            })?
            .collect()
    }

    fn a_suspect(&self, row: &Row<'_>) -> Result<Suspect> {
        Ok(Suspect {
            id: row.get::<_, i64>(0)?.cast_unsigned(),
            meter: self.name(row.get(1)?),
            time: UnixMillis(row.get(2)?),
            reason: row.get(3)?,
            body: row.get(4)?,
        })
    }

    /// The number of a meter in the file; one that no meter has if it is not there.
    fn number_of(&self, meter: &[u8]) -> i64 {
        self.meters.get(meter).copied().unwrap_or(-1)
    }

    /// Gives the suspects of a boot their time. Returns how many there were.
    pub(super) fn date_suspects(&self, boot: &str, boot_time: UnixMillis) -> Result<usize> {
        self.conn
            .prepare_cached(
                "UPDATE suspects SET time = ?2 + monotonic, boot = NULL, monotonic = NULL WHERE boot = ?1",
            )?
            .execute(params![boot, boot_time.0])
    }

    /// Of suspects older than this, those of each meter, and how many.
    pub(super) fn aged_suspects(&self, before: i64) -> Result<Vec<(i64, i64, u64)>> {
        self.conn
            .prepare_cached(
                "SELECT meter, max(time), count(*) FROM suspects
                 WHERE time < ? AND boot IS NULL GROUP BY meter",
            )?
            .query_map([before], |row| {
                let count: i64 = row.get(2)?;
                Ok((row.get(0)?, row.get(1)?, count.cast_unsigned()))
            })?
            .collect()
    }

    /// Deletes the oldest suspects that are not the first of their quarter-hour and meter.
    pub(super) fn thin_suspects(&self, quarter: i64, most: u64) -> Result<u64> {
        let deleted = self
            .conn
            .prepare_cached(
                "DELETE FROM suspects WHERE id IN (
                    SELECT id FROM suspects WHERE id NOT IN (
                        SELECT min(id) FROM suspects GROUP BY meter, time / ?1)
                    ORDER BY id LIMIT ?2)",
            )?
            .execute([quarter, sql(most)])?;
        Ok(deleted as u64)
    }

    /// Deletes all but the newest rows of a table. Returns how many.
    pub(super) fn keep_newest(&self, table: &str, keep: u64) -> Result<u64> {
        let statement = format!(
            "DELETE FROM {table} WHERE rowid <= (SELECT rowid FROM {table} ORDER BY rowid DESC LIMIT 1 OFFSET {keep})"
        );
        Ok(self.conn.execute(&statement, ())? as u64)
    }

    pub(super) fn delete_suspect(&self, id: u64) -> Result<()> {
        self.conn
            .prepare_cached("DELETE FROM suspects WHERE id = ?")?
            .execute([sql(id)])
            .map(drop)
    }

    // Readings without a time.

    pub(super) fn provisional(
        &mut self,
        meter: &[u8],
        boot: &str,
        monotonic_ms: u64,
        seconds_index: Option<u64>,
        body: &[u8],
    ) -> Result<()> {
        let meter = self.meter(meter)?;
        self.conn
            .prepare_cached(
                "INSERT INTO provisional (meter, boot, monotonic, seconds_index, body) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![meter, boot, sql(monotonic_ms), seconds_index.map(sql), body])
            .map(drop)
    }

    /// Those of one boot, in their order.
    pub(super) fn waiting_of_boot(&self, boot: &str, limit: usize) -> Result<Vec<Waiting>> {
        self.conn
            .prepare_cached(
                "SELECT id, meter, monotonic, seconds_index, body FROM provisional WHERE boot = ? ORDER BY id LIMIT ?",
            )?
            .query_map(params![boot, limit.cast_signed()], |row| self.waiting(row))?
            .collect()
    }

    /// Those of one meter that were taken at or before a reading of its own clock, in their order.
    pub(super) fn waiting_of_meter(
        &self,
        meter: &[u8],
        through_index: u64,
        limit: usize,
    ) -> Result<Vec<Waiting>> {
        let meter = self.meters.get(meter).copied().unwrap_or(-1);
        self.conn
            .prepare_cached(
                "SELECT id, meter, monotonic, seconds_index, body FROM provisional
                 WHERE meter = ? AND seconds_index <= ? ORDER BY id LIMIT ?",
            )?
            .query_map(
                params![meter, sql(through_index), limit.cast_signed()],
                |row| self.waiting(row),
            )?
            .collect()
    }

    /// All of them, with their meter and their boot.
    pub(super) fn all_waiting(
        &self,
        mut take: impl FnMut(&[u8], &str, Waiting) -> Result<()>,
    ) -> Result<()> {
        let mut statement = self.conn.prepare(
            "SELECT id, meter, monotonic, seconds_index, body, boot FROM provisional ORDER BY id",
        )?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let (waiting, boot): (Waiting, String) = (self.waiting(row)?, row.get(5)?);
            take(&waiting.meter.clone(), &boot, waiting)?;
        }
        Ok(())
    }

    fn waiting(&self, row: &Row<'_>) -> Result<Waiting> {
        Ok(Waiting {
            id: row.get(0)?,
            meter: self.name(row.get(1)?),
            monotonic_ms: row.get::<_, i64>(2)?.cast_unsigned(),
            seconds_index: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
            body: row.get(4)?,
        })
    }

    pub(super) fn delete_provisional(&self, id: i64) -> Result<()> {
        self.conn
            .prepare_cached("DELETE FROM provisional WHERE id = ?")?
            .execute([id])
            .map(drop)
    }

    // Numbers.

    pub(super) fn counter(&self, name: &str) -> Result<u64> {
        let value: Option<i64> = self
            .conn
            .prepare_cached("SELECT value FROM counters WHERE name = ?")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        Ok(value.unwrap_or(0).cast_unsigned())
    }

    pub(super) fn set_counter(&self, name: &str, value: u64) -> Result<()> {
        self.conn
            .prepare_cached("INSERT OR REPLACE INTO counters (name, value) VALUES (?, ?)")?
            .execute(params![name, sql(value)])
            .map(drop)
    }

    pub(super) fn number(&self, query: &str) -> Result<u64> {
        self.number_with(query, &[])
    }

    fn number_with(&self, query: &str, values: &[i64]) -> Result<u64> {
        self.conn
            .prepare_cached(query)?
            .query_row(rusqlite::params_from_iter(values), |row| {
                row.get::<_, i64>(0)
            })
            .map(i64::cast_unsigned)
    }

    /// Pages that hold something.
    pub(super) fn used_pages(&self) -> Result<u64> {
        Ok(self
            .number("PRAGMA page_count")?
            .saturating_sub(self.number("PRAGMA freelist_count")?))
    }
}

fn file_at(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path)
        .ok()
        .map(|data| (data.dev(), data.ino()))
}

fn outline(row: &Row<'_>) -> Result<Outline> {
    Ok(Outline {
        seq: row.get::<_, i64>(0)?.cast_unsigned(),
        meter: row.get(1)?,
        time: row.get(2)?,
    })
}
