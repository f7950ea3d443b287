//! The inputs and outputs that run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::Snapshot;
use super::change::Change;
use super::task::{End, Task};
use crate::input::{self, Captured, awake};
use crate::journal::{AskError, Journal, Start};
use crate::output;

/// An input gets this much longer than its own longest turn before it counts as hanging.
const GRACE: Duration = Duration::from_secs(10);

/// An output that is changed or removed lets a POST that is on its way be answered within this.
const FAREWELL: Duration = Duration::from_millis(1200);

/// The pause before a journal that does not answer is asked again.
const JOURNAL_PAUSE: Duration = Duration::from_secs(5);

/// Nothing else goes on while a reload waits for the journal.
const JOURNAL_PATIENCE: Duration = Duration::from_secs(2);

/// A part that runs, with what it shows of itself.
struct Running<S> {
    task: Task,
    status: watch::Receiver<S>,
}

/// The inputs, by name.
pub(super) struct Inputs {
    running: BTreeMap<String, Running<input::Status>>,
    captured: mpsc::Sender<Captured>,
}

impl Inputs {
    pub(super) fn new(captured: mpsc::Sender<Captured>) -> Self {
        Self {
            running: BTreeMap::new(),
            captured,
        }
    }

    pub(super) async fn apply(
        &mut self,
        changes: &[(String, Change)],
        configs: &BTreeMap<String, input::Config>,
    ) {
        // All that goes before anything that comes: it may be the same port under another name.
        let leaving = take(&mut self.running, changes);
        for running in &leaving {
            running.task.abort();
        }
        for running in leaving {
            running.task.stop().await;
        }
        for (name, _) in changes {
            if let Some(config) = configs.get(name) {
                let running = self.start(name, config.clone());
                self.running.insert(name.clone(), running);
            }
        }
    }

    fn start(&self, name: &str, config: input::Config) -> Running<input::Status> {
        let started = input::Status {
            turned: awake(),
            ..input::Status::default()
        };
        let (status, receiver) = watch::channel(started);
        let short: Arc<str> = name.into();
        let captured = self.captured.clone();
        let mut begun = false;
        let task = Task::supervised(format!("input {name}"), move || {
            // What a recording said before is stored already.
            let told = begun && matches!(config, input::Config::File(_));
            begun = true;
            let run = input::run(
                Arc::clone(&short),
                config.clone(),
                captured.clone(),
                status.clone(),
            );
            async move {
                if told {
                    tracing::error!("a recording is not read to its end: it would begin anew");
                } else {
                    run.await;
                }
                End::Done
            }
        });
        Running {
            task,
            status: receiver,
        }
    }

    pub(super) fn statuses(&self) -> BTreeMap<String, input::Status> {
        let status = |running: &Running<input::Status>| running.status.borrow().clone();
        self.running
            .iter()
            .map(|(name, running)| (name.clone(), status(running)))
            .collect()
    }

    /// An input whose loop has not turned for longer than `within`.
    pub(super) fn hanging(&self, within: Duration) -> Option<&str> {
        let now = awake();
        let limit = within.max(input::TURN + GRACE);
        let hangs = |running: &Running<input::Status>| {
            !running.task.is_finished()
                && now.saturating_sub(running.status.borrow().turned) > limit
        };
        self.running
            .iter()
            .find(|(_, running)| hangs(running))
            .map(|(name, _)| name.as_str())
    }

    /// Stops all of them and lets go of the queue.
    pub(super) async fn stop(self) {
        for running in self.running.into_values() {
            running.task.stop().await;
        }
    }
}

/// An output that runs, and the word that ends it.
struct RunningOutput {
    running: Running<output::Status>,
    end: watch::Sender<bool>,
}

impl RunningOutput {
    /// Lets a POST that is on its way be answered, but not for longer than `patience`.
    async fn stop(self, patience: Duration) {
        self.end.send_replace(true);
        if !self.running.task.finish(patience).await {
            tracing::debug!("an output was cut off; what it was sending is sent again");
        }
    }
}

/// The outputs, by name.
pub(super) struct Outputs {
    running: BTreeMap<String, RunningOutput>,
    journal: Journal,
    view: watch::Receiver<Snapshot>,
}

impl Outputs {
    pub(super) fn new(journal: Journal, view: watch::Receiver<Snapshot>) -> Self {
        Self {
            running: BTreeMap::new(),
            journal,
            view,
        }
    }

