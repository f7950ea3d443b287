//! `meterline config`: an example, the JSON Schema, and the way to what is used.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use meter_gateway::config;

use crate::failure::{Exit, Failure};

/// Print an example configuration, its JSON Schema, or where it is looked for
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline config example > meterline.toml
  meterline config schema > meterline.schema.json
  meterline config where")]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A configuration with every key, its default and what it means
    Example,
    /// The JSON Schema of the configuration, for editors
    Schema,
    /// The files that are looked for, and the one that is used
    Where,
}

impl Arguments {
    /// Prints it.
    pub fn run(&self) -> Result<Exit, Failure> {
        let text = match self.what {
            What::Example => config::example(),
            What::Schema => format!("{:#}", config::schema()),
            What::Where => places(),
        };
        let end = if text.ends_with('\n') { "" } else { "\n" };
        io::stdout()
            .lock()
            .write_all(format!("{text}{end}").as_bytes())
            .map_err(Failure::output)?;
        Ok(Exit::Success)
    }
}

fn places() -> String {
    let used = config::find(&config::environment);
    let lines = config::candidates(&config::environment)
        .into_iter()
        .map(|path| {
            let mark = if Some(&path) == used.as_ref() {
                "used"
            } else if path.exists() {
                "there, but not used"
            } else {
                "not there"
            };
            format!("{}  ({mark})\n", path.display())
        });
    lines.collect()
}

/// The journal that belongs to a configuration, whether or not it was made yet.
pub fn journal(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let config = load(named)?.map(|(_, config)| config).unwrap_or_default();
    let is_root = rustix::process::geteuid().is_root();
    let default = config::default_state_dir(&config::environment, is_root);
    let state_dir = config.state_dir.clone().unwrap_or(default);
    Ok(config.journal.options(&state_dir).path)
}

/// The configuration that was named, or the first one in its usual places; none where nothing was
/// configured yet.
pub fn load(named: Option<&Path>) -> Result<Option<(PathBuf, config::Config)>, Failure> {
    let Some(path) = named
        .map(Path::to_owned)
        .or_else(|| config::find(&config::environment))
    else {
        return Ok(None);
    };
    let config = config::load(&path).map_err(Failure::Configuration)?;
    Ok(Some((path, config)))
}
