//! A directory, which is away when it has another name.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use super::{IMPATIENT, Server};
use crate::rows::{Held, Place, Registers, register};
use crate::{Head, Result};

/// Where both outputs into files write.
#[derive(Debug)]
pub struct Directory {
    here: PathBuf,
    elsewhere: PathBuf,
}

impl Directory {
    pub fn make(folder: &Path) -> Result<Self> {
        let here = folder.join("files");
        fs::create_dir(&here)?;
        let elsewhere = folder.join("elsewhere");
        Ok(Self { here, elsewhere })
    }

    /// The lines of all days of an output.
    fn lines(&self, ending: &str) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for entry in fs::read_dir(&self.here)? {
            let path = entry?.path();
            if path.extension().is_some_and(|found| found == ending) {
                let text = fs::read_to_string(path)?;
                lines.extend(text.lines().map(str::to_owned));
            }
        }
        Ok(lines)
    }

    fn csv(&self) -> Result<Held> {
        let mut held = Held::default();
        for line in self.lines("csv")? {
            let columns = cells(&line);
            let [meter, time, obis, unit, value] =
                [1, 0, 2, 5, 4].map(|column: usize| columns.get(column).map_or("", String::as_str));
            if time != "time" {
                let place = Place::new(meter, time, &register(obis, Some(unit)));
                held.add(place, value.to_owned(), true);
            }
        }
        Ok(held)
    }

    fn jsonl(&self) -> Result<Held> {
        let mut held = Held::default();
        for line in self.lines("jsonl")? {
            let reading: Value = serde_json::from_str(&line)?;
            held.add_json(&reading)?;
        }
        Ok(held)
    }
}

impl Server for Directory {
    fn outputs(&self, _: &[Head]) -> String {
        let output = |kind: &str| {
            format!(
                "[output.{kind}]\ntype = \"{kind}\"\ndirectory = \"{}\"\nsync_interval = \"100ms\"\n{IMPATIENT}\n",
                self.here.display()
            )
        };
        output("csv") + &output("jsonl")
    }

    fn away(&mut self, _: Signal) {
        // If it is not away, nothing is lost, which shows in what is held.
        let _ = fs::rename(&self.here, &self.elsewhere);
    }

    fn back(&mut self) -> Result {
        Ok(fs::rename(&self.elsewhere, &self.here)?)
    }

    fn held(&self) -> Result<Vec<(&'static str, Registers, Held)>> {
        Ok(vec![
            ("csv", Registers::All, self.csv()?),
            ("jsonl", Registers::All, self.jsonl()?),
        ])
    }
}

/// The cells of a line of CSV; none here has an end of line in it.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut rest = line.chars().peekable();
    while let Some(character) = rest.next() {
        let Some(cell) = cells.last_mut() else {
            return cells;
        };
        match character {
            '"' if quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            character => cell.push(character),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::cells;

    #[test]
    fn quotes_protect_commas() {
        assert_eq!(cells(r#"a,"b,""c""",,d"#), ["a", r#"b,"c""#, "", "d"]);
    }
}
