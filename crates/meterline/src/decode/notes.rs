//! What was skipped, and why: one line each, and one in the end.

use sml_wire::{Cause, Counts, Skipped};

use super::hint;
use crate::paint::Paint;

/// What a person is told about bytes that are no telegram.
pub fn skipped(skipped: &Skipped<'_>, paint: Paint) -> String {
    let Skipped {
        offset,
        length,
        cause,
        ..
    } = *skipped;
    let bytes = if length == 1 { "byte" } else { "bytes" };
    let reason = reason(cause);
    paint
        .warn(format!("skipped {length} {bytes} at {offset}: {reason}"))
        .to_string()
}

fn reason(cause: Cause) -> &'static str {
    match cause {
        Cause::Noise => "not part of a telegram",
        Cause::Crc => "a telegram with a wrong CRC: bytes were lost or changed on the line",
        Cause::Cut => "a telegram that is cut off",
        Cause::TooLong => "a telegram without an end",
        Cause::Invalid => "a telegram with an escape sequence that SML does not have",
        Cause::Version2 => "a telegram of transport version 2, which is not supported",
    }
}

/// What was counted while decoding.
#[derive(Debug, Default)]
pub struct Tally {
    /// Lists of values that were shown.
    pub readings: u64,
    /// Of these, the ones that were salvaged.
    pub salvaged: u64,
    /// Messages in good frames that were broken.
    pub broken_messages: u64,
    /// Lines of hex text that were not hex.
    pub lines_left_out: u64,
}

impl Tally {
    /// Whether everything could be decoded, and there was something.
    pub fn clean(&self, counts: &Counts) -> bool {
        self.readings > 0 && self.broken_messages == 0 && skipped_bytes(counts) == 0
    }

    /// All of it in one line, and a second one with advice when nothing was found.
    pub fn summary(&self, counts: &Counts, text: &[u8], start: &[u8]) -> String {
        let total = counts.frame_bytes + skipped_bytes(counts);
        let mut parts = vec![format!("{} with values", plural(self.readings, "telegram"))];
        if self.salvaged > 0 {
            parts.push(format!("{} of them salvaged", self.salvaged));
        }
        if self.broken_messages > 0 {
            parts.push(format!(
                "{} broken",
                plural(self.broken_messages, "message")
            ));
        }
        for (count, name) in [
            (counts.crc, "with a wrong CRC"),
            (counts.cut, "cut off"),
            (counts.too_long, "without an end"),
            (counts.invalid, "invalid"),
            (counts.version_2, "of transport version 2"),
        ] {
            if count > 0 {
                parts.push(format!("{} {name}", plural(count, "telegram")));
            }
        }
        parts.push(format!(
            "{} of {} skipped",
            skipped_bytes(counts),
            plural(total, "byte")
        ));
        if self.lines_left_out > 0 {
            parts.push(format!("{} not hex", plural(self.lines_left_out, "line")));
        }
        let mut line = parts.join(", ");
        if counts.frames == 0
            && let Some(advice) = hint::advice(text, start, total)
        {
            line.push('\n');
            line.push_str(advice);
        }
        line
    }
}

fn skipped_bytes(counts: &Counts) -> u64 {
    counts.noise_bytes
        + counts.crc_bytes
        + counts.cut_bytes
        + counts.too_long_bytes
        + counts.invalid_bytes
        + counts.version_2_bytes
}

fn plural(count: u64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}
