//! A day of the emulated device: what `cargo xtask firmware day` runs.
#![expect(clippy::print_stdout, reason = "its results go to the terminal")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use emulator::{Result, day};

/// Lets the emulated device live through a day in which everything goes wrong.
#[derive(Parser)]
struct Arguments {
    /// What chance goes by.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times as fast clocks go.
    #[arg(long, default_value_t = 40)]
    pace: u32,
    /// How long the day is.
    #[arg(long, default_value_t = 24.0)]
    hours: f64,
    /// A file for all that the device says.
    #[arg(long)]
    transcript: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let Arguments {
        seed,
        pace,
        hours,
        transcript,
    } = Arguments::parse();
    println!("seed {seed}, pace {pace}, {hours} hours");
    let config = day::Config {
        length: Duration::from_secs_f64(hours * 3600.0),
        seed,
        pace: pace.max(1),
        talks: true,
        transcript,
    };
    let Some(report) = day::run(config)? else {
        return Ok(ExitCode::SUCCESS);
    };
    println!("\n{report}");
    Ok(if report.wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
