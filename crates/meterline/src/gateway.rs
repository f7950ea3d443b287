//! The gateway as the commands run it.

use std::path::PathBuf;
use std::sync::Arc;

use meter_gateway::config::Config;
use meter_gateway::notify::Notify;
use meter_gateway::run::{self, HostClocks, Setup, Signal, Snapshot};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// The gateway beside the view of a terminal, without signals of its own.
pub struct Watched {
    /// What it shows of itself.
    pub snapshots: watch::Receiver<Snapshot>,
    stop: mpsc::Sender<Signal>,
    task: JoinHandle<Result<(), run::Error>>,
}

impl Watched {
    /// Starts it with this configuration. It keeps its journal in `state_dir`.
    pub fn start(config: Config, state_dir: PathBuf) -> Self {
        let (stop, signals) = mpsc::channel(1);
        let (view, snapshots) = watch::channel(Snapshot::default());
        let again = config.clone();
        let setup = Setup {
            config,
            source: Box::new(move || Ok(again.clone())),
            state_dir,
            signals,
            view,
            notify: Notify::default(),
            clocks: Arc::new(HostClocks),
        };
        Self {
            snapshots,
            stop,
            task: tokio::spawn(run::run(setup)),
        }
    }

    /// Whether it has ended by itself, which means that it could not start.
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Stops it with everything stored, and says why it had ended before if it had.
    pub async fn stop(self) -> Result<(), Failure> {
        // Nobody listens any more when it has ended by itself.
        let _ = self.stop.send(Signal::Stop).await;
        match self.task.await {
            Ok(outcome) => outcome.map_err(Failure::Run),
            Err(error) => Err(Failure::Task(error)),
        }
    }
}
