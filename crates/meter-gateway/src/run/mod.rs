//! The program: inputs, the reading loop, the journal and the outputs, and what may happen to them.
//!
//! ```text
//!   input ─┐                                          ┌─ output
//!   input ─┼─▶ reading loop: clock, guard ─▶ journal ─┼─ output
//!   input ─┘                                          └─ output
//!              control loop: signals, reload, watchdog, view ─▶ HTTP server
//! ```
//!
//! Every input and output is a task of its own that is started again when it fails inside. On
//! [`Signal::Reload`] the configuration is read again: what is unchanged goes on without a pause, so
//! that no byte is lost. On [`Signal::Stop`] inputs end first, then what they took is stored, then the
//! outputs end and the journal is synced, all within 2 s.

mod accept;
mod change;
mod clock;
mod http;
mod keep;
mod meters;
mod parts;
mod signals;
mod task;
mod view;

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::future::pending;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};

pub use accept::request as request_accept;
pub use clock::{Clocks, HostClocks};
pub use signals::{Signal, signals};
pub use view::{MeterView, Snapshot};

use crate::config::{self, Config};
use crate::journal::{Journal, OpenError};
use crate::notify::Notify;
use crate::serve::Site;
use http::Http;
use keep::Desk;
use parts::{Inputs, Outputs};
use task::{Pulse, Task};
use view::Board;

/// Readings that may wait for the journal; a slow disk makes the inputs wait, which loses nothing
/// until the system's own buffers are full.
const QUEUE: usize = 64;

/// At the end, what the inputs took last is stored within this.
const DRAIN: Duration = Duration::from_millis(500);

/// At the end, a POST that is on its way is answered within this, counted from the same moment.
const FAREWELL: Duration = Duration::from_millis(1200);

/// At the end, the journal is synced within this, counted from the same moment: the service manager
/// and the person at the terminal are promised 2 s. It is committed long before.
const CLOSE: Duration = Duration::from_millis(1700);

/// The service manager's status line and the view are renewed this often.
const REFRESH: Duration = Duration::from_secs(1);

/// The configuration as it is now, for a reload.
pub type Source = Box<dyn Fn() -> Result<Config, config::Error> + Send>;

/// What the program runs with.
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// Where a reload reads it again.
    pub source: Source,
    /// Where the journal is, unless the configuration says so.
    pub state_dir: PathBuf,
    /// What is asked of it from outside.
    pub signals: mpsc::Receiver<Signal>,
    /// Where it shows what it does.
    pub view: watch::Sender<Snapshot>,
    /// The service manager.
    pub notify: Notify,
    /// The clocks.
    pub clocks: Arc<dyn Clocks>,
}

