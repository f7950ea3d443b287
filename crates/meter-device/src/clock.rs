//! The time of day, from time servers that are not trusted blindly.
//!
//! The answers of NTP are not signed. The first one after a start is believed when a second server says
//! the same; `witnesses.rs` says what is done where none does. [`Clock`] refuses a time before the firmware was built, doubts one
//! before the last good time, and doubts a jump of more than ten seconds: until another server says the
//! same, or the server has said so for ten minutes. Readings from before the first good time are
//! stamped afterwards.
//!
//! [`Clock`]: meter_core::Clock

use core::pin::pin;
use core::time::Duration;

use heapless::String;
use meter_core::clock::{ClockEvent, Now, PERSISTENCE, SMALL_STEP, Stamp};
use meter_core::{Retry, RetryConfig, UnixMillis};

use crate::board::{Board, Network, Time as _};
use crate::context::{Context, Shelf, Task};
use crate::log::Level;
use crate::witnesses::{ALONE, Answer, Belief, Witnesses};

/// A quartz is off by less than a tenth of a second in this time.
const BETWEEN: Duration = Duration::from_hours(1);

/// A doubted time is asked for again.
const WHILE_IN_DOUBT: Duration = Duration::from_mins(1);

/// A server that nobody contradicts is asked again, and the silent ones with it.
const WHILE_ALONE: Duration = Duration::from_secs(15);

/// A server that does not answer by then does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

const RETRY: RetryConfig = RetryConfig {
    first: Duration::from_secs(4),
    max: Duration::from_mins(5),
};

/// What came of asking.
enum Asked {
    /// Nobody answered.
    Silence,
    /// What was said is not believed, and asked for again so much later.
    Doubt(Duration),
    /// The clock is right.
    Right,
}

/// Keeps the clock right.
pub async fn run<B: Board, const SECTORS: usize>(
    context: &Context<'_, B>,
    outbox: &Shelf<B, SECTORS>,
    network: &B::Network,
) -> ! {
    let mut retry = Retry::new(RETRY);
    let mut witnesses = Witnesses::default();
    let mut which = 0;
    loop {
        while !context.is_online() {
            context.rest(Task::Clock, &context.to_clock, None).await;
        }
        // A network that is joined while it asks is a reason to ask again.
        context.to_clock.reset();
        let asked = if context.utc().is_none() && server_count(context) > 1 {
            ask_all(context, network, &mut witnesses).await
        } else {
            ask_again(context, network, which).await
        };
        let wait = match asked {
            Asked::Silence => None,
            Asked::Doubt(wait) => Some(wait),
            Asked::Right => Some(BETWEEN),
        };
        let next = if let Some(wait) = wait {
            retry.on_success();
            if let Some(time) = context.utc() {
                stamp(context, outbox, time).await;
            }
            context.now().saturating_add(wait)
        } else {
            retry.on_failure(context.now(), context.random(), None)
        };
        which += usize::from(!matches!(asked, Asked::Right));
        rest(context, next).await;
    }
}

/// Rests until the time is to be asked for, and keeps it for the next start meanwhile: the flash may
/// refuse it at first.
async fn rest<B: Board>(context: &Context<'_, B>, next: Duration) {
    let mut retry = Retry::new(RETRY);
    while let Some(time) = context.utc()
        && !context.note_time(time).await
    {
        let again = retry.on_failure(context.now(), context.random(), None);
        let until = again.min(next);
        context
            .rest(Task::Clock, &context.to_clock, Some(until))
            .await;
        if context.now() < until || until == next {
            return;
        }
    }
    context
        .rest(Task::Clock, &context.to_clock, Some(next))
        .await;
}

fn server_count<B: Board>(context: &Context<'_, B>) -> usize {
    context.settings.borrow().time.servers.len()
}

/// A server's name. They are counted on beyond the last.
fn server<B: Board>(context: &Context<'_, B>, which: usize) -> Option<String<64>> {
    let settings = context.settings.borrow();
    let servers = &settings.time.servers;
    servers.get(which.checked_rem(servers.len())?).cloned()
}

/// Asks for the first time after a start: one server after the other, until two say the same.
async fn ask_all<B: Board>(
    context: &Context<'_, B>,
    network: &B::Network,
    witnesses: &mut Witnesses,
) -> Asked {
    let is_doubted = |time| context.clock.borrow().doubts_as_first(time);
    let mut answered = false;
    for which in 0..server_count(context) {
        let Some(answer) = ask(context, network, which).await else {
            continue;
        };
        answered = true;
        let with = witnesses.hear(which, answer);
        // What the clock doubts by itself does no harm there: it says so, and counts its ten minutes.
        if (with.is_some() || is_doubted(answer.time)) && observe(context, answer, which, with) {
            return Asked::Right;
        }
    }
    if answered {
        weigh(context, witnesses.judge(is_doubted))
    } else {
        Asked::Silence
    }
}

