//! The core crates on a microcontroller: they build for riscv32imc (ESP32-C3) and the
//! decoder is small enough.

use std::fs;
use std::path::Path;

use object::elf::{FileHeader32, SHF_ALLOC, SHT_NOBITS};
use object::read::elf::{FileHeader as _, SectionHeader as _};

use crate::compiler::Compiler;
use crate::failure::Failure;
use crate::process;
use crate::steps::Done;

const TARGET: &str = "riscv32imc-unknown-none-elf";
/// Code and constants of the decoder, in bytes.
const DECODER_LIMIT: u64 = 14 * 1024;

/// Builds the crates without std, and measures the decoder.
pub fn check() -> Result<Done, Failure> {
    let compiler = match Compiler::find(TARGET)? {
        Ok(compiler) => compiler,
        Err(fix) => return Ok(Done::Skipped(fix)),
    };
    let root = process::root();
    process::run(compiler.build(&root.join("Cargo.toml")).args([
        "--package",
        "sml-wire",
        "--package",
        "meter-core",
        "--package",
        "meter-screens",
        "--package",
        "meter-device",
    ]))?;
    let footprint = root.join("bench/footprint/Cargo.toml");
    process::run(compiler.build(&footprint).arg("--release"))?;
    let program = compiler.release().join("footprint");
    let measured = code_and_constants(&program)?;
    println!(
        "the decoder takes {measured} bytes of code and constants on {TARGET} (limit {DECODER_LIMIT})"
    );
    if measured > DECODER_LIMIT {
        return Err(Failure::OverLimit {
            what: "the decoder's code size in bytes",
            measured,
            limit: DECODER_LIMIT,
        });
    }
    Ok(Done::Passed)
}

/// The bytes that a program takes in flash: allocated sections that have contents.
pub fn code_and_constants(program: &Path) -> Result<u64, Failure> {
    let bytes = fs::read(program).map_err(Failure::file(program))?;
    let header = FileHeader32::<object::LittleEndian>::parse(&*bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, &*bytes)?;
    Ok(sections
        .iter()
        .filter(|section| {
            section.sh_flags(endian).0 & SHF_ALLOC.0 != 0 && section.sh_type(endian) != SHT_NOBITS
        })
        .map(|section| u64::from(section.sh_size(endian)))
        .sum())
}
