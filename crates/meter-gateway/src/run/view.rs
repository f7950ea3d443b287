//! What the running program shows of itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use meter_core::UnixMillis;
use tokio::sync::watch;

use crate::input::Captured;
use crate::journal::Record;
use crate::{input, journal, output, serve};

/// Everything that a terminal, a metric or the service manager shows, at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Each input by its name.
    pub inputs: BTreeMap<String, input::Status>,
    /// Each meter by its server id.
    pub meters: BTreeMap<Box<[u8]>, MeterView>,
    /// Each output by its name.
    pub outputs: BTreeMap<String, output::Status>,
    /// The HTTP server, if there is to be one.
    pub http: Option<serve::Status>,
    /// The journal.
    pub journal: journal::Status,
    /// Readings that were committed to the journal since the start.
    pub stored: u64,
    /// Time stamps wait for a clock that is right.
    pub clock_wrong: bool,
    /// Why the last reload was refused.
    pub bad_config: Option<String>,
}

/// The newest of one meter.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterView {
    /// The input that it came from; `None` when it is from an earlier run.
    pub input: Option<String>,
    /// When it was taken.
    pub time: UnixMillis,
    /// The same on the [monotonic](input::monotonic) clock; `None` when it is from an earlier run.
    pub taken: Option<Duration>,
    /// How far apart its readings come, not counting pauses; `None` until the second one of this run.
    pub pace: Option<Duration>,
    /// The newest reading, as the meter's own `GetList.Res` body.
    pub body: Arc<[u8]>,
    /// Readings since the start, suspects not counted.
    pub readings: u64,
    /// Readings since the start that the guard refused.
    pub suspects: u64,
}

impl fmt::Display for Snapshot {
    /// One line, for `systemctl status`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self
            .meters
            .values()
            .filter(|meter| meter.input.is_some())
            .count();
        write!(
            f,
            "{} stored from {}",
            count(self.stored, "reading"),
            count(live as u64, "meter")
        )?;
        for (name, status) in &self.inputs {
            if let input::State::Trouble(trouble) = &status.state {
                write!(f, "; input {name}: {trouble}")?;
            }
        }
        for (name, status) in &self.outputs {
            write!(f, "; output {name}: ")?;
            match (status.state, &status.last_error) {
                (output::State::Retrying | output::State::Misconfigured, Some(error)) => {
                    write!(f, "{} waiting, {error}", count(status.backlog, "reading"))?;
                }
                _ if status.backlog > 0 => {
                    write!(f, "{} waiting", count(status.backlog, "reading"))?;
                }
                _ => write!(f, "{} delivered", status.delivered)?,
            }
        }
        if self.journal.suspects > 0 {
            write!(
                f,
                "; {} kept apart",
                count(self.journal.suspects, "suspect")
            )?;
        }
        if let Some(trouble) = &self.journal.trouble {
            write!(f, "; journal: {trouble}")?;
        }
        if let Some(trouble) = self.http.as_ref().and_then(|http| http.trouble.as_ref()) {
            write!(f, "; http: {trouble}")?;
        }
        if self.clock_wrong {
            f.write_str("; the clock is wrong")?;
        }
        if let Some(why) = &self.bad_config {
            write!(f, "; the new configuration was not taken: {why}")?;
        }
        Ok(())
    }
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Where the parts of the program write what they show.
#[derive(Debug, Clone)]
pub(super) struct Board(Arc<watch::Sender<Snapshot>>);

impl Board {
    pub(super) fn new(sender: watch::Sender<Snapshot>) -> Self {
        Self(Arc::new(sender))
    }

    /// For those who look.
    pub(super) fn subscribe(&self) -> watch::Receiver<Snapshot> {
        self.0.subscribe()
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Snapshot) -> T) -> T {
        read(&self.0.borrow())
    }

    /// Changes something; those who look are told only if it is another value.
    pub(super) fn set<T: PartialEq>(&self, place: impl Fn(&mut Snapshot) -> &mut T, value: T) {
        self.0.send_if_modified(|snapshot| {
            let place = place(snapshot);
            let differs = *place != value;
            if differs {
                *place = value;
            }
            differs
        });
    }

    /// A meter's newest reading, taken now by the monotonic clock.
    pub(super) fn reading(&self, taken: &Captured, time: UnixMillis, meter: &[u8]) {
        self.0.send_modify(|snapshot| {
            let before = snapshot.meters.get(meter);
            let last = before.and_then(|view| view.taken);
            let gap = last.map(|last| taken.at.mono.saturating_sub(last));
            let view = MeterView {
                input: Some(taken.input.to_string()),
                time,
                taken: Some(taken.at.mono),
                pace: pace(before.and_then(|view| view.pace), gap),
                body: taken.body.as_slice().into(),
                readings: before.map_or(0, |view| view.readings) + 1,
                suspects: before.map_or(0, |view| view.suspects),
            };
            snapshot.meters.insert(meter.into(), view);
        });
    }

    /// What an earlier run has left of a meter.
    pub(super) fn left(&self, record: &Record) {
        self.0.send_modify(|snapshot| {
            let before = snapshot.meters.get(&record.meter);
            let view = MeterView {
                input: None,
                time: record.time,
                taken: None,
                pace: None,
                body: record.body.as_slice().into(),
                readings: before.map_or(0, |view| view.readings),
                suspects: before.map_or(0, |view| view.suspects),
            };
            snapshot.meters.insert(record.meter.clone(), view);
        });
    }

    pub(super) fn suspect(&self, meter: &[u8]) {
        self.0.send_modify(|snapshot| {
            if let Some(view) = snapshot.meters.get_mut(meter) {
                view.suspects += 1;
            }
        });
    }

    pub(super) fn stored(&self) {
        self.0.send_modify(|snapshot| snapshot.stored += 1);
    }
}

/// How far apart readings come, after one more gap. A pause may at most double it, and what comes
/// faster counts at once: values of a meter that was away for an hour do not live for hours then.
fn pace(before: Option<Duration>, gap: Option<Duration>) -> Option<Duration> {
    match (before, gap) {
        (Some(before), Some(gap)) if gap < before => Some((before + gap) / 2),
        (Some(before), Some(gap)) => Some((3 * before + gap.min(2 * before)) / 4),
        (before, gap) => before.or(gap),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_forgets_a_pause_and_follows_a_faster_meter() {
        let seconds = Duration::from_secs;
        assert_eq!(pace(None, None), None);
        assert_eq!(pace(None, Some(seconds(10))), Some(seconds(10)));
        let paused = pace(Some(seconds(10)), Some(seconds(3600)));
        assert_eq!(paused, Some(Duration::from_millis(12_500)));
        assert_eq!(
            pace(Some(seconds(3600)), Some(seconds(2))),
            Some(seconds(1801))
        );
    }
}
