//! `meterline run`: the daemon, and a first look at a meter for those who have configured nothing.

mod look;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use meter_gateway::config;
use meter_gateway::notify::Notify;
use meter_gateway::run::{HostClocks, Setup, Snapshot, run, signals};
use tokio::sync::watch;

use crate::event_loop::block_on;
use crate::failure::{Exit, Failure};
use crate::logging;
use crate::paint::When;

/// Read meters and deliver their readings, for ever
///
/// Without a configuration it looks for read heads, finds the meters on them, shows their readings
/// live and says how to go on. Nothing is stored then.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline run
  meterline run --config /etc/meterline/meterline.toml
  METERLINE_LOG=debug meterline run

The configuration is looked for where `meterline config where` says. SIGHUP reads it again, SIGTERM
and Ctrl-C stop with everything stored. Log lines go to standard error.

Exit status:
  0  stopped by a signal
  1  the journal cannot be used
  3  the configuration is missing or wrong
  4  without a configuration: no meter was found")]
pub struct Arguments {
    /// The configuration file
    #[arg(long, short, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    config: Option<PathBuf>,

    #[command(flatten)]
    look: look::LookArguments,

    #[command(flatten)]
    log: logging::LogArguments,
}

impl Arguments {
    /// Runs until it is told to stop.
    pub fn run(&self, color: When) -> Result<Exit, Failure> {
        let Some((path, config)) = crate::config::load(self.config.as_deref())? else {
            return self.look.run(&self.log, color);
        };
        let _ = self.log.to_stderr(color)?;
        if io::stdin().is_terminal() {
            tracing::info!("configuration {}; Ctrl-C stops", path.display());
        }
        for gap in config.gaps() {
            tracing::warn!("{gap}");
        }
        let is_root = rustix::process::geteuid().is_root();
        let state_dir = config::default_state_dir(&config::environment, is_root);
        let (view, _) = watch::channel(Snapshot::default());
        block_on(async {
            let setup = Setup {
                config,
                source: Box::new(move || config::load(&path)),
                state_dir,
                signals: signals().map_err(Failure::Runtime)?,
                view,
                notify: Notify::from_env(),
                clocks: Arc::new(HostClocks),
            };
            run(setup).await.map_err(Failure::Run)
        })??;
        Ok(Exit::Success)
    }
}
