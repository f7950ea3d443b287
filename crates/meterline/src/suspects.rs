//! `meterline suspects`: readings that were kept apart, and the way out for a meter that was replaced.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use meter_core::ServerId;
use meter_gateway::input::MeterName;
use meter_gateway::journal::{Look, Suspect};
use meter_gateway::run::request_accept;

use crate::failure::{Exit, Failure};

/// How many are listed, and counted.
const LIMIT: usize = 10_000;

/// A daemon looks for requests every few seconds. After this time none is running, or it waits for its
/// clock.
const PATIENCE: Duration = Duration::from_secs(8);

/// How often it is looked whether the daemon is done.
const PAUSE: Duration = Duration::from_millis(100);

/// Show readings that were not plausible and are kept apart, or accept them
///
/// A counter that falls or jumps is kept apart, so that one bad reading does not spoil a statistic.
/// When a meter was really replaced or reset, `--accept` takes it as it is now. Both work while
/// meterline runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline suspects
  meterline suspects --accept '1 EMH00 1059 9732'")]
pub struct Arguments {
    /// Accept this meter as it is now; its number as shown here, or its server id in hex
    #[arg(long, value_name = "METER")]
    accept: Option<MeterName>,

    /// The configuration file; otherwise the one that `meterline config where` shows
    #[arg(long, short, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    config: Option<PathBuf>,
}

impl Arguments {
    /// Lists, or accepts.
    pub fn run(&self) -> Result<Exit, Failure> {
        let journal = crate::config::journal(self.config.as_deref())?;
        let suspects = suspects(&journal)?;
        let text = match &self.accept {
            Some(meter) => accept(meter, &journal, &suspects)?,
            None if !journal.exists() => format!("there is no journal {} yet\n", journal.display()),
            None if suspects.is_empty() => "no reading is kept apart\n".to_owned(),
            None => suspects.iter().map(line).collect::<Vec<_>>().concat(),
        };
        io::stdout()
            .lock()
            .write_all(text.as_bytes())
            .map_err(Failure::output)?;
        Ok(Exit::Success)
    }
}

fn suspects(journal: &Path) -> Result<Vec<Suspect>, Failure> {
    if !journal.exists() {
        return Ok(Vec::new());
    }
    Look::open(journal)
        .and_then(|look| look.suspects(LIMIT))
        .map_err(Failure::Journal)
}

/// Leaves a request for the daemon, and says what came of it.
fn accept(meter: &MeterName, journal: &Path, suspects: &[Suspect]) -> Result<String, Failure> {
    let Some(suspect) = suspects.iter().find(|suspect| meter.is(&suspect.meter)) else {
        return Err(Failure::NoSuspect(meter.to_string()));
    };
    let id = ServerId(&suspect.meter).meter_id();
    let state_dir = journal.parent().unwrap_or(Path::new("."));
    let request = request_accept(state_dir, meter).map_err(|source| Failure::Unwritable {
        path: state_dir.to_owned(),
        source,
    })?;
    let begin = Instant::now();
    while request.exists() {
        if begin.elapsed() > PATIENCE {
            return Ok(format!(
                "meter {id} is not accepted yet, because meterline does not run or its clock is wrong: it \
                 will be as soon as meterline runs and has the time\n"
            ));
        }
        sleep(PAUSE);
    }
    let left = self::suspects(journal)?;
    let left = left.iter().filter(|suspect| meter.is(&suspect.meter));
    Ok(match left.count() {
        0 => {
            format!("meter {id} is accepted as it is now, with all readings that were kept apart\n")
        }
        left => format!(
            "meter {id} is accepted as it is now; {left} older readings do not go with it and stay apart\n"
        ),
    })
}

fn line(suspect: &Suspect) -> String {
    format!(
        "{}  {}  {}\n",
        suspect.time,
        ServerId(&suspect.meter).meter_id(),
        suspect.reason
    )
}
