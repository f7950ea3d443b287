//! The loop below all ways of serving: telegrams through the line into a sink, at their pace.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{Address, Feed, Running, ServeError, Timing};

/// Bytes that leave at once at a baud rate: the queue of a usual serial chip.
const CHUNK: usize = 16;

/// Bits of a byte on a serial line with 8N1.
const BITS_PER_BYTE: u32 = 10;

/// Where the bytes of a telegram go.
pub(super) trait Sink {
    /// Called before each telegram. A sink that `waits` may wait here for a first reader; another
    /// makes room, as what nobody has read until now is lost.
    fn ready(&mut self, waits: bool) -> impl Future<Output = io::Result<()>> + Send;

    /// Takes all of the bytes.
    fn take(&mut self, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// Called after the last telegram: lets the reader have what it has not read yet, at its leisure
    /// if it `waits`.
    fn finish(&mut self, waits: bool) -> impl Future<Output = ()> + Send;
}

/// Starts the loop on a task of its own.
pub(super) fn start<S: Sink + Send + 'static>(
    feed: Feed,
    timing: Timing,
    mut sink: S,
    address: Address,
) -> Running {
    let (stop, stopped) = watch::channel(false);
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let task = tokio::spawn(async move {
        let paced = run(feed, timing, &mut sink, &count, stopped).await;
        sink.finish(timing.interval.is_none()).await;
        paced.map_err(|cause| ServeError::Write { cause })
    });
    Running {
        address,
        sent,
        stop,
        task,
    }
}

async fn run(
    mut feed: Feed,
    timing: Timing,
    sink: &mut impl Sink,
    sent: &AtomicU64,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut clock = timing.interval.map(|every| {
        let mut clock = interval(every.max(Duration::from_millis(1)));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        clock
    });
    while timing
        .telegrams
        .is_none_or(|limit| sent.load(Ordering::Relaxed) < limit)
    {
        let due = async {
            if let Some(clock) = &mut clock {
                clock.tick().await;
            }
            sink.ready(timing.interval.is_none()).await
        };
        tokio::select! {
            ready = due => ready?,
            // An error means that the handle is gone, which is a stop as well.
            _ = stopped.wait_for(|stop| *stop) => break,
        }
        let (telegram, passed) = feed.telegram();
        send(&passed.bytes, timing.baud, sink).await?;
        sent.fetch_add(1, Ordering::Relaxed);
        feed.tell(telegram, passed.intact);
    }
    Ok(())
}

async fn send(bytes: &[u8], baud: Option<u32>, sink: &mut impl Sink) -> io::Result<()> {
    let Some(baud) = baud else {
        return sink.take(bytes).await;
    };
    let byte_time = Duration::from_secs(1) * BITS_PER_BYTE / baud.max(1);
    let mut due = Instant::now();
    for chunk in bytes.chunks(CHUNK) {
        // A chunk arrives when its last bit has.
        due += byte_time * u32::try_from(chunk.len()).unwrap_or(1);
        sleep_until(due).await;
        sink.take(chunk).await?;
    }
    Ok(())
}
