//! What the device says of itself, and what of that must not be.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use serde_json::Value;

use super::plan::Span;

/// So much more of the heap may be in use after a quiet hour than after the first: where a list of free
/// pieces is cut differently, the same things take a few bytes more.
const HEAP_SLACK: u64 = 256;

/// What was heard.
#[derive(Debug, Default)]
pub struct Watch {
    starts_wanted: u32,
    starts: Vec<String>,
    /// The least heap in use at the end of each quiet hour.
    pub heap: [Option<u64>; 3],
    /// The most heap that was in use at once.
    pub heap_peak: u64,
    /// The most stack that was in use at once.
    pub stack_peak: u64,
    /// The most readings that waited in RAM, and in flash.
    pub backlog: [u64; 2],
    outbox: Option<Value>,
    overrun: u64,
    looks: u32,
    /// How often each warning and error was said.
    pub said: BTreeMap<String, u32>,
}

impl Watch {
    /// Of a device that has to start so many times before the day begins.
    #[must_use]
    pub fn new(starts_wanted: u32) -> Self {
        Self {
            starts_wanted,
            ..Self::default()
        }
    }

    /// One more start is to come.
    pub fn expect_start(&mut self) {
        self.starts_wanted += 1;
    }

    /// Takes a line of the console in.
    pub fn hear(&mut self, now: Duration, line: &str, quiet: &[Span; 3]) {
        if line.starts_with("{\"info\"") {
            if let Ok(info) = serde_json::from_str::<Value>(line) {
                self.look(now, &info["info"], quiet);
            }
            return;
        }
        let mut words = line.trim_start().splitn(3, ' ');
        let (_, level, text) = (words.next(), words.next(), words.next().unwrap_or_default());
        let text = text.trim_start();
        if text.starts_with("start ") {
            self.starts.push(text.to_owned());
        }
        if let Some(level @ ("WARN" | "ERROR")) = level {
            let kind: String = text
                .chars()
                .map(|letter| if letter.is_ascii_digit() { '#' } else { letter })
                .collect();
            let kind = kind
                .replace("##", "#")
                .replace("##", "#")
                .replace("##", "#");
            *self.said.entry(format!("{level} {kind}")).or_default() += 1;
        } else if level != Some("INFO") && !line.starts_with('{') {
            *self.said.entry(format!("? {line}")).or_default() += 1;
        }
    }

    fn look(&mut self, now: Duration, info: &Value, quiet: &[Span; 3]) {
        self.looks += 1;
        let memory = |key: &str| info["memory"][key].as_u64().unwrap_or(u64::MAX);
        for (place, span) in self.heap.iter_mut().zip(quiet) {
            // With a connection it is more than without.
            if span.has_settled(now) && info["delivery"]["last_s"].is_u64() {
                let used = memory("heap_used");
                *place = Some(place.map_or(used, |least| least.min(used)));
            }
        }
        self.heap_peak = self.heap_peak.max(memory("heap_peak"));
        self.stack_peak = self.stack_peak.max(memory("stack_peak"));
        self.overrun = self.overrun.max(info["overrun"].as_u64().unwrap_or(0));
        let outbox = &info["outbox"];
        for (most, key) in self.backlog.iter_mut().zip(["in_memory", "in_flash"]) {
            *most = (*most).max(outbox[key].as_u64().unwrap_or(0));
        }
        self.outbox = Some(outbox.clone());
    }

    /// The next look tells how the outbox is.
    pub fn forget_outbox(&mut self) {
        self.outbox = None;
    }

    /// Whether nothing waits in the device, at the last look.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let none = |key: &str| {
            let outbox = self.outbox.as_ref();
            outbox.is_some_and(|outbox| outbox[key].as_u64() == Some(0))
        };
        none("in_memory") && none("in_flash")
    }

    /// What must not be.
    #[must_use]
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let starts = self.starts.len();
        if starts != self.starts_wanted as usize {
            wrong.push(format!(
                "{starts} starts, and {} were provoked",
                self.starts_wanted
            ));
        }
        for start in &self.starts {
            if !start.ends_with(": power") && !start.ends_with(": asked") {
                wrong.push(format!("an unprovoked {start}"));
            }
        }
        match self.heap {
            [Some(first), Some(middle), Some(last)] => {
                if last.max(middle) > first + HEAP_SLACK || last > middle + HEAP_SLACK {
                    wrong.push(format!(
                        "heap in use has grown from {first} over {middle} to {last} bytes"
                    ));
                }
            }
            _ => wrong.push("the heap was not seen in every quiet hour".to_owned()),
        }
        for (said, count) in &self.said {
            if said.starts_with("ERROR") || said.starts_with('?') {
                wrong.push(format!("said {count} times: {said}"));
            }
        }
        if self.overrun > 0 {
            wrong.push(format!("{} bytes of the meter were lost", self.overrun));
        }
        let counter = |key: &str| {
            let outbox = self.outbox.as_ref();
            outbox.map_or(0, |outbox| outbox[key].as_u64().unwrap_or(0))
        };
        for key in ["thinned", "dropped"] {
            if counter(key) > 0 {
                wrong.push(format!("{} readings were {key}", counter(key)));
            }
        }
        wrong
    }

    /// All of it, in lines.
    #[must_use]
    pub fn summary(&self) -> String {
        let [memory, flash] = self.backlog;
        let mut text = format!(
            "starts: {}; heap in use after quiet hours: {:?}, peak {}; stack peak {}\n\
             outbox: at most {memory} readings in RAM and {flash} in flash; at the end {}",
            self.starts.len(),
            self.heap.map(Option::unwrap_or_default),
            self.heap_peak,
            self.stack_peak,
            self.outbox.clone().unwrap_or_default(),
        );
        for (said, count) in &self.said {
            // A string takes everything.
            let _ = write!(text, "\n{count:>6} x {said}");
        }
        text
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [memory, flash] = self.backlog;
        write!(
            f,
            "{} starts, {memory}/{flash} waited at most, {} looks",
            self.starts.len(),
            self.looks
        )
    }
}
