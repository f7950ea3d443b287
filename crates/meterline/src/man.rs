//! `meterline man`: manual pages, one for the program and one for each subcommand.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::failure::{Exit, Failure};

/// Print the manual page, or write the pages of all commands into a directory
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline man | man -l -
  meterline man decode | man -l -
  meterline man --dir /usr/local/share/man/man1")]
pub struct Arguments {
    /// The command whose page is wanted; the program's own page when absent
    #[arg(conflicts_with = "dir")]
    command: Option<String>,

    /// Write meterline.1, meterline-decode.1, … into this directory
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

impl Arguments {
    /// Prints or writes the pages.
    pub fn run(&self) -> Result<Exit, Failure> {
        let mut program = Cli::command();
        program.build();
        if let Some(dir) = &self.dir {
            return write_all(program, dir);
        }
        let page = match &self.command {
            None => render(program),
            Some(name) => match program.find_subcommand(name) {
                Some(command) => render(command.clone()),
                None => return Err(Failure::NoSuchCommand(name.clone())),
            },
        };
        io::stdout()
            .lock()
            .write_all(&page)
            .map_err(Failure::output)?;
        Ok(Exit::Success)
    }
}

fn render(command: clap::Command) -> Vec<u8> {
    let mut page = Vec::new();
    // Writing into a vector cannot fail.
    let _ = clap_mangen::Man::new(command).render(&mut page);
    page
}

fn write_all(program: clap::Command, dir: &Path) -> Result<Exit, Failure> {
    let unwritable = |source| Failure::Unwritable {
        path: dir.to_owned(),
        source,
    };
    fs::create_dir_all(dir).map_err(unwritable)?;
    clap_mangen::generate_to(program, dir).map_err(unwritable)?;
    Ok(Exit::Success)
}
