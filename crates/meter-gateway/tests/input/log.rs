//! What inputs say.

use tracing::Level;

#[path = "../log/mod.rs"]
mod collected;

pub use collected::listen;

/// What the input of this name has said at `level`, so far.
pub fn said(level: Level, input: &str) -> Vec<String> {
    let (level, input) = (level.to_string(), format!("input={input}"));
    let of_input =
        |line: &String| line.starts_with(&level) && line.split(' ').any(|word| word == input);
    collected::lines(None)
        .into_iter()
        .filter(of_input)
        .collect()
}
