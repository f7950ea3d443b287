//! `meterline import`: other programs' configurations, as ours.

mod source;
mod target;
mod vzlogger;

use std::io::{self, Write as _};
use std::path::PathBuf;

use meter_gateway::config::Config;

use crate::failure::{Exit, Failure};
use source::Notes;

/// Turn another program's configuration into one for meterline
///
/// Prints the configuration, and on standard error a line for all that could not be carried over.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline import vzlogger /etc/vzlogger.conf > meterline.toml
  meterline check --config meterline.toml

Exit status:
  0  the configuration is printed
  1  the file cannot be read, or there is nothing in it")]
pub struct Arguments {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, clap::Subcommand)]
enum From {
    /// The JSON of vzlogger, comments and all
    Vzlogger {
        /// The configuration file, mostly /etc/vzlogger.conf; `-` for standard input
        #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        file: PathBuf,
    },
}

/// Why a configuration cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not what it should be.
    #[error("{file}:{line}:{column}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// It is another kind of file.
    #[error("{0}: this is no configuration of vzlogger: it has no list `meters`")]
    NotVzlogger(String),
}

impl Arguments {
    /// Prints the configuration and the notes.
    pub fn run(&self) -> Result<Exit, Failure> {
        let From::Vzlogger { file } = &self.from;
        let text = if file.as_os_str() == "-" {
            io::read_to_string(io::stdin())
        } else {
            std::fs::read_to_string(file)
        };
        let text = text.map_err(|source| Failure::Unreadable {
            path: file.clone(),
            source,
        })?;
        let name = file.display().to_string();
        let mut notes = Notes::default();
        let config = vzlogger::import(&name, &text, &mut notes)?;
        // What cannot work is told now and not when it is needed.
        if let Err(faults) = Config::parse("the new configuration", &config) {
            notes.add("the new configuration", &faults.to_string());
        }
        let stdout = io::stdout();
        stdout
            .lock()
            .write_all(config.as_bytes())
            .map_err(Failure::output)?;
        for note in notes.lines() {
            writeln!(io::stderr().lock(), "{note}").map_err(Failure::output)?;
        }
        Ok(Exit::Success)
    }
}
