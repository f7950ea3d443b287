//! What is on the screen, as plain data.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use meter_core::ReducedDetector;

/// How many values of a meter's past are kept for its curve.
const HISTORY: usize = 240;

/// How many arrivals are kept.
const ARRIVALS: usize = 50;

/// Everything that is on the screen.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// What is running.
    pub title: String,
    /// How long it has been running, and for how long it will.
    pub clock: String,
    /// One box for each meter.
    pub meters: Vec<Meter>,
    /// One line or two for each place where readings go.
    pub outputs: Vec<Output>,
    /// What the list of arrivals is called; no list when empty.
    pub arrivals_title: String,
    /// What happened, newest last.
    pub arrivals: VecDeque<Arrival>,
    /// The keys, and what to do next.
    pub footer: String,
}

/// One meter.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    /// The id as on the nameplate.
    pub id: String,
    /// Maker and model, as far as known.
    pub model: String,
    /// The power as the meter gives it, with its unit; none while it is locked.
    pub power: Option<String>,
    /// The power in whole watts, for the bar; below zero when feeding in.
    pub watts: Option<i64>,
    /// Earlier values of `watts`.
    pub history: VecDeque<i64>,
    /// Energy taken from the grid, with its unit.
    pub import: Option<String>,
    /// Energy fed in, with its unit.
    pub export: Option<String>,
    /// When the last reading came.
    pub last: Option<Instant>,
    /// How long no reading has come, when that is too long.
    pub silent: Option<Duration>,
    /// How many readings it has given.
    pub readings: u64,
    /// Whether it seems to wait for its PIN.
    pub reduced: ReducedDetector,
    /// What a person should know about it.
    pub note: Option<String>,
}

impl Meter {
    /// Takes the next value of the power.
    pub fn push_watts(&mut self, watts: i64) {
        self.watts = Some(watts);
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(watts);
    }
}

/// How an output is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// Nothing has been tried yet.
    #[default]
    Starting,
    /// The last attempt was a success.
    Good,
    /// The last attempt failed; it is tried again.
    Retrying,
}

/// One place where readings go.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Its name in the configuration.
    pub name: String,
    /// Where it sends, without any secret.
    pub target: String,
    /// How it is doing.
    pub condition: Condition,
    /// The same in words.
    pub state: String,
    /// Readings that the other side has taken.
    pub delivered: u64,
    /// Readings that wait in the journal.
    pub backlog: u64,
    /// The largest backlog so far, for the scale of the bar.
    pub worst_backlog: u64,
}

/// Whether a line is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Neither.
    #[default]
    Plain,
    /// Good news.
    Good,
    /// Somebody should look.
    Bad,
}

/// One line of what happened.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// When, as it is shown.
    pub time: String,
    /// What.
    pub text: String,
    /// Whether that is good.
    pub tone: Tone,
}

impl View {
    /// Adds a line to what happened, and forgets the oldest.
    pub fn push_arrival(&mut self, arrival: Arrival) {
        if self.arrivals.len() == ARRIVALS {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(arrival);
    }
}
