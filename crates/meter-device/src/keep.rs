//! Housekeeping: readings that spill, grave events that go into the ring, memory, and the watchdog.

use core::time::Duration;

use embassy_futures::select::{Either, select};

use crate::board::{Board, Chip as _, Time as _, WATCHDOG};
use crate::context::{Context, Shelf, Task};
use crate::log::{Event, Level};
use crate::ring::{self, Circumstances};

/// How often the watchdog is fed, if all tasks live.
const MEAL: Duration = Duration::from_secs(5);

/// Moves readings into flash when it is time, and grave events into the ring.
pub async fn run<B: Board, const SECTORS: usize>(
    context: &Context<'_, B>,
    outbox: &Shelf<B, SECTORS>,
) -> ! {
    loop {
        let due = outbox.lock().await.poll_at();
        let rest = context.rest(Task::Keep, &context.to_keep, due);
        if let Either::Second(event) = select(rest, context.log.grave()).await {
            remember(context, &event).await;
            continue;
        }
        let mut outbox = outbox.lock().await;
        let polled = outbox.poll(context.now()).await;
        context.note_backlog(&outbox.status());
        drop(outbox);
        if let Err(error) = polled {
            context.say(
                Level::Error,
                format_args!("outbox: the flash does not take readings: {error:?}"),
            );
        }
    }
}

/// Moves grave events into the ring, where there is no outbox.
pub async fn remember_all<B: Board>(context: &Context<'_, B>) -> ! {
    loop {
        let event = context.log.grave().await;
        remember(context, &event).await;
    }
}

async fn remember<B: Board>(context: &Context<'_, B>, event: &Event) {
    let now = context.now();
    let circumstances = Circumstances {
        boot: context.number,
        time: context
            .utc()
            .map(|time| time.saturating_sub(now.saturating_sub(event.at))),
        memory: context.chip.borrow().memory(),
        backlog: context.backlog.get(),
    };
    let entry = ring::entry(event, &circumstances);
    if let Some(ring) = context.ring.lock().await.as_mut() {
        ring.keep(&entry).await;
    }
    context.untold.borrow_mut().push(&entry);
}

/// Feeds the watchdog as long as all other tasks live.
pub async fn watch<B: Board>(context: &Context<'_, B>) -> ! {
    // A task that was silent for half of the time is given up before the watchdog barks.
    let patience = WATCHDOG / 2;
    let mut told = false;
    loop {
        let (task, silence) = context.most_silent();
        if silence < patience {
            context.chip.borrow_mut().feed();
            told = false;
        } else if !told {
            told = true;
            context.say(
                Level::Error,
                format_args!(
                    "watchdog: the {} hangs for {} s",
                    task.as_str(),
                    silence.as_secs()
                ),
            );
        }
        context.time.pause(MEAL).await;
    }
}
