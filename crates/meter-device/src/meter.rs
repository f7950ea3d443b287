//! From the bytes of the head to readings in the outbox.
//!
//! Each reading of a good frame is checked by the guard, shown, and the newest of each interval goes
//! into the outbox. What the guard does not believe is counted and said, and goes nowhere.

use alloc::rc::Rc;
use alloc::vec;
use core::time::Duration;

use embedded_io_async::Read as _;
use heapless::Vec;
use meter_core::clock::Stamp;
use meter_core::schedule::Align;
use meter_core::{Guard, Interval, Reading, ReducedDetector, ServerId};
use meter_screens::{Head, Sight};
use sml_wire::{Body, Cause, Decoder, Event};

use crate::board::{Board, Chip as _, Time as _};
use crate::context::{Anchor, Context, Lit, Shelf, Task};
use crate::log::Level;
use crate::outbox::PushError;
use crate::{LONGEST_BODY, LONGEST_TELEGRAM};

/// Over so long the rates of the head are taken.
const WINDOW: Duration = Duration::from_secs(2);

/// Meters pause for a second between two telegrams, some for four.
const QUIET: Duration = Duration::from_millis(200);

/// A reading that waits for the end of its interval.
struct Pending {
    meter: Vec<u8, 32>,
    stamp: Stamp,
    body: Rc<[u8]>,
}

/// Reads for ever.
pub async fn run<B: Board, const SECTORS: usize>(
    context: &Context<'_, B>,
    outbox: &Shelf<B, SECTORS>,
    mut head: B::Head,
) -> ! {
    let mut decoder = Decoder::new(vec![0; LONGEST_TELEGRAM].into_boxed_slice());
    let mut buffer = [0; 128];
    let mut rates = Rates::new(context.now());
    let (interval, guard) = {
        let settings = context.settings.borrow();
        (
            settings.interval.span().unwrap_or_default(),
            settings.guard.limits(),
        )
    };
    let mut readings = Readings {
        guard: Guard::new(guard),
        reduced: ReducedDetector::default(),
        interval: Interval::new(interval, Align::First),
        was_replaced: false,
    };
    loop {
        context.alive(Task::Meter);
        let read = context.time.at_most(QUIET, head.read(&mut buffer)).await;
        let count = match read {
            Some(Ok(count)) => count,
            Some(Err(_)) => {
                context.say(Level::Warn, format_args!("meter: the head cannot be read"));
                context.time.pause(WINDOW).await;
                0
            }
            None => 0,
        };
        context.light(Lit::Reading, count > 0);
        rates.bytes += u32::try_from(count).unwrap_or(u32::MAX);
        let mut input = buffer.get(..count).unwrap_or_default();
        while let Some(event) = decoder.next(&mut input) {
            match event {
                Event::Frame(frame) => {
                    rates.good(context.now(), frame.length);
                    for message in frame.file().messages().flatten() {
                        if let (true, Body::GetListRes(list)) = (message.intact(), message.body) {
                            readings.take(context, outbox, Reading::new(list)).await;
                        }
                    }
                }
                Event::Skipped(skipped) => {
                    rates.crc_errors += u32::from(skipped.cause == Cause::Crc);
                }
            }
        }
        if let Some(pending) = readings.interval.poll(context.now()) {
            keep(context, outbox, pending).await;
        }
        rates.publish(context);
    }
}

struct Readings {
    guard: Guard,
    reduced: ReducedDetector,
    interval: Interval<Pending>,
    was_replaced: bool,
}

impl Readings {
    async fn take<B: Board, const SECTORS: usize>(
        &mut self,
        context: &Context<'_, B>,
        outbox: &Shelf<B, SECTORS>,
        reading: Reading<'_>,
    ) {
        let now = context.now();
        if !self.is_believed(context, &reading, now) {
            return;
        }
        if self.reduced.observe(&reading) && self.reduced.is_reduced() {
            context.say(
                Level::Warn,
                format_args!("meter: sends whole kWh and no power: enter its PIN"),
            );
        }
        let Some(pending) = self.show(context, &reading, now) else {
            context.say(
                Level::Error,
                format_args!(
                    "meter: the reading has more than {LONGEST_BODY} bytes and is left out"
                ),
            );
            return;
        };
        if let Some(due) = self.interval.offer(now, pending) {
            keep(context, outbox, due).await;
        }
    }

