//! The configuration reference, written from what the program says of itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;

/// What stands behind this line is written by this module.
const MARK: &str = "<!-- Written by `cargo xtask docs` from the types: change those instead of what follows. -->\n";

/// Writes the reference anew.
pub fn write(programs: &Path) -> Result<(), Failure> {
    let page = page();
    fs::write(&page, current(&page, programs)?).map_err(Failure::file(page))
}

/// Whether the reference says what the program says.
pub fn check(programs: &Path) -> Result<(), Failure> {
    let page = page();
    let written = fs::read_to_string(&page).map_err(Failure::file(&page))?;
    if written == current(&page, programs)? {
        return Ok(());
    }
    Err(Failure::Document {
        document: "docs/configuration.md".to_owned(),
        line: 1,
        what: "it does not say what the program does: run `cargo xtask docs`".to_owned(),
    })
}

fn page() -> PathBuf {
    process::root().join("docs/configuration.md")
}

/// The page as it ought to be: its own introduction, then the example with every key.
fn current(page: &Path, programs: &Path) -> Result<String, Failure> {
    let written = fs::read_to_string(page).map_err(Failure::file(page))?;
    let example =
        process::output(Command::new(programs.join("meterline")).args(["config", "example"]))?;
    Ok(with_example(&written, &example))
}

fn with_example(written: &str, example: &str) -> String {
    let introduction = written.split(MARK).next().unwrap_or_default();
    let end = if example.ends_with('\n') { "" } else { "\n" };
    format!("{introduction}{MARK}\n```toml\n{example}{end}```\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_introduction_stays() {
        let first = with_example(&format!("# Title\n\n{MARK}"), "a = 1");
        assert_eq!(first, format!("# Title\n\n{MARK}\n```toml\na = 1\n```\n"));
        let second = with_example(&first, "a = 2\n");
        assert_eq!(second, format!("# Title\n\n{MARK}\n```toml\na = 2\n```\n"));
    }
}
