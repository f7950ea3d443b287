//! What goes wrong when: drawn from a seed before the day begins, so that it can be told again.

use std::time::Duration;

use meter_sim::dice::Dice;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// The parts of a day.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What goes wrong, in the order in which it begins.
    pub faults: Vec<Planned>,
    /// Hours in which nothing does: one at the beginning, one when no more resets come, and the last.
    pub quiet: [Span; 3],
    /// When the meter stops, so that all that waits can be delivered.
    pub end: Duration,
}

/// From a moment to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from: Duration,
    /// Its end.
    pub until: Duration,
}

impl Span {
    fn new(from: Duration, until: Duration) -> Self {
        Self { from, until }
    }

    fn length(&self) -> Duration {
        self.until.saturating_sub(self.from)
    }

    /// Whether a moment lies in its last third, when everything has settled.
    #[must_use]
    pub fn has_settled(&self, at: Duration) -> bool {
        at < self.until && at >= self.until.saturating_sub(self.length() / 3)
    }
}

/// A fault with its time.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When.
    pub span: Span,
    /// What.
    pub fault: Fault,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server is away: connections are refused.
    ServerAway,
    /// The server is started anew: connections break.
    ServerRestart,
    /// The server takes connections and requests, and says nothing.
    ServerStalls,
    /// The server closes each connection when it has the request.
    ServerCloses,
    /// The server resets each connection when it has the request.
    ServerResets,
    /// The server takes the readings, and its answer breaks off.
    AnswerCut,
    /// The server answers late.
    AnswerLate,
    /// The server answers with a status, and asks to wait.
    Status(u16),
    /// Something else than TLS answers.
    NoTls,
    /// Something else than HTTP answers.
    NoHttp,
    /// The network is away.
    LinkDown,
    /// The time servers are silent.
    TimeSilent,
    /// One of the two time servers is wrong by so many seconds.
    TimeLies(usize, i32),
    /// The head sits badly.
    Noise,
    /// The power is away.
    PowerCut,
    /// Somebody presses the reset button.
    Reset,
}

impl Fault {
    /// What a summary calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServerAway => "server away",
            Self::ServerRestart => "server started anew",
            Self::ServerStalls => "server stalls",
            Self::ServerCloses => "server closes connections",
            Self::ServerResets => "server resets connections",
            Self::AnswerCut => "answer cut",
            Self::AnswerLate => "answer late",
            Self::Status(429) => "answer 429",
            Self::Status(500) => "answer 500",
            Self::Status(_) => "answer 503",
            Self::NoTls => "no TLS at the port",
            Self::NoHttp => "no HTTP at the port",
            Self::LinkDown => "network away",
            Self::TimeSilent => "time servers silent",
            Self::TimeLies(..) => "a time server lies",
            Self::Noise => "noise on the meter's line",
            Self::PowerCut => "power cut",
            Self::Reset => "reset button",
        }
    }
}

impl Plan {
    /// The plan of a day of so many hours.
    #[must_use]
    pub fn new(length: Duration, seed: u64) -> Self {
        let part = |percent: u32| length * percent / 100;
        let calm = if length >= 12 * 60 * MINUTE { 4 } else { 16 };
        let quiet = [
            Span::new(Duration::ZERO, part(calm)),
            Span::new(part(36), part(36 + calm)),
            Span::new(part(100 - calm), length),
        ];
        let with_resets = Span::new(quiet[0].until, quiet[1].from);
        let without = Span::new(quiet[1].until, quiet[2].from);
        // A short day has as much to bear, in less time.
        let hurry = (length.as_secs_f64() / 86_400.0).clamp(0.1, 1.0);
        let mut faults = Vec::new();
        for (part, may_reset) in [(with_resets, true), (without, false)] {
            for (number, lane) in LANES.iter().enumerate() {
                if lane.resets && !may_reset {
                    continue;
                }
                let purpose = 100 + number as u64 * 2 + u64::from(may_reset);
                lane.fill(
                    part,
                    hurry,
                    may_reset,
                    &mut Dice::new(seed, purpose),
                    &mut faults,
                );
            }
        }
        faults.sort_by_key(|planned| planned.span.from);
        Self {
            faults,
            quiet,
            end: length,
        }
    }
}

