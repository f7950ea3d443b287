//! The readings that are to be sent next.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use embassy_futures::yield_now;
use meter_core::{Reading, Stamped, UnixMillis};

use crate::board::Board;
use crate::context::{Context, Shelf, Task};
use crate::log::Level;
use crate::outbox::{NextError, Record, Time};

/// Readings that are sent at once, at most.
pub const MOST: usize = 16;

/// Room for their bodies: about a dozen of usual size.
const ROOM: usize = 6 * 1024;

/// A reading from before the clock was known waits this long, once it is known, for the meter, whose
/// seconds index dates it.
const WAIT_FOR_METER: Duration = Duration::from_mins(5);

/// Readings from the outbox, oldest first.
pub struct Batch {
    bodies: Box<[u8]>,
    items: heapless::Vec<Item, MOST>,
}

#[derive(Clone, Copy)]
struct Item {
    seq: u32,
    time: UnixMillis,
    begin: usize,
    end: usize,
}

/// What the outbox had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Readings to be sent.
    Ready,
    /// None, until another one comes.
    Empty,
    /// The oldest has no time yet: ask again.
    Wait,
}

impl Batch {
    pub fn new() -> Self {
        Self {
            bodies: vec![0; ROOM].into_boxed_slice(),
            items: heapless::Vec::new(),
        }
    }

    /// Fetches what waits, without taking it away.
    pub async fn fill<B: Board, const SECTORS: usize>(
        &mut self,
        context: &Context<'_, B>,
        outbox: &Shelf<B, SECTORS>,
    ) -> Filled {
        self.items.clear();
        let (mut after, mut used) = (0, 0);
        while !self.items.is_full() {
            let mut outbox = outbox.lock().await;
            let room = self.bodies.get_mut(used..).unwrap_or_default();
            let record = match outbox.next(after, room).await {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(NextError::Buffer(_)) if used > 0 => break,
                Err(error) => {
                    context.say(Level::Error, format_args!("outbox: {error}"));
                    break;
                }
            };
            let (seq, length) = (record.seq, record.body.len());
            match date(context, &record) {
                Dated::At(time) => {
                    let end = used + length;
                    // It was asked for room.
                    let _ = self.items.push(Item {
                        seq,
                        time,
                        begin: used,
                        end,
                    });
                    used = end.next_multiple_of(4);
                    after = seq;
                }
                Dated::Later if self.items.is_empty() => return Filled::Wait,
                Dated::Never(why) if self.items.is_empty() => {
                    give_up(context, record.body, why).await;
                    let acked = outbox.ack(context.now(), seq).await;
                    noted(context, acked);
                    after = seq;
                    drop(outbox);
                    // There may be hundreds, and the meter does not wait.
                    yield_now().await;
                }
                // In their turn.
                Dated::Later | Dated::Never(_) => break,
            }
        }
        if self.items.is_empty() {
            Filled::Empty
        } else {
            Filled::Ready
        }
    }

    /// The first of them, at most so many.
    pub fn readings(&self, most: usize) -> Vec<Stamped<'_>> {
        let stamped = |item: &Item| {
            let body = self.bodies.get(item.begin..item.end)?;
            let reading = Reading::from_bytes(body).ok()?;
            let time = item.time;
            Some(Stamped { time, reading })
        };
        self.items.iter().take(most).filter_map(stamped).collect()
    }

    /// The first so many are delivered.
    pub async fn delivered<B: Board, const SECTORS: usize>(
        &self,
        context: &Context<'_, B>,
        outbox: &Shelf<B, SECTORS>,
        count: usize,
    ) {
        {
            let mut delivery = context.delivery.borrow_mut();
            let new = u32::try_from(count).unwrap_or(u32::MAX);
            delivery.delivered = delivery.delivered.saturating_add(new);
            delivery.at = Some(context.now());
            delivery.fault = None;
        }
        self.remove(context, outbox, count).await;
    }

    /// The first is refused for good: it is set aside in the ring.
    pub async fn refused<B: Board, const SECTORS: usize>(
        &self,
        context: &Context<'_, B>,
        outbox: &Shelf<B, SECTORS>,
        status: u16,
    ) {
        let Some(item) = self.items.first() else {
            return;
        };
        let body = self.bodies.get(item.begin..item.end).unwrap_or_default();
        if let Some(ring) = context.ring.lock().await.as_mut() {
            ring.keep_refused(item.time, status, body).await;
        }
        {
            let mut delivery = context.delivery.borrow_mut();
            delivery.refused = delivery.refused.saturating_add(1);
        }
        context.fault(
            Level::Error,
            format_args!(
                "deliver: the server refuses the reading of {} ({status}): it is set aside in the log",
                item.time
            ),
        );
        self.remove(context, outbox, 1).await;
    }

    async fn remove<B: Board, const SECTORS: usize>(
        &self,
        context: &Context<'_, B>,
        outbox: &Shelf<B, SECTORS>,
        count: usize,
    ) {
        let last = count.checked_sub(1).and_then(|last| self.items.get(last));
        if let Some(last) = last {
            let mut outbox = outbox.lock().await;
            let acked = outbox.ack(context.now(), last.seq).await;
            noted(context, acked);
            context.note_backlog(&outbox.status());
        }
        context.to_keep.signal(());
        context.to_screen.signal(());
    }
}

/// What can be said about the time of a reading.
enum Dated {
    At(UnixMillis),
    Later,
    Never(&'static str),
}

fn date<B: Board>(context: &Context<'_, B>, record: &Record<'_>) -> Dated {
    let Ok(reading) = Reading::from_bytes(record.body) else {
        return Dated::Never("cannot be read");
    };
    match record.time {
        Time::Utc(time) => Dated::At(time),
        Time::Provisional(moment) if moment.boot == context.boot => Dated::Later,
        Time::Provisional(_) => match context.anchor.get() {
            Some(anchor) => anchor
                .date(&reading)
                .map_or(Dated::Never("has no time"), Dated::At),
            // As long as the time is not known, the meter cannot help.
            None if context
                .time_known_for()
                .is_none_or(|span| span < WAIT_FOR_METER) =>
            {
                Dated::Later
            }
            None => Dated::Never("has no time"),
        },
    }
}

/// A reading that nobody can date is of no use to a server, and is kept in the ring.
async fn give_up<B: Board>(context: &Context<'_, B>, body: &[u8], why: &str) {
    context.alive(Task::Deliver);
    if let Some(ring) = context.ring.lock().await.as_mut() {
        ring.keep_refused(UnixMillis(0), 0, body).await;
    }
    context.say(
        Level::Error,
        format_args!("deliver: a reading {why}: it is set aside in the log"),
    );
}

fn noted<B: Board>(
    context: &Context<'_, B>,
    acked: Result<(), <B::Flash as embedded_storage_async::nor_flash::ErrorType>::Error>,
) {
    if let Err(error) = acked {
        context.say(
            Level::Warn,
            format_args!("outbox: the flash does not take what was delivered: {error:?}"),
        );
    }
}
