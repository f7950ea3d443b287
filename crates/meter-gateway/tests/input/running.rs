//! An input under test.

use std::sync::Arc;
use std::time::Duration;

use meter_gateway::input::{Captured, Config, End, State, Status, Trouble, run};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::Level;

use super::log;

/// Nothing in these tests takes longer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Running {
    name: String,
    readings: mpsc::Receiver<Captured>,
    status: watch::Receiver<Status>,
    task: JoinHandle<End>,
}

/// Starts an input. The name must be its test's own.
pub fn start(name: &str, config: Config) -> Running {
    log::listen();
    let (to, readings) = mpsc::channel(1024);
    let (tell, status) = watch::channel(Status::default());
    let task = tokio::spawn(run(Arc::from(name), config, to, tell));
    Running {
        name: name.to_owned(),
        readings,
        status,
        task,
    }
}

impl Running {
    /// Waits for the next reading.
    pub async fn next(&mut self) -> Captured {
        timeout(PATIENCE, self.readings.recv())
            .await
            .expect("a reading in time")
            .expect("the input runs")
    }

    /// The reading that is there, if any.
    pub fn at_hand(&mut self) -> Option<Captured> {
        self.readings.try_recv().ok()
    }

    /// Waits until this is wrong.
    pub async fn trouble(&mut self, kind: &str) -> Trouble {
        let wanted = |status: &Status| matches!(&status.state, State::Trouble(trouble) if trouble.kind == kind);
        let found = timeout(PATIENCE, self.status.wait_for(wanted))
            .await
            .map(|status| status.expect("the input runs").state.clone());
        let state = found.unwrap_or_else(|_| {
            let state = self.status().state;
            panic!("never `{kind}`, but {state:?}")
        });
        match state {
            State::Trouble(trouble) => trouble,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the status is as wanted.
    pub async fn until(&mut self, wanted: impl FnMut(&Status) -> bool) -> Status {
        let found = timeout(PATIENCE, self.status.wait_for(wanted)).await;
        found.expect("in time").expect("the input runs").clone()
    }

    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    pub fn warnings(&self) -> Vec<String> {
        [
            log::said(Level::WARN, &self.name),
            log::said(Level::ERROR, &self.name),
        ]
        .concat()
    }

    pub fn notices(&self) -> Vec<String> {
        log::said(Level::INFO, &self.name)
    }

    /// The input goes on until nobody wants its readings.
    pub async fn stop(self) {
        assert!(!self.task.is_finished(), "an input never ends by itself");
        drop(self.readings);
        let end = timeout(Duration::from_secs(2), self.task).await;
        assert_eq!(
            end.expect("stops at once").expect("without a panic"),
            End::Stopped
        );
    }

    /// Waits for the end of a recording.
    pub async fn end(self) -> (Vec<Captured>, Status) {
        let mut readings = self.readings;
        let mut all = Vec::new();
        while let Some(reading) = timeout(PATIENCE, readings.recv()).await.expect("in time") {
            all.push(reading);
        }
        assert_eq!(self.task.await.expect("without a panic"), End::Finished);
        let status = self.status.borrow().clone();
        (all, status)
    }
}
