//! The HTTP server, if the configuration has one.

use tokio::sync::watch;

use super::task::{End, Task};
use crate::serve::{self, Config, Site, Status};

/// The server that runs.
pub(super) struct Http {
    site: Site,
    running: Option<(Task, watch::Receiver<Status>)>,
}

impl Http {
    pub(super) fn new(site: Site) -> Self {
        Self {
            site,
            running: None,
        }
    }

    /// Ends the server that runs, and starts the one that is wanted.
    pub(super) async fn apply(&mut self, config: Option<&Config>) {
        // The old one has to let go of its port before the new one asks for it.
        if let Some((task, _)) = self.running.take() {
            task.stop().await;
        }
        self.running = config.map(|config| {
            let (status, receiver) = watch::channel(Status::default());
            let (config, site) = (config.clone(), self.site.clone());
            let task = Task::supervised("the HTTP server".to_owned(), move || {
                let serving = serve::run(config.clone(), site.clone(), status.clone());
                async move {
                    serving.await;
                    End::Done
                }
            });
            (task, receiver)
        });
    }

    pub(super) fn status(&self) -> Option<Status> {
        let (_, status) = self.running.as_ref()?;
        Some(status.borrow().clone())
    }
}
