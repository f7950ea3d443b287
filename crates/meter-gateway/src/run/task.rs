//! Tasks that may fail without ending the program.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The pause after a first panic, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// A task that ran this long without a panic begins again with the first pause.
const SETTLED: Duration = Duration::from_mins(5);

/// How a run of a task ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// There is nothing left to do.
    Done,
    /// It cannot go on now, and has said why.
    Again,
}

/// A task that is stopped when this is dropped.
#[derive(Debug)]
pub(super) struct Task {
    handle: JoinHandle<()>,
}

impl Task {
    /// Runs what `make` gives, and again after a pause when it panics or wants to, until it is done.
    pub(super) fn supervised<F>(name: String, mut make: impl FnMut() -> F + Send + 'static) -> Self
    where
        F: Future<Output = End> + Send + 'static,
    {
        let handle = tokio::spawn(async move {
            let mut pause = PAUSE.0;
            loop {
                let started = Instant::now();
                let end = Caught(Box::pin(make())).await;
                if started.elapsed() >= SETTLED {
                    pause = PAUSE.0;
                }
                match end {
                    Ok(End::Done) => return,
                    Ok(End::Again) => tracing::debug!("{name} starts again in {pause:?}"),
                    Err(fault) => tracing::error!(
                        "{name} failed inside the program and starts again in {pause:?}: {fault}; \
                         this is a fault of meterline, please report it"
                    ),
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE.1);
            }
        });
        Self { handle }
    }

    /// Whether it ended by itself.
    pub(super) fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Waits until it ended by itself, but not longer than `patience`, and stops it then.
    pub(super) async fn finish(mut self, patience: Duration) -> bool {
        tokio::time::timeout(patience, &mut self.handle)
            .await
            .is_ok()
    }

    /// Tells it to stop.
    pub(super) fn abort(&self) {
        self.handle.abort();
    }

    /// Stops it, and waits until everything it owns is released: its port above all.
    pub(super) async fn stop(mut self) {
        self.handle.abort();
        let _ = (&mut self.handle).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// A future whose panic is a result.
struct Caught<F>(Pin<Box<F>>);

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // After a panic the future is not polled again, only dropped.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic_text(&*panic))),
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no reason given".to_owned())
}

/// When a task last had a turn.
#[derive(Debug, Clone)]
pub(super) struct Pulse {
    epoch: Instant,
    beat: Arc<AtomicU64>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            beat: Arc::new(AtomicU64::new(0)),
        }
    }

    /// The task lives.
    pub(super) fn beat(&self) {
        let millis = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beat.store(millis, Ordering::Relaxed);
    }

    /// How long ago that was.
    pub(super) fn age(&self) -> Duration {
        let beat = Duration::from_millis(self.beat.load(Ordering::Relaxed));
        self.epoch.elapsed().saturating_sub(beat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test(start_paused = true)]
    async fn a_panic_and_a_run_that_cannot_go_on_are_followed_by_a_new_start() {
        let (runs, mut seen) = mpsc::unbounded_channel();
        let mut run = 0;
        let task = Task::supervised("input house".to_owned(), move || {
            run += 1;
            runs.send((run, Instant::now())).unwrap();
            async move {
                assert!(run >= 3, "fault {run}");
                if run == 3 { End::Again } else { End::Done }
            }
        });
        let begin = Instant::now();
        let mut at = Vec::new();
        while let Some((_, when)) = seen.recv().await {
            at.push((when - begin).as_secs());
        }
        assert_eq!(at, [0, 1, 3, 7]);
        assert!(task.finish(Duration::from_secs(1)).await);
    }

    #[tokio::test]
    async fn a_stopped_task_has_released_what_it_owned() {
        let owned = Arc::new(());
        let held = Arc::clone(&owned);
        let task = Task::supervised("input".to_owned(), move || {
            let held = Arc::clone(&held);
            async move {
                std::future::pending::<()>().await;
                drop(held);
                End::Done
            }
        });
        tokio::task::yield_now().await;
        task.stop().await;
        assert_eq!(Arc::strong_count(&owned), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_pulse_of_a_stuck_task_grows_old() {
        let pulse = Pulse::new();
        tokio::time::sleep(Duration::from_mins(1)).await;
        pulse.beat();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(pulse.age(), Duration::from_secs(5));
    }
}
