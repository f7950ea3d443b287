//! A bar on standard error while a long file is read.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shorter files are done before anybody looks.
const LONG: u64 = 8 * 1024 * 1024;

/// The bar, or nothing when nobody would see it.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar for a long file, when standard error is a terminal and what is printed goes
    /// elsewhere, so that the two do not mix.
    pub fn new(length: Option<u64>) -> Self {
        let seen = io::stderr().is_terminal() && !io::stdout().is_terminal();
        let Some(length) = length.filter(|length| seen && *length >= LONG) else {
            return Self(None);
        };
        let template = "{bar:40} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left  {msg}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr())
            .with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(Some(bar))
    }

    /// So far.
    pub fn at(&self, position: u64, telegrams: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(position);
            bar.set_message(format!("{telegrams} telegrams"));
        }
    }

    /// Prints a line to standard error without tearing the bar.
    pub fn println(&self, line: &str) {
        if let Some(bar) = &self.0 {
            bar.println(line);
        } else {
            // Standard error is gone: nobody is left to tell.
            let _ = writeln!(io::stderr().lock(), "{line}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
