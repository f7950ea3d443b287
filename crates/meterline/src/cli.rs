//! The command line: what the program is called with.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

use crate::failure::{EXIT_HELP, Exit, Failure};
use crate::{
    check, completions, config, decode, demo, device, import, man, paint, ports, rejected, run,
    sim, suspects,
};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  meterline demo                           see it work: simulated meters, a real HTTPS server
  meterline run                            show the meter whose head is plugged in
  meterline check --config meterline.toml  try a configuration out
  meterline run --config meterline.toml    deliver its readings
  meterline decode capture.bin             what did the meter send?
";

/// Reads electricity meters that speak SML, and delivers every reading
#[derive(Debug, Parser)]
#[command(
    name = "meterline",
    version,
    about,
    styles = STYLES,
    disable_help_subcommand = true,
    after_help = format!("{EXAMPLES}\n{EXIT_HELP}"),
)]
pub struct Cli {
    /// When to use colours: auto, always or never; `auto` honours `NO_COLOR`
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        display_order = 900
    )]
    color: paint::When,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Demo(demo::Arguments),
    Decode(decode::Arguments),
    Sim(Box<sim::Arguments>),
    Ports(ports::Arguments),
    Check(check::Arguments),
    Suspects(suspects::Arguments),
    Rejected(rejected::Arguments),
    Config(config::Arguments),
    Import(import::Arguments),
    Device(device::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

impl Cli {
    /// Runs the subcommand.
    pub fn run(self) -> Result<Exit, Failure> {
        match self.command {
            Command::Run(arguments) => arguments.run(self.color),
            Command::Demo(arguments) => arguments.run(self.color),
            Command::Decode(arguments) => arguments.run(self.color),
            Command::Sim(arguments) => arguments.run(self.color),
            Command::Ports(arguments) => arguments.run(self.color),
            Command::Check(arguments) => arguments.run(self.color),
            Command::Suspects(arguments) => arguments.run(),
            Command::Rejected(arguments) => arguments.run(),
            Command::Config(arguments) => arguments.run(),
            Command::Import(arguments) => arguments.run(),
            Command::Device(arguments) => arguments.run(),
            Command::Completions(arguments) => arguments.run(),
            Command::Man(arguments) => arguments.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fs;
    use std::path::Path;

    use clap::{CommandFactory as _, Parser as _};

    use super::Cli;

    /// Calls of the program in a document: lines of its `sh` blocks, and what stands in the text.
    fn calls_in_document(text: &str) -> Vec<String> {
        let mut calls = Vec::new();
        let mut block = None;
        for line in text.lines() {
            match (line.strip_prefix("```"), block) {
                (Some(info), None) => block = Some(info),
                (Some(_), Some(_)) => block = None,
                (None, Some("sh")) => calls.push(line.to_owned()),
                (None, Some(_)) => {}
                (None, None) => calls.extend(line.split('`').skip(1).step_by(2).map(str::to_owned)),
            }
        }
        calls.retain(|call| call.starts_with("meterline "));
        calls
    }

    /// Calls in the examples of a help text; what they do stands behind them, after two spaces.
    fn calls_in_help(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string);
        help.unwrap_or_default()
            .lines()
            .filter_map(|line| line.trim().split("  ").next())
            .filter(|call| call.starts_with("meterline "))
            .map(str::to_owned)
            .collect()
    }

    /// The words of a call as a shell reads it, up to what the shell does with its output.
    fn words(call: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        for (index, part) in call.split('\'').enumerate() {
            let is_quoted = index % 2 == 1;
            let pieces = part.split(if is_quoted { '\'' } else { ' ' });
            for (index, piece) in pieces.enumerate() {
                if index > 0 {
                    words.push(String::new());
                }
                if let Some(word) = words.last_mut() {
                    word.push_str(piece);
                }
            }
        }
        let ends = |word: &String| matches!(word.as_str(), "|" | ">" | "&&" | "#");
        let call = words.split(ends).next().unwrap_or_default();
        call.iter()
            .filter(|word| !word.is_empty())
            .cloned()
            .collect()
    }

    #[test]
    fn every_call_that_is_documented_is_understood() -> Result<(), Box<dyn Error>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut calls: Vec<String> = Cli::command()
            .get_subcommands()
            .flat_map(calls_in_help)
            .chain(calls_in_help(&Cli::command()))
            .collect();
        for folder in [root.clone(), root.join("docs")] {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "md") {
                    calls.extend(calls_in_document(&fs::read_to_string(path)?));
                }
            }
        }
        assert!(calls.len() > 30, "{calls:?}");
        for call in calls {
            let read = Cli::try_parse_from(words(&call));
            assert!(read.is_ok(), "`{call}`: {read:?}");
        }
        Ok(())
    }

    #[test]
    fn calls_are_taken_apart_as_a_shell_does() {
        let accept = words("meterline suspects --accept '1 EMH00 1059 9732' | cat");
        assert_eq!(
            accept,
            ["meterline", "suspects", "--accept", "1 EMH00 1059 9732"]
        );
        let document = "`meterline run` and `cargo`\n```sh\nmeterline check\nls\n```\n```toml\nmeterline no\n```\n";
        assert_eq!(
            calls_in_document(document),
            ["meterline run", "meterline check"]
        );
        assert!(Cli::try_parse_from(words("meterline run --no-such-option")).is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