    fn is_believed<B: Board>(
        &mut self,
        context: &Context<'_, B>,
        reading: &Reading<'_>,
        now: Duration,
    ) -> bool {
        if context.accept.take() && self.guard.accept() {
            context.say(Level::Info, format_args!("meter: accepted as replaced"));
        }
        let Err(doubt) = self.guard.check(reading, now) else {
            self.was_replaced = false;
            context.suspect.set(false);
            return true;
        };
        context.suspect.set(true);
        context
            .set_aside
            .set(context.set_aside.get().saturating_add(1));
        // One line at the first and one when it looks like another meter.
        if self.guard.refused() == 1 || doubt.perhaps_replaced != self.was_replaced {
            context.say(Level::Warn, format_args!("meter: set aside: {doubt}"));
        }
        self.was_replaced = doubt.perhaps_replaced;
        false
    }

    /// Makes it the newest reading. `None` if it is too long.
    fn show<B: Board>(
        &self,
        context: &Context<'_, B>,
        reading: &Reading<'_>,
        now: Duration,
    ) -> Option<Pending> {
        let mut buffer = [0; LONGEST_BODY];
        let body = Rc::from(reading.emit(&mut buffer).ok()?);
        let stamp = context.clock.borrow().stamp(now);
        if let Stamp::Utc(time) = stamp {
            let anchor = Anchor::of(reading, time).or(context.anchor.get());
            context.anchor.set(anchor);
        }
        let mut latest = context.latest.borrow_mut();
        if latest.body.is_empty() {
            context.say(Level::Info, format_args!("meter: {}", reading.meter_id()));
        }
        latest.body = Rc::clone(&body);
        latest.at = now;
        latest.pin_missing = self.reduced.is_reduced();
        drop(latest);
        context.to_screen.signal(());
        let octets = reading.server_id().0;
        let meter = Vec::from_slice(octets.get(..octets.len().min(32))?).ok()?;
        Some(Pending { meter, stamp, body })
    }
}

/// Puts a reading into the outbox.
async fn keep<B: Board, const SECTORS: usize>(
    context: &Context<'_, B>,
    outbox: &Shelf<B, SECTORS>,
    pending: Pending,
) {
    let Pending { meter, stamp, body } = pending;
    // The clock may have become known since.
    let stamp = context
        .clock
        .borrow()
        .resolve(stamp)
        .map_or(stamp, Stamp::Utc);
    let mut outbox = outbox.lock().await;
    let pushed = outbox
        .push(context.now(), ServerId(&meter), stamp, &body)
        .await;
    context.note_backlog(&outbox.status());
    drop(outbox);
    match pushed {
        Ok(_) => {}
        Err(error @ (PushError::TooLong | PushError::Held { .. })) => {
            context.say(Level::Error, format_args!("outbox: {error}"));
        }
    }
    context.to_keep.signal(());
    context.to_deliver.signal(());
}

/// What the head receives, over a window.
struct Rates {
    began: Duration,
    bytes: u32,
    good_bytes: u32,
    frames: u32,
    crc_errors: u32,
    best: u32,
    last_frame: Option<Duration>,
}

impl Rates {
    fn new(now: Duration) -> Self {
        Self {
            began: now,
            bytes: 0,
            good_bytes: 0,
            frames: 0,
            crc_errors: 0,
            best: 0,
            last_frame: None,
        }
    }

    fn good(&mut self, now: Duration, length: usize) {
        self.frames = self.frames.saturating_add(1);
        self.good_bytes += u32::try_from(length).unwrap_or(u32::MAX);
        self.last_frame = Some(now);
    }

    /// Says at the end of each window what came in it.
    fn publish<B: Board>(&mut self, context: &Context<'_, B>) {
        let now = context.now();
        let span = now.saturating_sub(self.began);
        if span < WINDOW {
            return;
        }
        let millis = u32::try_from(span.as_millis()).unwrap_or(u32::MAX).max(1);
        let rate = |bytes: u32| bytes.saturating_mul(1000) / millis;
        let good = rate(self.good_bytes);
        self.best = self.best.max(good);
        let sight = match (self.bytes, self.good_bytes) {
            (0, _) => Sight::Dark,
            (_, 0)
                if self
                    .last_frame
                    .is_none_or(|at| now.saturating_sub(at) > 2 * WINDOW) =>
            {
                Sight::Noise
            }
            _ => Sight::Good,
        };
        context.head.set(Head {
            sight,
            bytes_per_second: rate(self.bytes),
            good_bytes_per_second: good,
            best_bytes_per_second: self.best,
            frames: self.frames,
            crc_errors: self.crc_errors,
            last_frame: self.last_frame,
        });
        (self.began, self.bytes, self.good_bytes) = (now, 0, 0);
        let lost = context.chip.borrow().overrun();
        if lost > context.overrun.replace(lost) {
            context.say(
                Level::Error,
                format_args!("meter: {lost} bytes came too fast since the start"),
            );
        }
    }
}
