//! `meterline completions SHELL`: a completion script on standard output.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::{Exit, Failure};

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline completions bash > ~/.local/share/bash-completion/completions/meterline
  meterline completions zsh > ~/.zfunc/_meterline
  meterline completions fish > ~/.config/fish/completions/meterline.fish")]
pub struct Arguments {
    /// The shell to complete for
    shell: Shell,
}

impl Arguments {
    /// Prints the script.
    pub fn run(&self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "meterline", &mut script);
        io::stdout()
            .lock()
            .write_all(&script)
            .map_err(Failure::output)?;
        Ok(Exit::Success)
    }
}
