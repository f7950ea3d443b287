//! `cargo xtask firmware`: the device's program, built and tried on an emulated board.

use std::path::PathBuf;

use clap::Subcommand;

use crate::clang::Clang;
use crate::compiler::Compiler;
use crate::embedded::code_and_constants;
use crate::failure::Failure;
use crate::process;
use crate::steps::Done;

pub mod boards;
mod budget;
mod emulated;
mod esptool;
mod frames;
mod image;

use boards::Known;
use budget::Sizes;
use emulated::Day;
use esptool::Esptool;
use image::Images;

/// QEMU's board `virt` is told to have this processor.
const TARGET: &str = "riscv32imac-unknown-none-elf";

/// Code and constants of the program for QEMU, in bytes: 127 000 are the public roots. Raise it
/// knowingly.
const LIMIT: u64 = 900 * 1024;

/// What to do with the firmware.
#[derive(Subcommand)]
pub enum Command {
    /// Builds programs and images: without arguments for QEMU's board `virt`, ESP32-C3 and ESP32-C6.
    Build {
        /// `qemu`, a chip (`esp32c3`, `esp32c6`, `esp32`, `esp32s3`), or a board by the name of its
        /// file in `firmware/esp32/boards`.
        #[arg(long, visible_alias = "board", value_name = "NAME")]
        chip: Option<String>,
    },
    /// Boots it in QEMU with simulated meters on its serial port.
    Test,
    /// Counts the instructions of a telegram, a handshake and a delivery, and holds them against
    /// `firmware/qemu-virt/instructions.toml`.
    Instructions,
    /// Lets it live through a day with everything that goes wrong in a year, faster than time passes.
    Day(Day),
    /// Builds all and holds the sizes against the budgets.
    Sizes,
    /// Builds for a board and writes it to the one that is plugged in. Its settings stay.
    Flash {
        /// The board, by the name of its file in `firmware/esp32/boards`.
        #[arg(long, visible_alias = "chip", value_name = "NAME")]
        board: String,
        /// Where it is plugged in. Without it, all ports are tried.
        #[arg(long)]
        port: Option<String>,
    },
    /// Shows what a board says, and sends what is typed.
    Monitor {
        /// Where it is plugged in.
        #[arg(long)]
        port: Option<String>,
    },
}

/// What is built everywhere; the other chips need Espressif's compiler.
const BUILT: &[&str] = &["esp32c3", "esp32c6"];

/// Does it.
pub fn run(command: &Command) -> Result<(), Failure> {
    let done = match command {
        Command::Build { chip: None } => all(),
        Command::Build { chip: Some(name) } if name == "qemu" => build().map(done),
        Command::Build { chip: Some(name) } => {
            images(&boards::find(name)?).map(|made| done(made.map(|(_, images)| images.merged)))
        }
        Command::Test => emulated::test(),
        Command::Instructions => emulated::instructions(),
        Command::Day(day) => emulated::day(day),
        Command::Sizes => sizes().and_then(|done| then(done, chips)),
        Command::Flash { board, port } => flash(&boards::find(board)?, port.as_deref()),
        Command::Monitor { port } => image::monitor(port.as_deref()).map(Done::from),
    }?;
    if let Done::Skipped(fix) = done {
        println!("not done: {fix}");
    }
    Ok(())
}

fn then(before: Done, next: impl FnOnce() -> Result<Done, Failure>) -> Result<Done, Failure> {
    match before {
        Done::Passed => next(),
        skipped @ Done::Skipped(_) => Ok(skipped),
    }
}

fn done(built: Result<PathBuf, String>) -> Done {
    built.map_or_else(Done::Skipped, |_| Done::Passed)
}

fn all() -> Result<Done, Failure> {
    then(done(build()?), chips)
}

/// The images for each chip that can be built for everywhere, within their budgets.
pub fn chips() -> Result<Done, Failure> {
    for chip in BUILT {
        let board = boards::find(chip)?;
        match images(&board)? {
            Ok((_, images)) => images.sizes.check(board.chip)?,
            Err(fix) => return Ok(Done::Skipped(fix)),
        }
    }
    Ok(Done::Passed)
}

/// Makes the images for a board. Without a tool for that, the line that gets it.
fn images(board: &Known) -> Result<Result<(Esptool, Images), String>, Failure> {
    println!("{} ({})", board.name, board.key);
    let program = match image::link(board)? {
        Ok(program) => program,
        Err(fix) => return Ok(Err(fix)),
    };
    let esptool = match Esptool::find()? {
        Ok(esptool) => esptool,
        Err(fix) => return Ok(Err(fix)),
    };
    let images = image::make(&esptool, board, &program)?;
    println!("{}", images.merged.display());
    println!("{}\n{}", Sizes::heading(), images.sizes.row(&board.key));
    Ok(Ok((esptool, images)))
}

fn flash(board: &Known, port: Option<&str>) -> Result<Done, Failure> {
    match images(board)? {
        Ok((esptool, images)) => images.write(&esptool, port).map(Done::from),
        Err(fix) => Ok(Done::Skipped(fix)),
    }
}

/// Builds it within its budget, and tries it.
pub fn check() -> Result<Done, Failure> {
    then(sizes()?, emulated::test)
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