/// Why the program cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The state directory cannot be made.
    #[error("the state directory {} cannot be made: {error}; set state_dir in the configuration to a directory that this user may write", path.display())]
    StateDir {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

/// Runs until [`Signal::Stop`], and returns with everything stored.
pub async fn run(setup: Setup) -> Result<(), Error> {
    let state_dir = setup.config.state_dir.clone().unwrap_or(setup.state_dir);
    // When somebody is at home can be read from a meter, so nobody else may look.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&state_dir)
        .map_err(|error| Error::StateDir {
            path: state_dir.clone(),
            error,
        })?;
    let journal = Journal::open(setup.config.journal.options(&state_dir))?;
    let board = Board::new(setup.view);
    let pulse = Pulse::new();
    let (taken, queue) = mpsc::channel(QUEUE);
    let (guard, guard_settings) = watch::channel(setup.config.guard.clone());
    let desk = Desk {
        journal: journal.clone(),
        clocks: setup.clocks,
        guard: guard_settings,
        taken: Arc::new(Mutex::new(queue)),
        boot: clock::boot_id().into(),
        board: board.clone(),
        pulse: pulse.clone(),
        state_dir,
    };
    let site = Site {
        view: board.subscribe(),
        journal: journal.clone(),
        clocks: Arc::clone(&desk.clocks),
    };
    let mut program = Program {
        http: Http::new(site),
        inputs: Inputs::new(taken),
        outputs: Outputs::new(journal.clone(), board.subscribe()),
        reading: Task::supervised("the reading loop".to_owned(), move || desk.clone().run()),
        config: Config::default(),
        contents: BTreeMap::new(),
        source: setup.source,
        notify: setup.notify,
        guard,
        journal,
        board,
        pulse,
        told: String::new(),
    };
    // Before the inputs, so that an output does not miss the first reading.
    program.apply(setup.config).await;
    program.notify.ready(&program.status());
    program.control(setup.signals).await;
    program.stop().await;
    Ok(())
}

struct Program {
    config: Config,
    /// A hash of the files that each output has read.
    contents: BTreeMap<String, u64>,
    source: Source,
    inputs: Inputs,
    outputs: Outputs,
    http: Http,
    reading: Task,
    journal: Journal,
    guard: watch::Sender<config::Guard>,
    notify: Notify,
    board: Board,
    pulse: Pulse,
    /// The status line that the service manager has.
    told: String,
}

impl Program {
    /// Until somebody wants it to stop.
    async fn control(&mut self, mut signals: mpsc::Receiver<Signal>) {
        let mut refresh = ticks(REFRESH);
        let feed_every = self.notify.feed_every();
        let mut feed = feed_every.map(ticks);
        loop {
            tokio::select! {
                signal = signals.recv() => match signal {
                    Some(Signal::Reload) => self.reload().await,
                    Some(Signal::Stop) | None => return,
                },
                _ = refresh.tick() => self.refresh(),
                () = tick(&mut feed) => {
                    if feed_every.is_some_and(|every| self.lives(every)) {
                        self.notify.feed();
                    }
                }
            }
        }
    }

    /// Whether the reading loop and every input have had a turn lately. A meter's silence does not
    /// matter: they turn all the same.
    fn lives(&self, within: Duration) -> bool {
        if self.pulse.age() > within.max(keep::LONGEST_TURN) {
            tracing::error!("the reading loop hangs: the service manager will restart the program");
            return false;
        }
        match self.inputs.hanging(within) {
            Some(name) => {
                tracing::error!("input {name} hangs: the service manager will restart the program");
                false
            }
            None => true,
        }
    }

    fn refresh(&mut self) {
        self.board
            .set(|view| &mut view.inputs, self.inputs.statuses());
        self.board
            .set(|view| &mut view.outputs, self.outputs.statuses());
        self.board.set(|view| &mut view.http, self.http.status());
        let status = self.status();
        if status != self.told {
            self.notify.status(&status);
            self.told = status;
        }
    }

    fn status(&self) -> String {
        self.board.read(ToString::to_string)
    }

    async fn reload(&mut self) {
        self.notify.reloading();
        let bad = match (self.source)() {
            Ok(config) => {
                let gaps = config.gaps();
                let changed = self.apply(config).await;
                tracing::info!("configuration read again: {changed}");
                for gap in gaps {
                    tracing::warn!("{gap}");
                }
                None
            }
            Err(error) => {
                tracing::warn!(
                    "the new configuration is not taken, and the old one goes on: {}",
                    error.summary()
                );
                Some(error.summary())
            }
        };
        self.board.set(|view| &mut view.bad_config, bad);
        self.refresh();
        self.notify.ready(&self.status());
    }

    /// Starts, stops and restarts what differs; says in one line what that was.
    async fn apply(&mut self, new: Config) -> String {
        let mut outputs = change::changes(&self.config.output, &new.output);
        let contents = change::contents(&new.output);
        change::add_renewed(&mut outputs, &self.contents, &contents);
        self.contents = contents;
        let inputs = change::changes(&self.config.input, &new.input);
        let mut settings = Vec::new();
        if self.config.guard != new.guard {
            settings.push("[guard] changed");
            self.guard.send_replace(new.guard.clone());
        }
        if self.config.journal != new.journal || self.config.state_dir != new.state_dir {
            settings.push("what is changed about the journal counts from the next start");
        }
        if self.config.http != new.http {
            settings.push("[http] changed");
            self.http.apply(new.http.as_ref()).await;
        }
        self.outputs.apply(&outputs, &new.output).await;
        self.inputs.apply(&inputs, &new.input).await;
        self.config = new;
        change::sentence(&[("input", &inputs), ("output", &outputs)], &settings)
    }

    async fn stop(self) {
        let begin = Instant::now();
        self.notify.stopping();
        drop(self.http);
        // A POST on its way may be answered while the inputs end.
        self.outputs.end();
        // The reading loop ends when the last input has let go of its end of the queue.
        if timeout(DRAIN, self.inputs.stop()).await.is_err() {
            tracing::warn!("an input did not end in time; its port is released with the program");
        }
        let left = |last: Duration| last.saturating_sub(begin.elapsed());
        if !self.reading.finish(left(DRAIN)).await {
            tracing::error!("the reading loop did not end in time; its last readings may be lost");
        }
        self.outputs.stop(begin + FAREWELL).await;
        if timeout(left(CLOSE), self.journal.close()).await.is_err() {
            tracing::warn!(
                "the disk is too slow to sync the journal now; everything is committed, and only a power \
                 cut in the next seconds could cost readings"
            );
        }
        tracing::info!("stopped within {} ms", begin.elapsed().as_millis());
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The next tick, or never.
async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => pending().await,
    }
}
