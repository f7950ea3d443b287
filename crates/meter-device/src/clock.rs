//! The time of day, from time servers that are not trusted blindly.
//!
//! The answers of NTP are not signed. [`Clock`] refuses a time before the firmware was built, doubts one
//! before the last good time, and doubts a jump of more than ten seconds: until another server says the
//! same, or the server has said so for ten minutes. Readings from before the first good time are
//! stamped afterwards.
//!
//! [`Clock`]: meter_core::Clock

use core::pin::pin;
use core::time::Duration;

use meter_core::clock::{ClockEvent, Now, SMALL_STEP, Stamp};
use meter_core::{Retry, RetryConfig, UnixMillis};

use crate::board::{Board, Network, Time as _};
use crate::context::{Context, Shelf, Task};
use crate::log::Level;

/// A quartz is off by less than a tenth of a second in this time.
const BETWEEN: Duration = Duration::from_hours(1);

/// A doubted time is asked for again.
const WHILE_IN_DOUBT: Duration = Duration::from_mins(1);

/// A server that does not answer by then does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

const RETRY: RetryConfig = RetryConfig {
    first: Duration::from_secs(4),
    max: Duration::from_mins(5),
};

/// What a server said, and when.
#[derive(Clone, Copy)]
struct Answer {
    time: UnixMillis,
    at: Duration,
}

impl Answer {
    /// The time now, if the answer is right.
    fn now(self, now: Duration) -> UnixMillis {
        self.time.saturating_add(now.saturating_sub(self.at))
    }

    fn agrees(self, other: Self) -> bool {
        let apart = other.now(other.at).millis_since(self.now(other.at));
        u128::from(apart.unsigned_abs()) <= SMALL_STEP.as_millis()
    }
}

/// Keeps the clock right.
pub async fn run<B: Board, const SECTORS: usize>(
    context: &Context<'_, B>,
    outbox: &Shelf<B, SECTORS>,
    network: &B::Network,
) -> ! {
    let mut retry = Retry::new(RETRY);
    let mut which = 0;
    loop {
        while !context.is_online() {
            context.rest(Task::Clock, &context.to_clock, None).await;
        }
        // A network that is joined while it asks is a reason to ask again.
        context.to_clock.reset();
        let next = if let Some(answer) = ask(context, network, which).await {
            retry.on_success();
            let doubted = take(context, network, which, answer).await;
            if let Some(time) = context.utc() {
                stamp(context, outbox, time).await;
                context.note_time(time).await;
            }
            which += usize::from(doubted);
            let wait = if doubted { WHILE_IN_DOUBT } else { BETWEEN };
            context.now().saturating_add(wait)
        } else {
            which += 1;
            retry.on_failure(context.now(), context.random(), None)
        };
        context
            .rest(Task::Clock, &context.to_clock, Some(next))
            .await;
    }
}

/// Asks one of the servers.
async fn ask<B: Board>(
    context: &Context<'_, B>,
    network: &B::Network,
    which: usize,
) -> Option<Answer> {
    let server = {
        let settings = context.settings.borrow();
        let servers = &settings.time.servers;
        servers.get(which.checked_rem(servers.len())?)?.clone()
    };
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

/// Takes a time in, and says whether it is in doubt.
async fn take<B: Board>(
    context: &Context<'_, B>,
    network: &B::Network,
    which: usize,
    first: Answer,
) -> bool {
    if observe(context, first, false) {
        return false;
    }
    // One server may lie or be wrong; two that say the same are believed.
    let servers = context.settings.borrow().time.servers.len();
    let second = if servers > 1 {
        ask(context, network, which + 1).await
    } else {
        None
    };
    match second {
        Some(second) => !observe(context, second, first.agrees(second)),
        None => true,
    }
}

/// Shows the clock a time, and says whether it goes by it.
fn observe<B: Board>(context: &Context<'_, B>, answer: Answer, agreed: bool) -> bool {
    let now = Now {
        wall: answer.now(context.now()),
        monotonic: context.now(),
        synchronised: agreed,
    };
    let (stamp, event) = context.clock.borrow_mut().observe(now);
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
        Some(ClockEvent::Plausible { wall }) => {
            context.say(Level::Info, format_args!("time: it is {wall}"));
        }
        Some(ClockEvent::Unsure { .. } | ClockEvent::Returned) | None => {}
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
    }
    context.to_deliver.signal(());
}
