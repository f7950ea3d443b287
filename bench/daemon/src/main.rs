//! What the running daemon costs and what it loses, measured from outside: the real program
//! with a configuration file, a simulated meter on a pty and a simulated HTTPS server.

mod daemon;
mod idle;
mod journal;
mod meter;
mod outage;
mod server;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
