//! What the running daemon costs and what it loses, measured from outside: the real program
//! with a configuration file, a simulated meter on a pty and a simulated HTTPS server.

mod all_outputs;
mod idle;
mod journal;
mod meter;
mod outage;
mod server;
mod sml2mqtt;
mod usage;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rig::Program;

/// Anything that keeps a measurement from being made; a person reads it.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures the program that `METERLINE_PROGRAM` names.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Arguments {
    #[command(subcommand)]
    what: Measurement,
}

#[derive(Subcommand)]
enum Measurement {
    /// Processor time, memory and latency with a meter that sends as fast as they do.
    Idle(idle::Arguments),
    /// Readings lost and doubled when the server is away and the daemon is killed.
    Outage(outage::Arguments),
    /// Readings that are stored and delivered per second.
    Journal(journal::Arguments),
}

/// Whether what was measured is as it must be.
enum Verdict {
    AsItMustBe,
    Not,
}

/// The program under measurement.
fn program() -> Result<PathBuf, Failure> {
    let program = env::var_os("METERLINE_PROGRAM").ok_or("METERLINE_PROGRAM is not set")?;
    Ok(program.into())
}

/// Starts it with a configuration; its log goes to `folder`.
fn start(folder: &Path, config: &Path) -> Result<Program, Failure> {
    Program::start(&program()?, folder, config)
}

/// Writes a configuration with one input and one output, and says where it is.
fn configure(folder: &Path, input: &str, output: &str) -> Result<PathBuf, Failure> {
    let config = folder.join("meterline.toml");
    let state = folder.join("state");
    let text =
        format!("state_dir = {state:?}\n\n[input.meter]\n{input}\n\n[output.server]\n{output}\n");
    fs::write(&config, text)?;
    Ok(config)
}

#[tokio::main]
async fn main() -> ExitCode {
    let measured = match Arguments::parse().what {
        Measurement::Idle(arguments) => idle::run(&arguments).await,
        Measurement::Outage(arguments) => outage::run(&arguments).await,
        Measurement::Journal(arguments) => journal::run(&arguments).await,
    };
    match measured {
        Ok(Verdict::AsItMustBe) => ExitCode::SUCCESS,
        Ok(Verdict::Not) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
