//! Lines into a day's file, so that each is there once and whole, whenever the process ends.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Error, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Format;
use super::day::{Day, Names, Part};
use super::trouble::Trouble;

/// How much of a file's end is looked at when it is opened. A kill leaves what was written last and
/// what the journal did not know yet: two batches, of which none has half of this.
const END: u64 = 1 << 20;

/// Writes one output's files.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) directory: PathBuf,
    pub(super) names: Names,
    header: &'static str,
    lock: Option<File>,
    open: Option<Open>,
    /// What a failed write has to be taken back to.
    undo: Option<(PathBuf, u64)>,
    /// Why the last file could not be compressed.
    pub(super) not_compressed: Option<String>,
}

/// A day's file.
#[derive(Debug)]
struct Open {
    day: Day,
    path: PathBuf,
    file: File,
    inode: u64,
    /// The lines that were in it when it was opened, and how often. Readings come again after a
    /// kill, and then their lines are here.
    known: HashMap<Box<str>, u32>,
}

impl Writer {
    pub(super) fn new(directory: PathBuf, output: &str, format: Format) -> Self {
        Self {
            directory,
            names: Names {
                output: output.to_owned(),
                extension: format.extension(),
            },
            header: format.header(),
            lock: None,
            open: None,
            undo: None,
            not_compressed: None,
        }
    }

    /// Appends the lines of `text` to the file of a day. Returns when they are on the disk.
    pub(super) fn append(&mut self, day: &Day, text: &str) -> Result<(), Trouble> {
        self.lock()?;
        self.take_back()?;
        let directory = self.directory.clone();
        let open = self.opened(day)?;
        let path = open.path.clone();
        let failed = |error| Trouble::of(&path, &directory, error);
        let before = open.file.metadata().map_err(failed)?.len();
        let written = open.write(text);
        if let Err(error) = written {
            // Lines that are there and may not reach the disk would be taken for written.
            self.open = None;
            self.undo = Some((path.clone(), before));
            // Now, so that the room is free; otherwise before anything else is written.
            let _ = self.take_back();
            return Err(failed(error));
        }
        Ok(())
    }

    /// Nothing that was in the files when they were opened comes again.
    pub(super) fn forget_known(&mut self) {
        if let Some(open) = &mut self.open {
            open.known = HashMap::new();
        }
    }

    /// The file of this day is about to be compressed.
    pub(super) fn close(&mut self, day: &Day) {
        self.open.take_if(|open| open.day == *day);
    }

    /// Takes care that nobody else writes these files.
    pub(super) fn lock(&mut self) -> Result<(), Trouble> {
        if self.lock.is_some() {
            return Ok(());
        }
        let path = self.directory.join(self.names.lock());
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| Trouble::of(&path, &self.directory, error))?;
        match file.try_lock() {
            Ok(()) => {
                self.lock = Some(file);
                Ok(())
            }
            Err(TryLockError::WouldBlock) => Err(Trouble::InUse { path }),
            Err(TryLockError::Error(error)) => Err(Trouble::of(&path, &self.directory, error)),
        }
    }

    fn take_back(&mut self) -> Result<(), Trouble> {
        let Some((path, length)) = &self.undo else {
            return Ok(());
        };
        let cut = OpenOptions::new().write(true).open(path).and_then(|file| {
            file.set_len(*length)?;
            file.sync_all()
        });
        cut.map_err(|error| Trouble::of(path, &self.directory, error))?;
        self.undo = None;
        Ok(())
    }

    /// The file of a day, which is opened if it is another one than last time.
    fn opened(&mut self, day: &Day) -> Result<&mut Open, Trouble> {
        let path = self.directory.join(self.names.file(day, Part::Open));
        // A file that somebody has moved away or removed would take lines nobody ever sees.
        let still_there = |open: &Open| {
            open.day == *day
                && std::fs::metadata(&open.path).is_ok_and(|data| data.ino() == open.inode)
        };
        let open = match self.open.take().filter(still_there) {
            Some(open) => open,
            None => Open::new(day, path, &self.directory, self.header)?,
        };
        Ok(self.open.insert(open))
    }
}

impl Open {
    fn new(day: &Day, path: PathBuf, directory: &Path, header: &str) -> Result<Self, Trouble> {
        let failed = |error| Trouble::of(&path, directory, error);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(failed)?;
        let data = file.metadata().map_err(failed)?;
        let (end, length) = read_end(&mut file, data.len()).map_err(failed)?;
        let Some(whole) = whole_lines(&end) else {
            return Err(Trouble::Foreign { path });
        };
        let kept = length - (end.len() - whole.len()) as u64;
        if kept < data.len() {
            tracing::info!(
                path = %path.display(),
                "cut an unfinished line of {} bytes off",
                data.len() - kept
            );
            file.set_len(kept).map_err(failed)?;
        }
        if kept == 0 {
            begin(&mut file, header).map_err(failed)?;
            sync_directory(directory).map_err(failed)?;
        }
        let mut known = HashMap::new();
        for line in whole.split_inclusive('\n') {
            *known.entry(line.into()).or_default() += 1;
        }
        Ok(Self {
            day: day.clone(),
            inode: data.ino(),
            path,
            file,
            known,
        })
    }

    /// Appends what is not there and waits for the disk.
    fn write(&mut self, text: &str) -> Result<(), Error> {
        let mut new = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            match self.known.get_mut(line) {
                Some(count) if *count > 0 => *count -= 1,
                _ => new.push_str(line),
            }
        }
        self.file.write_all(new.as_bytes())?;
        // What was known may have been written just before a kill, and is not on the disk yet.
        self.file.sync_data()
    }
}

/// The first line of a new file. One that is not written whole is cut off when it is opened next.
fn begin(file: &mut File, header: &str) -> Result<(), Error> {
    file.write_all(header.as_bytes()).or_else(|error| {
        // The room that it took may be what somebody else waits for.
        file.set_len(0)?;
        Err(error)
    })
}

/// The last bytes of a file, from the beginning of a line on, and where they end. A power cut may
/// leave noughts in the place of what was written last: they do not count.
fn read_end(file: &mut File, length: u64) -> Result<(Vec<u8>, u64), Error> {
    let start = length.saturating_sub(END);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end)?;
    let mut length = start + end.len() as u64;
    if let Some(nought) = end.iter().position(|byte| *byte == 0) {
        length -= (end.len() - nought) as u64;
        end.truncate(nought);
    }
    if start > 0 {
        let first = end.iter().position(|byte| *byte == b'\n');
        end.drain(..first.map_or(0, |newline| newline + 1));
    }
    Ok((end, length))
}

/// The text up to the end of its last line. `None` for what is no text of lines at all.
fn whole_lines(end: &[u8]) -> Option<&str> {
    let newline = end.iter().rposition(|byte| *byte == b'\n');
    if newline.is_none() && end.len() as u64 >= END {
        return None;
    }
    let (whole, _) = end.split_at_checked(newline.map_or(0, |newline| newline + 1))?;
    std::str::from_utf8(whole).ok()
}

/// Makes new and renamed files survive a power cut.
pub(super) fn sync_directory(directory: &Path) -> Result<(), Error> {
    File::open(directory)?.sync_all()
}
