//! What a person would otherwise have to remember, as commands: `cargo xtask test`,
//! `cargo xtask firmware`, `cargo xtask bench` and `cargo xtask docs`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the terminal is where the results of this program go"
)]

mod bench;
mod clang;
mod compiler;
mod console;
mod documents;
mod embedded;
mod failure;
mod firmware;
mod process;
mod reference;
mod steps;
mod system;
mod test;
mod wiring;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development tasks of meterline.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that must hold before a change lands, with the set-up it needs.
    Test(test::Arguments),
    /// Writes the configuration reference anew, from the types.
    Docs,
    /// The device's program: builds it, and tries it on an emulated board.
    #[command(subcommand)]
    Firmware(firmware::Command),
    /// Measurements: of the decoder, of the running daemon, of its journal.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test(arguments) => test::run(&arguments),
        Task::Docs => documents::write(),
        Task::Firmware(command) => firmware::run(&command),
        Task::Bench(arguments) => bench::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("cargo xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