/// No two servers say the same.
fn weigh<B: Board>(context: &Context<'_, B>, belief: Belief) -> Asked {
    let name = |which| server(context, which).unwrap_or_default();
    match belief {
        Belief::Silence => return Asked::Doubt(WHILE_IN_DOUBT),
        Belief::Alone(which) => {
            context.say(
                Level::Info,
                format_args!(
                    "time: only {} answers: it is believed after {} s",
                    name(which),
                    ALONE.as_secs()
                ),
            );
            return Asked::Doubt(WHILE_ALONE);
        }
        Belief::Disputed(first, second) => context.say(
            Level::Warn,
            format_args!(
                "time: {} and {} disagree: neither is believed yet",
                name(first),
                name(second)
            ),
        ),
        Belief::One {
            which,
            answer,
            disputed,
        } => {
            if disputed {
                context.say(
                    Level::Warn,
                    format_args!(
                        "time: {} is believed after {} s, though another says otherwise",
                        name(which),
                        PERSISTENCE.as_secs()
                    ),
                );
            }
            if observe(context, answer, which, None) {
                return Asked::Right;
            }
        }
    }
    Asked::Doubt(WHILE_IN_DOUBT)
}

/// Asks one server, and another one where it is in doubt.
async fn ask_again<B: Board>(
    context: &Context<'_, B>,
    network: &B::Network,
    which: usize,
) -> Asked {
    let Some(first) = ask(context, network, which).await else {
        return Asked::Silence;
    };
    if observe(context, first, which, None) {
        return Asked::Right;
    }
    // One server may lie or be wrong; two that say the same are believed.
    let second = if server_count(context) > 1 {
        ask(context, network, which + 1).await
    } else {
        None
    };
    let is_right = second.is_some_and(|second| {
        let with = first.agrees(second).then_some(which);
        observe(context, second, which + 1, with)
    });
    if is_right {
        Asked::Right
    } else {
        Asked::Doubt(WHILE_IN_DOUBT)
    }
}

/// Asks one of the servers.
async fn ask<B: Board>(
    context: &Context<'_, B>,
    network: &B::Network,
    which: usize,
) -> Option<Answer> {
    let server = server(context, which)?;
    context.alive(Task::Clock);
    let answer = context
        .time
        .at_most(PATIENCE, pin!(network.ask_time(&server)))
        .await;
    context.alive(Task::Clock);
    match answer {
        Some(Ok(time)) => {
            let at = context.now();
            Some(Answer { time, at })
        }
        Some(Err(error)) => {
            context.say(Level::Warn, format_args!("time: {server}: {error}"));
            None
        }
        None => {
            context.say(Level::Warn, format_args!("time: {server} does not answer"));
            None
        }
    }
}

/// Shows the clock what a server said, `with` another one that says the same, and tells whether it goes
/// by it.
fn observe<B: Board>(
    context: &Context<'_, B>,
    answer: Answer,
    which: usize,
    with: Option<usize>,
) -> bool {
    let now = Now {
        wall: answer.now(context.now()),
        monotonic: context.now(),
        synchronised: with.is_some(),
    };
    let was_known = context.utc().is_some();
    let (stamp, event) = context.clock.borrow_mut().observe(now);
    if !was_known && let Stamp::Utc(time) = stamp {
        let name = |which| server(context, which).unwrap_or_default();
        let (and, other) = with.map_or_else(Default::default, |with| (" and ", name(with)));
        context.say(
            Level::Info,
            format_args!("time: it is {time}, by {}{and}{other}", name(which)),
        );
    }
    match event {
        Some(ClockEvent::Implausible { .. }) => context.say(
            Level::Warn,
            format_args!(
                "time: the server says {}, which cannot be: it waits for a better one",
                now.wall
            ),
        ),
        Some(ClockEvent::Doubted { by }) => context.say(
            Level::Warn,
            format_args!(
                "time: the server says that the clock is {} s off, which is not believed yet",
                by / 1000
            ),
        ),
        Some(ClockEvent::Stepped { by }) => {
            context.say(Level::Info, format_args!("time: set by {by} ms"));
        }
        Some(ClockEvent::Plausible { .. } | ClockEvent::Unsure { .. } | ClockEvent::Returned)
        | None => {}
    }
    match stamp {
        Stamp::Utc(time) => {
            let off = now.wall.millis_since(time).unsigned_abs();
            u128::from(off) <= SMALL_STEP.as_millis()
        }
        Stamp::Provisional(_) => false,
    }
}

/// Readings that have no time yet get theirs.
async fn stamp<B: Board, const SECTORS: usize>(
    context: &Context<'_, B>,
    outbox: &Shelf<B, SECTORS>,
    time: UnixMillis,
) {
    let now = context.now();
    let began = time.saturating_sub(now);
    let stamped = outbox.lock().await.restamp(now, began).await;
    if let Err(error) = stamped {
        context.say(
            Level::Error,
            format_args!("outbox: the flash does not take the time: {error:?}"),
        );
        // It is tried again there.
        context.to_keep.signal(());
    }
    context.to_deliver.signal(());
}
