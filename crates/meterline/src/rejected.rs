//! `meterline rejected`: readings that a server refused for good.

use std::io::{self, Write as _};
use std::path::PathBuf;

use meter_core::ServerId;
use meter_gateway::journal::{Look, Rejected};

use crate::failure::{Exit, Failure};

/// Show readings that a server refused for good, with its answer
///
/// They are set aside, so that the others go on, and are kept as long as delivered readings are. It
/// does not matter whether meterline runs meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline rejected
  meterline rejected --limit 10")]
pub struct Arguments {
    /// How many are shown, the newest first
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,

    /// The configuration file; otherwise the one that `meterline config where` shows
    #[arg(long, short, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    config: Option<PathBuf>,
}

impl Arguments {
    /// Lists them.
    pub fn run(&self) -> Result<Exit, Failure> {
        let path = crate::config::journal(self.config.as_deref())?;
        let text = if path.exists() {
            let look = Look::open(&path).map_err(Failure::Journal)?;
            let rejected = look.rejected(self.limit).map_err(Failure::Journal)?;
            if rejected.is_empty() {
                "no reading was refused for good\n".to_owned()
            } else {
                rejected.iter().map(line).collect::<Vec<_>>().concat()
            }
        } else {
            format!("there is no journal {} yet\n", path.display())
        };
        io::stdout()
            .lock()
            .write_all(text.as_bytes())
            .map_err(Failure::output)?;
        Ok(Exit::Success)
    }
}

fn line(rejected: &Rejected) -> String {
    let answer = if rejected.answer.is_empty() {
        String::new()
    } else {
        format!(": {}", rejected.answer)
    };
    format!(
        "{}  {}  output {}  {}{answer}\n",
        rejected.record.time,
        ServerId(&rejected.record.meter).meter_id(),
        rejected.output,
        rejected.reason,
    )
}