    pub(super) async fn apply(
        &mut self,
        changes: &[(String, Change)],
        configs: &BTreeMap<String, output::Config>,
    ) {
        let leaving = take(&mut self.running, changes);
        end(&leaving);
        stop(leaving, Instant::now() + FAREWELL).await;
        let names = configs.keys().cloned().collect();
        let retained = timeout(JOURNAL_PATIENCE, self.journal.retain_outputs(names)).await;
        if !matches!(retained, Ok(Ok(()))) {
            tracing::debug!("the journal keeps outputs that are gone: {retained:?}");
        }
        for (name, _) in changes {
            if let Some(config) = configs.get(name) {
                let output = self.start(name, config.clone()).await;
                self.running.insert(name.clone(), output);
            }
        }
    }

    async fn start(&self, name: &str, config: output::Config) -> RunningOutput {
        // Here and not in the task, so that the first reading finds its outputs in the journal.
        let known = timeout(JOURNAL_PATIENCE, self.journal.cursor(name, Start::Now)).await;
        if !matches!(known, Ok(Ok(_))) {
            tracing::debug!("output {name}: the journal does not answer: {known:?}");
        }
        let (status, receiver) = watch::channel(output::Status::default());
        let (end, ended) = watch::channel(false);
        let short: Arc<str> = name.into();
        let journal = self.journal.clone();
        let view = self.view.clone();
        let told = Arc::new(Mutex::new(String::new()));
        let task = Task::supervised(format!("output {name}"), move || {
            deliver(
                Arc::clone(&told),
                Arc::clone(&short),
                config.clone(),
                journal.clone(),
                status.clone(),
                view.clone(),
                ended.clone(),
            )
        });
        RunningOutput {
            running: Running {
                task,
                status: receiver,
            },
            end,
        }
    }

    pub(super) fn statuses(&self) -> BTreeMap<String, output::Status> {
        let status = |output: &RunningOutput| output.running.status.borrow().clone();
        self.running
            .iter()
            .map(|(name, output)| (name.clone(), status(output)))
            .collect()
    }

    /// Tells all of them to end.
    pub(super) fn end(&self) {
        end(self.running.values());
    }

    /// Waits until they have ended, all of them until `last`.
    pub(super) async fn stop(self, last: Instant) {
        stop(self.running.into_values(), last).await;
    }
}

/// Tells them to end.
fn end<'a>(outputs: impl IntoIterator<Item = &'a RunningOutput>) {
    for output in outputs {
        output.end.send_replace(true);
    }
}

/// Waits until they have ended, all of them until `last`.
async fn stop(outputs: impl IntoIterator<Item = RunningOutput>, last: Instant) {
    for output in outputs {
        let patience = last.saturating_duration_since(Instant::now());
        output.stop(patience).await;
    }
}

/// Takes out the parts that change.
fn take<R>(running: &mut BTreeMap<String, R>, changes: &[(String, Change)]) -> Vec<R> {
    changes
        .iter()
        .filter_map(|(name, _)| running.remove(name))
        .collect()
}

/// One run of an output. `told` is why the last one could not start.
async fn deliver(
    told: Arc<Mutex<String>>,
    name: Arc<str>,
    config: output::Config,
    journal: Journal,
    status: watch::Sender<output::Status>,
    view: watch::Receiver<Snapshot>,
    mut ended: watch::Receiver<bool>,
) -> End {
    let told_to_end = ended.clone();
    let cursor = loop {
        match journal.cursor(&name, Start::Now).await {
            Ok(cursor) => break cursor,
            Err(AskError::Retry(why)) => {
                tracing::warn!("output {name} waits for the journal: {why}");
                sleep(JOURNAL_PAUSE).await;
            }
            Err(AskError::Closed) => return End::Done,
        }
    };
    let shutdown = async move {
        // An error means that nobody can end it any more, which ends it too.
        let _ = ended.wait_for(|ended| *ended).await;
    };
    match config.run(cursor, status.clone(), view, shutdown).await {
        Ok(()) => told.lock().await.clear(),
        // The configuration was validated, so a file that it names has changed since, and may change again.
        Err(error) => {
            let why = error.to_string();
            status.send_modify(|status| {
                status.state = output::State::Misconfigured;
                status.last_error = Some(why.clone());
            });
            let mut told = told.lock().await;
            if *told != why {
                tracing::error!(
                    "output {name} cannot start, and its readings wait in the journal: {why}"
                );
                *told = why;
            }
        }
    }
    if *told_to_end.borrow() {
        End::Done
    } else {
        End::Again
    }
}
