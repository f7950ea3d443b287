//! What the device has to say: a line on the console for each event, and the grave ones for the
//! [`ring`](crate::ring) in flash.

use core::cell::{Cell, RefCell};
use core::fmt::{self, Write as _};
use core::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::pipe::Pipe;
use heapless::{Deque, String};

use crate::checksum;

/// How long a text of an event may be; the rest is cut.
pub const LONGEST_TEXT: usize = 160;

/// Lines that wait for the console.
const WAITING: usize = 2048;

/// Grave events that wait for the ring.
const GRAVE: usize = 6;

/// An event that is said again within this time is not kept a second time: a server that is away for a
/// day must not push everything else out of the ring.
const SAID_ALREADY: Duration = Duration::from_hours(1);

/// How grave an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Good to know.
    Info,
    /// Somebody should look.
    Warn,
    /// Readings are at risk.
    Error,
}

impl Level {
    /// The word in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// An event for the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, on the monotonic clock.
    pub at: Duration,
    /// How grave it is.
    pub level: Level,
    /// What happened. Holds no secret.
    pub text: String<LONGEST_TEXT>,
}

/// The log. Never waits: what nobody reads in time is counted and dropped.
#[derive(Debug)]
pub struct Log {
    lines: Pipe<NoopRawMutex, WAITING>,
    grave: Channel<NoopRawMutex, Event, GRAVE>,
    /// What was kept lately, and when.
    kept: RefCell<Deque<(Duration, u32), 16>>,
    lost: Cell<u32>,
}

impl Log {
    /// An empty log.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            lines: Pipe::new(),
            grave: Channel::new(),
            kept: RefCell::new(Deque::new()),
            lost: Cell::new(0),
        }
    }

    /// Says something.
    pub fn say(&self, now: Duration, level: Level, text: fmt::Arguments<'_>) {
        let mut event = Event {
            at: now,
            level,
            text: String::new(),
        };
        // Cuts what is too long.
        let _ = Cutting(&mut event.text).write_fmt(text);
        self.print(&event);
        if level > Level::Info && self.is_new(&event) && self.grave.try_send(event).is_err() {
            self.lost.set(self.lost.get().saturating_add(1));
        }
    }

    /// Waits for lines for the console. Not to be read from two places.
    pub async fn lines(&self, buffer: &mut [u8]) -> usize {
        self.lines.read(buffer).await
    }

    /// Waits for an event for the ring.
    pub async fn grave(&self) -> Event {
        self.grave.receive().await
    }

    /// Lines and events that nobody had room for.
    #[must_use]
    pub fn lost(&self) -> u32 {
        self.lost.get()
    }

    fn print(&self, event: &Event) {
        let Event { at, level, text } = event;
        let mut line = String::<{ LONGEST_TEXT + 32 }>::new();
        let written = writeln!(
            line,
            "{:>9}.{:03} {:<5} {text}",
            at.as_secs(),
            at.subsec_millis(),
            level.as_str()
        );
        // A line is printed whole or not at all.
        if written.is_err() || self.lines.free_capacity() < line.len() {
            self.lost.set(self.lost.get().saturating_add(1));
            return;
        }
        let mut rest = line.as_bytes();
        // A pipe takes no more at once than lies before its end.
        while let Ok(count) = self.lines.try_write(rest) {
            rest = rest.get(count..).unwrap_or_default();
            if rest.is_empty() {
                return;
            }
        }
    }

    fn is_new(&self, event: &Event) -> bool {
        let mark = checksum::of(event.text.as_bytes());
        let mut kept = self.kept.borrow_mut();
        let said = |(at, text): &(Duration, u32)| {
            *text == mark && event.at.saturating_sub(*at) < SAID_ALREADY
        };
        if kept.iter().any(said) {
            return false;
        }
        if kept.is_full() {
            kept.pop_front();
        }
        let _ = kept.push_back((event.at, mark));
        true
    }
}

impl Default for Log {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes as much as there is room for, and one line only.
struct Cutting<'a, const N: usize>(&'a mut String<N>);

impl<const N: usize> fmt::Write for Cutting<'_, N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            let letter = if letter.is_control() { ' ' } else { letter };
            self.0.push(letter).map_err(|_| fmt::Error)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embassy_futures::block_on;

    fn printed(log: &Log) -> std::string::String {
        let mut text = std::vec::Vec::new();
        while !log.lines.is_empty() {
            let mut buffer = [0; 256];
            let count = block_on(log.lines(&mut buffer));
            text.extend_from_slice(&buffer[..count]);
        }
        std::string::String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn lines_are_whole_wherever_they_lie_in_the_pipe() {
        let log = Log::new();
        for number in 0..1000 {
            log.say(
                Duration::ZERO,
                Level::Info,
                format_args!("line {number} of many"),
            );
            let wanted = std::format!("        0.000 INFO  line {number} of many\n");
            assert_eq!(printed(&log), wanted);
        }
    }

    #[test]
    fn a_line_is_one_line_and_is_cut() {
        let log = Log::new();
        let words = "ä\n{".repeat(100);
        log.say(
            Duration::from_millis(61_005),
            Level::Info,
            format_args!("{words}"),
        );
        let line = printed(&log);
        assert!(line.starts_with("       61.005 INFO  ä {ä"), "{line}");
        assert_eq!(line.lines().count(), 1);
        assert!(line.len() < LONGEST_TEXT + 32);
    }

    #[test]
    fn the_same_is_kept_once_an_hour() {
        let log = Log::new();
        for minute in 0..61 {
            let now = Duration::from_mins(minute);
            log.say(
                now,
                Level::Warn,
                format_args!("rest: the server does not answer"),
            );
        }
        assert_eq!(block_on(log.grave()).at, Duration::ZERO);
        assert_eq!(block_on(log.grave()).at, Duration::from_hours(1));
        assert!(log.grave.is_empty());
    }

    #[test]
    fn what_nobody_reads_is_counted() {
        let log = Log::new();
        for second in 0..1000 {
            log.say(
                Duration::from_secs(second),
                Level::Info,
                format_args!("{second}"),
            );
        }
        let lines = printed(&log).lines().count();
        assert_eq!(lines + log.lost() as usize, 1000);
    }
}
