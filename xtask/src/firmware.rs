//! `cargo xtask firmware`: the device's program, built and tried on an emulated board.

use std::path::PathBuf;

use clap::Subcommand;

use crate::clang::Clang;
use crate::compiler::Compiler;
use crate::embedded::code_and_constants;
use crate::failure::Failure;
use crate::process::{self, cargo};
use crate::steps::Done;
use crate::system;

/// QEMU's board `virt` is told to have this processor.
const TARGET: &str = "riscv32imac-unknown-none-elf";

/// The emulator, and the package that has it.
const EMULATOR: (&str, &str) = ("qemu-system-riscv32", "qemu-system-misc");

/// Code and constants of the program for QEMU, in bytes: 129 000 are the public roots. Raise it
/// knowingly.
const LIMIT: u64 = 640 * 1024;

/// What to do with the firmware.
#[derive(Subcommand)]
pub enum Command {
    /// Builds the program for QEMU's board `virt`.
    Build,
    /// Boots it with simulated meters on its serial port.
    Test,
    /// Builds it and holds its size against the budget.
    Sizes,
}

/// Does it.
pub fn run(command: &Command) -> Result<(), Failure> {
    let done = match command {
        Command::Build => build().map(|_| Done::Passed),
        Command::Test => test(),
        Command::Sizes => sizes(),
    }?;
    if let Done::Skipped(fix) = done {
        println!("not done: {fix}");
    }
    Ok(())
}

/// Builds it within its budget, and tries it.
pub fn check() -> Result<Done, Failure> {
    match sizes()? {
        Done::Passed => test(),
        skipped @ Done::Skipped(_) => Ok(skipped),
    }
}

fn build() -> Result<Result<PathBuf, String>, Failure> {
    let compiler = match Compiler::find(TARGET)? {
        Ok(compiler) => compiler,
        Err(fix) => return Ok(Err(fix)),
    };
    let clang = match Clang::find()? {
        Ok(clang) => clang,
        Err(fix) => return Ok(Err(fix)),
    };
    let manifest = process::root().join("firmware/qemu-virt/Cargo.toml");
    process::run(clang.lend(compiler.build(&manifest).arg("--release")))?;
    let program = compiler.release().join("meterline-qemu-virt");
    println!("{}", program.display());
    Ok(Ok(program))
}

fn sizes() -> Result<Done, Failure> {
    let program = match build()? {
        Ok(program) => program,
        Err(fix) => return Ok(Done::Skipped(fix)),
    };
    let measured = code_and_constants(&program)?;
    println!("the firmware takes {measured} bytes of code and constants (limit {LIMIT})");
    if measured > LIMIT {
        return Err(Failure::OverLimit {
            what: "the firmware's size in bytes",
            measured,
            limit: LIMIT,
        });
    }
    Ok(Done::Passed)
}

fn test() -> Result<Done, Failure> {
    let (emulator, package) = EMULATOR;
    if system::find(emulator).is_none() {
        if !process::is_ci() && !system::can_install() {
            return Ok(Done::Skipped(format!(
                "run `sudo apt-get install {package}`"
            )));
        }
        system::install(&[package])?;
    }
    let program = match build()? {
        Ok(program) => program,
        Err(fix) => return Ok(Done::Skipped(fix)),
    };
    process::run(
        cargo(&["test", "--locked", "--package", "emulator"]).env("METERLINE_FIRMWARE", program),
    )?;
    Ok(Done::Passed)
}
