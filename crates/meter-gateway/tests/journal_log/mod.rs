//! What the journal says.

use std::path::Path;

#[path = "../log/mod.rs"]
mod collected;

pub use collected::listen;

/// The warnings and errors that name something in this directory, so far.
pub fn about(directory: &Path) -> Vec<String> {
    let directory = directory.display().to_string();
    let loud = |line: &String| line.starts_with("WARN") || line.starts_with("ERROR");
    collected::lines(None)
        .into_iter()
        .filter(|line| loud(line) && line.contains(&directory))
        .collect()
}