/// Faults of which there is one at a time.
struct Lane {
    /// Between two of them, at least and at most.
    gap: [Duration; 2],
    lasts: [Duration; 2],
    resets: bool,
    draw: fn(&mut Dice, bool) -> Fault,
}

const LANES: [Lane; 5] = [
    Lane {
        gap: [MINUTE, Duration::from_mins(25)],
        lasts: [Duration::from_secs(20), Duration::from_mins(10)],
        resets: false,
        draw: server,
    },
    Lane {
        gap: [Duration::from_mins(15), Duration::from_mins(90)],
        lasts: [Duration::from_secs(20), Duration::from_mins(8)],
        resets: false,
        draw: |_, _| Fault::LinkDown,
    },
    Lane {
        gap: [Duration::from_mins(20), Duration::from_mins(90)],
        lasts: [Duration::from_mins(5), Duration::from_mins(80)],
        resets: false,
        draw: time,
    },
    Lane {
        gap: [Duration::from_mins(20), Duration::from_mins(90)],
        lasts: [Duration::from_mins(3), Duration::from_mins(20)],
        resets: false,
        draw: |_, _| Fault::Noise,
    },
    Lane {
        gap: [Duration::from_mins(12), Duration::from_hours(1)],
        lasts: [SECOND, Duration::from_mins(2)],
        resets: true,
        draw: |dice, _| match dice.below(3) {
            0 => Fault::Reset,
            _ => Fault::PowerCut,
        },
    },
];

impl Lane {
    fn fill(
        &self,
        part: Span,
        hurry: f64,
        may_reset: bool,
        dice: &mut Dice,
        into: &mut Vec<Planned>,
    ) {
        let mut at = part.from;
        loop {
            at += between(dice, self.gap).mul_f64(hurry);
            if at >= part.until {
                return;
            }
            let fault = (self.draw)(dice, may_reset);
            let mut lasts = between(dice, self.lasts).mul_f64(hurry.max(0.3));
            // Now and then a server is away for longer than the RAM lasts.
            if fault == Fault::ServerAway && dice.below(4) == 0 {
                lasts = between(dice, [30 * MINUTE, 90 * MINUTE]).mul_f64(hurry);
            }
            let until = (at + lasts).min(part.until);
            into.push(Planned {
                span: Span::new(at, until),
                fault,
            });
            at = until;
        }
    }
}

fn between(dice: &mut Dice, [low, high]: [Duration; 2]) -> Duration {
    let span = u64::try_from(high.saturating_sub(low).as_millis()).unwrap_or(u64::MAX);
    low + Duration::from_millis(dice.below(span))
}

fn server(dice: &mut Dice, _: bool) -> Fault {
    match dice.below(14) {
        0..=2 => Fault::ServerAway,
        3 => Fault::ServerRestart,
        4 => Fault::ServerStalls,
        5 => Fault::ServerCloses,
        6 => Fault::ServerResets,
        7 => Fault::AnswerCut,
        8 => Fault::AnswerLate,
        9 => Fault::NoTls,
        10 => Fault::NoHttp,
        11 => Fault::Status(429),
        12 => Fault::Status(500),
        _ => Fault::Status(503),
    }
}

/// A device that has just started cannot know better than a server which is ahead, so where there are
/// resets, servers lag: that is behind the last time that was good.
fn time(dice: &mut Dice, may_reset: bool) -> Fault {
    let which = usize::from(dice.below(2) == 0);
    let hours = i32::try_from(dice.below(9)).unwrap_or(0) + 2;
    let lie = 3600 * hours;
    match dice.below(3) {
        0 => Fault::TimeSilent,
        1 if !may_reset => Fault::TimeLies(which, lie),
        _ => Fault::TimeLies(which, -lie),
    }
}
