//! `meterline decode`: what did the meter send?

mod format;
mod hex;
mod hint;
mod json;
mod notes;
mod source;
mod telegram;
mod text;

use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _};
use std::path::{Path, PathBuf};

use meter_core::{Reading, Stamped, UnixMillis};
use meter_gateway::times;
use sml_wire::{Decoder, Event, Frame, Skipped};

use crate::failure::{Exit, Failure};
use crate::paint::{Paint, When};
use crate::progress::Progress;
use format::{Format, Payload};
use notes::Tally;
use source::{Encoding, Source};
use telegram::{Broken, Found};

/// The longest telegram that is looked for. Real ones stay below 1 KiB.
const LONGEST_FRAME: usize = 64 * 1024;

/// Show what a meter sent: decode a capture, or bytes from standard input
///
/// Takes the bytes as they are, or as hex text in any usual form (one run of digits, dumps of
/// Tasmota, xxd or hexdump -C), and finds out which by itself. What is skipped is
/// reported with the reason: in the text between the telegrams, otherwise on standard error.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline decode capture.bin
  meterline decode --format json capture.bin | jq .registers
  meterline decode --format tree dump.txt | less
  meterline decode --format mqtt capture.bin      what the output mqtt would publish
  meterline sim q3a --count 3 | meterline decode

JSON: one object for each list of values (GetList.Res) and line, when the CRC of the message and
that of its frame are right:
  offset, length   where the frame starts (the four 1b before 01010101) and how long it is, in
                   bytes that the meter sent (for hex text: not characters)
  crc              \"x25\" or \"kermit\"
  server_id        hex; meter_id is the same as on the nameplate
  seconds_index    the meter's clock, or null
  registers        in the meter's order: obis; value (exact number, text, or null); unit (or
                   null); raw (the integer as encoded, or hex, or null); scaler; type (u8..u64,
                   i8..i64, oN, bool, time, list, none); status; quirk, the name of the rule by
                   which the value was corrected, only where it was. Octets that are printable
                   ASCII are text, others hex; a bool is true or false; a time its seconds.
  salvaged         true, with --salvage, when the frame's CRC is wrong

Exit status:
  0  the input was read to its end
  1  it could not be read; with --strict also: something was skipped, or there was no telegram")]
pub struct Arguments {
    /// The capture; `-` is standard input
    #[arg(default_value = "-", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,

    /// What to print: what the meter sent, or what an output would make of it
    #[arg(long, short, default_value = "text")]
    format: Format,

    /// When all of it was taken, for what outputs send. A recording does not say; without this: now
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    time: Option<UnixMillis>,

    /// How the input is written down
    #[arg(long, default_value = "auto")]
    encoding: Encoding,

    /// Also take messages whose own CRC is right out of frames that are broken or cut
    #[arg(long)]
    salvage: bool,

    /// Exit with status 1 when anything was skipped or no telegram was found
    #[arg(long)]
    strict: bool,
}

impl Arguments {
    /// Decodes the whole input.
    pub fn run(&self, color: When) -> Result<Exit, Failure> {
        if self.file == Path::new("-") && io::stdin().is_terminal() {
            // Nothing is lost when nobody reads this.
            let _ = writeln!(
                io::stderr(),
                "reading hex text from the terminal until Ctrl-D; name a FILE to read that"
            );
        }
        let source = Source::open(&self.file, self.encoding)?;
        let stdout = io::stdout();
        let paint = Paint::new(color, &stdout);
        let aside = if self.format.is_for_people() {
            paint
        } else {
            Paint::new(color, &io::stderr())
        };
        let mut decoding = Decoding {
            format: self.format,
            time: self.time,
            salvage: self.salvage,
            paint,
            aside,
            progress: Progress::reading(source.length()),
            tally: Tally::default(),
            frames: 0,
            out: BufWriter::new(stdout.lock()),
        };
        let clean = decoding.all(source)?;
        Ok(if self.strict && !clean {
            Exit::Failed
        } else {
            Exit::Success
        })
    }
}

