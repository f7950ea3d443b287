//! A bar on standard error while a long file is read or written.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shorter files are read before anybody looks.
const LONG: u64 = 8 * 1024 * 1024;

/// Fewer simulated telegrams are written before anybody looks.
const MANY: u64 = 50_000;

/// The bar, or nothing when nobody would see it.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// No bar.
    pub fn none() -> Self {
        Self(None)
    }

    /// A bar for a long file that is read, when standard error is a terminal and what is printed goes
    /// elsewhere, so that the two do not mix.
    pub fn reading(length: Option<u64>) -> Self {
        let seen = io::stderr().is_terminal() && !io::stdout().is_terminal();
        let Some(length) = length.filter(|length| seen && *length >= LONG) else {
            return Self(None);
        };
        Self::shown(
            Some(length),
            "{wide_bar} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left  {msg}",
        )
    }

    /// A bar for so many telegrams that are written into a file, or a count where there is no end.
    /// `slowly` as the meters send them, so that even a few take their time.
    pub fn writing(telegrams: Option<u64>, slowly: bool) -> Self {
        let long = slowly || telegrams.is_none_or(|telegrams| telegrams >= MANY);
        if !long || !io::stderr().is_terminal() {
            return Self(None);
        }
        let template = match telegrams {
            Some(_) => "{wide_bar} {human_pos} of {human_len} telegrams  {eta} left  {msg}",
            None => "{spinner} {human_pos} telegrams  {msg}  Ctrl-C ends it; --count would, too",
        };
        Self::shown(telegrams, template)
    }

    fn shown(length: Option<u64>, template: &str) -> Self {
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar =
            ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr()).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(Some(bar))
    }

    /// Read so far.
    pub fn read(&self, position: u64, telegrams: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(position);
            bar.set_message(format!("{telegrams} telegrams"));
        }
    }

    /// Written so far.
    pub fn written(&self, telegrams: u64, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(telegrams);
            bar.set_message(BinaryBytes(bytes).to_string());
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
