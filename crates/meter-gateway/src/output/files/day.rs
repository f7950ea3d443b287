//! What the files are called.

use std::fmt;
use std::path::Path;

use meter_core::UnixMillis;

/// A day in UTC, printed `2026-11-23`; later days are greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(String);

impl Day {
    /// The day of a time.
    pub(super) fn of(time: UnixMillis) -> Self {
        let (year, month, day) = time.date();
        Self(format!("{year:04}-{month:02}-{day:02}"))
    }

    /// `2026-11-23` at the beginning of a text, and what follows.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (date, rest) = text.split_at_checked(10)?;
        let fits = |(index, byte): (usize, u8)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        };
        date.bytes()
            .enumerate()
            .all(fits)
            .then(|| (Self(date.to_owned()), rest))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which file of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The one that is written to.
    Open,
    /// One that is compressed, counted from 1.
    Compressed(u32),
}

/// The names of one output's files.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The output's name.
    pub(super) output: String,
    /// `csv` or `jsonl`.
    pub(super) extension: &'static str,
}

impl Names {
    /// `house-2026-11-23.csv`, `house-2026-11-23.csv.gz`, `house-2026-11-23.2.csv.gz`.
    pub(super) fn file(&self, day: &Day, part: Part) -> String {
        let Self { output, extension } = self;
        match part {
            Part::Open => format!("{output}-{day}.{extension}"),
            Part::Compressed(1) => format!("{output}-{day}.{extension}.gz"),
            Part::Compressed(part) => format!("{output}-{day}.{part}.{extension}.gz"),
        }
    }

    /// The file that says whose the others are.
    pub(super) fn lock(&self) -> String {
        format!(".{}.{}.lock", self.output, self.extension)
    }

    /// A compressed file before it is whole.
    pub(super) fn unfinished(&self) -> String {
        format!(".{}.{}.gz.unfinished", self.output, self.extension)
    }

    /// Which file a path is, if it is one of these.
    pub(super) fn read(&self, path: &Path) -> Option<(Day, Part)> {
        let name = path.file_name()?.to_str()?;
        let dated = name.strip_prefix(&self.output)?.strip_prefix('-')?;
        let (day, rest) = Day::parse(dated)?;
        let part = match rest.strip_suffix(".gz") {
            None => Part::Open,
            Some(rest) => {
                let part = rest.strip_suffix(self.extension)?.strip_suffix('.')?;
                Part::Compressed(match part.strip_prefix('.') {
                    None => 1,
                    Some(part) => part.parse().ok()?,
                })
            }
        };
        // What would be written otherwise, such as `.02.`, is somebody else's.
        (self.file(&day, part) == name).then_some((day, part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(output: &str) -> Names {
        Names {
            output: output.to_owned(),
            extension: "csv",
        }
    }

    #[test]
    fn names_read_back() {
        let day = Day::of(UnixMillis(1_795_369_980_123));
        for (part, name) in [
            (Part::Open, "house-2026-11-22.csv"),
            (Part::Compressed(1), "house-2026-11-22.csv.gz"),
            (Part::Compressed(2), "house-2026-11-22.2.csv.gz"),
            (Part::Compressed(13), "house-2026-11-22.13.csv.gz"),
        ] {
            assert_eq!(names("house").file(&day, part), name);
            let path = Path::new("/var").join(name);
            assert_eq!(names("house").read(&path), Some((day.clone(), part)));
        }
    }

    #[test]
    fn other_files_are_left_alone() {
        for name in [
            "house-2026-11-22.jsonl",
            "house-2026-11-22.csv.bz2",
            "house-2026-11-22.02.csv.gz",
            "house-2026-11-22.1.csv.gz",
            "house-2026-11-22x.csv",
            "house-2026.csv",
            "houses-2026-11-22.csv",
            "house-2026-11-22-2026-11-23.csv",
            "house-äöüäöü.csv",
            "house-.csv",
        ] {
            assert_eq!(names("house").read(Path::new(name)), None, "{name}");
        }
    }
}