/// The state of decoding one input.
struct Decoding {
    format: Format,
    /// When all telegrams were taken; none for now.
    time: Option<UnixMillis>,
    salvage: bool,
    /// For what goes to standard output.
    paint: Paint,
    /// For notes about what was skipped.
    aside: Paint,
    progress: Progress,
    tally: Tally,
    /// Frames so far, good or salvaged.
    frames: u64,
    out: BufWriter<StdoutLock<'static>>,
}

impl Decoding {
    fn all(&mut self, mut source: Source) -> Result<bool, Failure> {
        let mut decoder = Decoder::new(vec![0; LONGEST_FRAME]);
        let mut start = Vec::new();
        let header = self.format.header().as_bytes();
        self.out.write_all(header).map_err(Failure::output)?;
        while let Some(chunk) = source.next()? {
            let wanted = chunk.len().min(hint::START - start.len());
            start.extend_from_slice(chunk.get(..wanted).unwrap_or_default());
            let mut rest = chunk;
            while let Some(event) = decoder.next(&mut rest) {
                self.event(&event)?;
            }
            // What came in one piece is shown at once: the input may be a meter.
            self.out.flush().map_err(Failure::output)?;
            self.progress.read(source.position(), self.tally.readings);
        }
        while let Some(event) = decoder.finish() {
            self.event(&event)?;
        }
        self.tally.lines_left_out = source.lines_left_out();
        let counts = decoder.counts();
        let summary = self.tally.summary(counts, source.start(), &start);
        self.note(&self.aside.dim(summary).to_string())?;
        self.out.flush().map_err(Failure::output)?;
        Ok(self.tally.clean(counts))
    }

    fn event(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        match event {
            Event::Frame(frame) => self.frame(frame),
            Event::Skipped(skipped) => self.skipped(skipped),
        }
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), Failure> {
        self.frames += 1;
        if self.format == Format::Tree {
            writeln!(self.out, "{frame}").map_err(Failure::output)?;
        }
        for found in telegram::of_frame(self.frames, frame) {
            self.found(found)?;
        }
        Ok(())
    }

    fn skipped(&mut self, skipped: &Skipped<'_>) -> Result<(), Failure> {
        self.note(&notes::skipped(skipped, self.aside))?;
        self.gap()?;
        if !self.salvage || skipped.bytes.is_empty() {
            return Ok(());
        }
        let number = self.frames + 1;
        for found in telegram::of_skipped(number, skipped) {
            self.frames = number;
            self.tally.salvaged += u64::from(found.is_ok());
            self.found(found)?;
        }
        Ok(())
    }

    fn found(&mut self, found: Found<'_>) -> Result<(), Failure> {
        let (telegram, reading) = match found {
            Ok(found) => found,
            Err(Broken(reason)) => {
                self.tally.broken_messages += 1;
                let text = format!("telegram {}: {reason}", self.frames);
                self.note(&self.aside.warn(text).to_string())?;
                return self.gap();
            }
        };
        self.tally.readings += 1;
        let text = match (self.format, self.format.payload()) {
            (_, Some(payload)) => self.sent(payload, reading),
            (Format::Json, _) => json::line(&telegram, &reading),
            // The tree of the whole frame has been printed.
            (Format::Tree, _) if !telegram.salvaged => return Ok(()),
            _ => text::table(&telegram, &reading, self.paint),
        };
        self.out.write_all(text.as_bytes()).map_err(Failure::output)
    }

    /// What an output would send.
    fn sent(&self, payload: Payload, reading: Reading<'_>) -> String {
        let time = self.time.unwrap_or_else(times::now);
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = payload(&Stamped { time, reading }, &mut text);
        text
    }

    /// Sets what follows apart, where people read it.
    fn gap(&mut self) -> Result<(), Failure> {
        if !self.format.is_for_people() {
            return Ok(());
        }
        writeln!(self.out).map_err(Failure::output)
    }

    /// Tells a person something: in the text, or beside what programs read.
    fn note(&mut self, text: &str) -> Result<(), Failure> {
        if self.format.is_for_people() {
            writeln!(self.out, "{text}").map_err(Failure::output)
        } else {
            self.progress.println(text);
            Ok(())
        }
    }
}
