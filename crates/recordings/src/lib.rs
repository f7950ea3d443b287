//! Recordings of real meters, for tests: where they lie, and what it means that they do not.
//!
//! They have no licence, so they are not part of the project.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder that holds `captures/`: what the environment variable `METERLINE_SHARED` names, else
/// `../shared` beside the checkout. `None` where there are no captures in it.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    fs::canonicalize(wanted())
        .ok()
        .filter(|folder| folder.join("captures").is_dir())
}

/// The captures, each a `.bin` with a `.jsonl` beside it that says what is in it, in the order of
/// their names; never none.
///
/// `None` where they are not at hand, which is said.
///
/// # Panics
///
/// With `CI=true`, where a run is to prove something, when they are not at hand.
#[must_use]
pub fn captures() -> Option<Vec<PathBuf>> {
    let entries = folder().and_then(|folder| fs::read_dir(folder.join("captures")).ok());
    let mut files: Vec<_> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .collect();
    if files.is_empty() {
        missing(&format!(
            "no recordings of real meters in {}",
            wanted().join("captures").display()
        ));
        return None;
    }
    files.sort();
    Some(files)
}

/// Says that something outside the project is missing, so that a test has tested nothing.
///
/// # Panics
///
/// With `CI=true`: there nothing may be left out.
pub fn missing(what: &str) {
    let ci = env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!ci, "{what}");
    #[expect(clippy::print_stderr, reason = "a test that did not run must say so")]
    {
        eprintln!("skipped: {what}");
    }
}

fn wanted() -> PathBuf {
    env::var_os("METERLINE_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    )
}
