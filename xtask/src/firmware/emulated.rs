//! The device on an emulated board: its tests, its instructions, and its day.

use std::env;
use std::path::PathBuf;

use super::build;
use crate::failure::Failure;
use crate::process::{self, cargo};
use crate::steps::Done;
use crate::system;

/// The emulator, and the package that has it.
const EMULATOR: (&str, &str) = ("qemu-system-riscv32", "qemu-system-misc");

/// Where the crate `emulator` looks for the device's program.
const FIRMWARE: &str = "METERLINE_FIRMWARE";

/// A day of the emulated device.
#[derive(clap::Args)]
pub struct Day {
    /// What chance goes by.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times as fast clocks go. On a slow or busy machine, less is more.
    #[arg(long, default_value_t = 40)]
    pace: u32,
    /// How long the day is.
    #[arg(long, default_value_t = 24.0)]
    hours: f64,
    /// A file for all that the device says.
    #[arg(long)]
    transcript: Option<PathBuf>,
}

/// Boots it with simulated meters on its serial port.
pub fn test() -> Result<Done, Failure> {
    with_program(|program| {
        // The tests set the device up with it, and find it beside themselves.
        process::run(&mut cargo(&["build", "--locked", "--package", "meterline"]))?;
        process::run(cargo(&["test", "--locked", "--package", "emulator"]).env(FIRMWARE, program))
    })
}

/// Holds the instructions that it takes against those that were agreed.
pub fn instructions() -> Result<Done, Failure> {
    with_program(|program| {
        let mut command = cargo(&["test", "--locked", "--package", "emulator"]);
        command.args(["--test", "instructions", "--", "--nocapture"]);
        process::run(command.env(FIRMWARE, program))
    })
}

/// Lets it live through a day.
pub fn day(day: &Day) -> Result<Done, Failure> {
    with_program(|program| {
        let Day {
            seed,
            pace,
            hours,
            transcript,
        } = day;
        let mut command = cargo(&["run", "--locked", "--package", "emulator", "--bin", "day"]);
        command.arg("--").args([
            format!("--seed={seed}"),
            format!("--pace={pace}"),
            format!("--hours={hours}"),
        ]);
        if let Some(file) = transcript {
            let here = env::current_dir().map_err(Failure::file("."))?;
            command.arg("--transcript").arg(here.join(file));
        }
        process::run(command.env(FIRMWARE, program))
    })
}

/// With the emulator and the device's program there; or the line that gets what is missing.
fn with_program(run: impl FnOnce(PathBuf) -> Result<(), Failure>) -> Result<Done, Failure> {
    let (emulator, package) = EMULATOR;
    if system::find(emulator).is_none() {
        if !process::is_ci() && !system::can_install() {
            return Ok(Done::Skipped(format!(
                "run `sudo apt-get install {package}`"
            )));
        }
        system::install(&[package])?;
    }
    match build()? {
        Ok(program) => run(program).map(Done::from),
        Err(fix) => Ok(Done::Skipped(fix)),
    }
}
