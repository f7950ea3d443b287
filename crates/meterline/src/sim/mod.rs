//! `meterline sim`: meters that are not there.

mod model;
mod serve;

use std::io::{self, Write as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;

use meter_gateway::config::Duration;
use meter_sim::Model;

use crate::failure::{Exit, Failure};
use crate::paint::{Paint, When};
use model::FaultsArgument;

pub use model::{find as find_model, serial};

/// Simulate meters: on a serial line, over TCP, as a Tibber Pulse bridge, or into a file
///
/// Without a destination the bytes go to standard output, or, when that is a terminal, to a
/// pseudo-terminal whose name is printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline sim --list
  meterline sim q3a --pv 8000 --link heads/meter    a serial port for `meterline run --dir heads`
  meterline sim emh-mme40 --tcp 127.0.0.1:2000      like ser2net in front of a read head
  meterline sim mt631 --no-pin --count 3 | meterline decode
  meterline sim dvs74 ed300l-old --count 1000 --faults poor --out poor.bin

MODEL is a name from --list, or any part of it that only one model has.

Faults: none, poor (about one telegram in four is damaged), echo, or probabilities from 0 to 1 with
commas between them: noise-between, noise-inside, lost, doubled, flipped, cut, silence; and
silence-for in seconds.")]
pub struct Arguments {
    /// The models to simulate
    #[arg(required_unless_present = "list", value_parser = model::find, value_name = "MODEL")]
    models: Vec<Arc<Model>>,

    /// List the models, what is documented about each and what is assumed
    #[arg(long)]
    list: bool,

    #[command(flatten)]
    destination: Destination,

    #[command(flatten)]
    meter: MeterArguments,

    /// How fast the telegrams come; into a file or a pipe as fast as possible
    #[arg(long, value_name = "SPEED")]
    speed: Option<Speed>,

    /// What goes wrong on the line
    #[arg(long, value_name = "FAULTS", default_value = "none")]
    faults: FaultsArgument,

    /// Stop after so many telegrams of each meter
    #[arg(long, short = 'n', value_name = "N")]
    count: Option<u64>,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Destination {
    /// Serve each meter on a pseudo-terminal, which programs take for a serial port
    #[arg(long)]
    pty: bool,

    /// The same, with a link to it under this name (the second meter gets NAME-2, …)
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    link: Option<PathBuf>,

    /// Serve over TCP, raw, as ser2net does (the second meter on the next port, …)
    #[arg(long, value_name = "ADDR", value_parser = address)]
    tcp: Option<SocketAddr>,

    /// Serve over HTTP as the bridge of a Tibber Pulse does
    #[arg(long, value_name = "ADDR", value_parser = address)]
    tibber: Option<SocketAddr>,

    /// Write the bytes into a file; `-` is standard output
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    out: Option<PathBuf>,
}

/// How a simulated meter is set up.
#[derive(Debug, clap::Args)]
struct MeterArguments {
    /// The same seed gives the same bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Peak power of a photovoltaic system on the roof, in watts
    #[arg(long, value_name = "WATTS", default_value_t = 0)]
    pv: u32,

    /// The PIN has been entered (the default)
    #[arg(long, overrides_with = "no_pin")]
    pin: bool,

    /// The PIN has not been entered: a locked meter sends little
    #[arg(long)]
    no_pin: bool,

    /// Time from telegram to telegram; the model's own when absent
    #[arg(long, value_name = "DURATION")]
    interval: Option<Duration>,
}

/// How fast telegrams come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Speed {
    /// One in each interval, at 9600 baud
    Realtime,
    /// As fast as they are read
    Max,
}

impl Arguments {
    /// Lists the models, or simulates some.
    pub fn run(&self, color: When) -> Result<Exit, Failure> {
        if self.list {
            let text = list(Paint::new(color, &io::stdout()))?;
            io::stdout()
                .lock()
                .write_all(text.as_bytes())
                .map_err(Failure::output)?;
            return Ok(Exit::Success);
        }
        serve::run(self)
    }
}

/// An address to listen on; a name is looked up.
fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text
        .to_socket_addrs()
        .map_err(|error| format!("{error}: write HOST:PORT, for example 127.0.0.1:2000"))?;
    found
        .next()
        .ok_or_else(|| format!("{text} has no address: write for example 127.0.0.1:2000"))
}

fn list(paint: Paint) -> Result<String, Failure> {
    let mut text = String::new();
    for model in meter_sim::model::all().map_err(Failure::Model)? {
        let lock = if model.pin_lock {
            ", locked without its PIN"
        } else {
            ""
        };
        let lines = [
            format!("{}  {}{lock}", paint.heading(model.name), model.title),
            format!("    documented: {}", model.documented),
            format!("    assumed: {}", model.assumed),
        ];
        text.push_str(&(lines.join("\n") + "\n"));
    }
    Ok(text)
}
