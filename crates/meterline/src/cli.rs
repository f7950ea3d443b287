//! The command line: what the program is called with.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

use crate::failure::{EXIT_HELP, Exit, Failure};
use crate::{
    check, completions, config, decode, demo, man, paint, ports, rejected, run, sim, suspects,
};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  meterline demo                        see it work: simulated meters, a real HTTPS server
  meterline run                         show the meter whose head is plugged in
  meterline run --config meterline.toml deliver its readings
  meterline decode capture.bin          what did the meter send?
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
            Command::Completions(arguments) => arguments.run(),
            Command::Man(arguments) => arguments.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
