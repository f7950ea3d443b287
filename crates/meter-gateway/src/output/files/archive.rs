//! Days that are over: compressed, and deleted where that was asked for.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Error, Read, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use meter_core::UnixMillis;

use super::day::{Day, Part};
use super::trouble::Trouble;
use super::writer::{Writer, sync_directory};

/// When files are compressed and when deleted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    pub(super) compress_after: Duration,
    pub(super) keep_days: Option<NonZeroU32>,
}

/// The files of each day.
type Days = BTreeMap<Day, Vec<Part>>;

impl Writer {
    /// Compresses one file, if there is one that is due, and deletes what is too old. Returns whether
    /// there may be more to do. What goes wrong is told once: the files stay as they are.
    pub(super) fn tidy(&mut self, policy: Policy) -> bool {
        let (more, trouble) = match self.try_to_tidy(policy) {
            Ok(more) => (more, None),
            // There is nothing to tidy in a directory that was never written to.
            Err(Trouble::Missing { .. } | Trouble::InUse { .. }) => return false,
            Err(trouble) => (false, Some(trouble.to_string())),
        };
        if let Some(trouble) = trouble.as_ref().filter(|_| self.not_compressed != trouble) {
            tracing::warn!("the files of days that are over stay uncompressed: {trouble}");
        }
        self.not_compressed = trouble;
        more
    }

    fn try_to_tidy(&mut self, policy: Policy) -> Result<bool, Trouble> {
        self.lock()?;
        let directory = self.directory.clone();
        let days = self
            .days()
            .map_err(|error| self.trouble(&directory, error))?;
        for (day, parts) in &days {
            let path = directory.join(self.names.file(day, Part::Open));
            if parts.contains(&Part::Open) && is_due(day, &path, policy.compress_after) {
                self.close(day);
                let compressed = self.compress(day, parts, &path);
                compressed.map_err(|error| self.trouble(&path, error))?;
                return Ok(true);
            }
        }
        if let Some(keep) = policy.keep_days {
            let deleted = self.delete(&days, keep);
            deleted.map_err(|error| self.trouble(&directory, error))?;
        }
        Ok(false)
    }

    fn trouble(&self, path: &Path, error: Error) -> Trouble {
        Trouble::of(path, &self.directory, error)
    }

    fn days(&self) -> Result<Days, Error> {
        let mut days = Days::new();
        for entry in fs::read_dir(&self.directory)? {
            if let Some((day, part)) = self.names.read(&entry?.path()) {
                days.entry(day).or_default().push(part);
            }
        }
        Ok(days)
    }

    /// Writes a compressed copy, compares it, and removes the file. A power cut at any point leaves
    /// the file, the copy, or both of the same content; then the copy is made again.
    fn compress(&self, day: &Day, parts: &[Part], path: &Path) -> Result<(), Error> {
        let unfinished = self.directory.join(self.names.unfinished());
        let written = write_compressed(path, &unfinished);
        if let Err(error) = written {
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        let target = self.target(day, parts, path)?;
        fs::rename(&unfinished, target)?;
        sync_directory(&self.directory)?;
        fs::remove_file(path)?;
        sync_directory(&self.directory)
    }

    /// The next part of a day; or its last one, if that is a copy of this very file.
    fn target(&self, day: &Day, parts: &[Part], path: &Path) -> Result<PathBuf, Error> {
        let compressed = |part: &Part| match part {
            Part::Open => None,
            Part::Compressed(part) => Some(*part),
        };
        let name = |part| {
            self.directory
                .join(self.names.file(day, Part::Compressed(part)))
        };
        let last = parts.iter().filter_map(compressed).max().unwrap_or(0);
        if last > 0 && begins_with(path, &name(last))? {
            return Ok(name(last));
        }
        Ok(name(last.saturating_add(1)))
    }

    /// Deletes what is compressed of all but the newest days. Days are counted and not looked up in
    /// a calendar, so that a wrong clock deletes nothing.
    fn delete(&self, days: &Days, keep: NonZeroU32) -> Result<(), Error> {
        let keep = usize::try_from(keep.get()).unwrap_or(usize::MAX);
        for (day, parts) in days.iter().rev().skip(keep) {
            for part in parts.iter().filter(|part| **part != Part::Open) {
                let path = self.directory.join(self.names.file(day, *part));
                fs::remove_file(&path)?;
                tracing::info!(path = %path.display(), "deleted: keep_days is {keep}");
            }
        }
        Ok(())
    }
}

/// Whether the day and the last write to its file are long enough ago.
fn is_due(day: &Day, path: &Path, after: Duration) -> bool {
    let Some(then) = SystemTime::now().checked_sub(after) else {
        return false;
    };
    let since = then.duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    });
    let rests = fs::metadata(path).and_then(|data| data.modified());
    *day < Day::of(UnixMillis(millis)) && rests.is_ok_and(|modified| modified <= then)
}

fn write_compressed(path: &Path, target: &Path) -> Result<(), Error> {
    let mut file = File::open(path)?;
    let mut encoder = GzEncoder::new(File::create(target)?, Compression::default());
    std::io::copy(&mut file, &mut encoder)?;
    let mut written = encoder.finish()?;
    written.flush()?;
    written.sync_all()?;
    if begins_with(path, target)? && length(path)? == inflated_length(target)? {
        Ok(())
    } else {
        Err(Error::other(
            "the compressed copy is not the same as the file",
        ))
    }
}

fn length(path: &Path) -> Result<u64, Error> {
    Ok(fs::metadata(path)?.len())
}

fn inflated_length(path: &Path) -> Result<u64, Error> {
    let mut content = MultiGzDecoder::new(BufReader::new(File::open(path)?));
    std::io::copy(&mut content, &mut std::io::sink())
}

/// Whether a file begins with what a compressed one holds.
fn begins_with(path: &Path, compressed: &Path) -> Result<bool, Error> {
    let mut content = MultiGzDecoder::new(BufReader::new(File::open(compressed)?));
    let mut file = BufReader::new(File::open(path)?);
    let (mut held, mut there) = ([0; 8192], [0; 8192]);
    loop {
        let count = match content.read(&mut held) {
            Ok(0) => return Ok(true),
            Ok(count) => count,
            // A copy that somebody has damaged is no copy of this file.
            Err(_) => return Ok(false),
        };
        let (Some(held), Some(there)) = (held.get(..count), there.get_mut(..count)) else {
            return Ok(false);
        };
        match file.read_exact(there) {
            Ok(()) if held == there => {}
            _ => return Ok(false),
        }
    }
}
