//! The core crates on a microcontroller: they build for riscv32imc (ESP32-C3) and the
//! decoder is small enough.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::elf::{FileHeader32, SHF_ALLOC, SHT_NOBITS};
use object::read::elf::{FileHeader as _, SectionHeader as _};

use crate::failure::Failure;
use crate::process;
use crate::steps::Done;
use crate::system;

const TARGET: &str = "riscv32imc-unknown-none-elf";
/// The packages that build for any RISC-V chip where rustup cannot fetch a target.
const PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
/// Code and constants of the decoder, in bytes.
const DECODER_LIMIT: u64 = 14 * 1024;

/// A compiler that can build for the target.
enum Compiler {
    /// The one in use, with the target's core library from rustup.
    Rustup,
    /// Debian's, which builds the core library from its source.
    Debian,
}

/// Builds the crates without std, and measures the decoder.
pub fn check() -> Result<Done, Failure> {
    let Some(compiler) = Compiler::find()? else {
        let fix = format!(
            "run `rustup target add {TARGET}`, or `sudo apt-get install {}`",
            PACKAGES.join(" ")
        );
        if process::is_ci() {
            return Err(Failure::Missing {
                what: format!("a compiler for {TARGET}"),
                fix,
            });
        }
        return Ok(Done::Skipped(fix));
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
    let program = compiler
        .target()
        .join(TARGET)
        .join("release")
        .join("footprint");
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

impl Compiler {
    fn find() -> Result<Option<Self>, Failure> {
        if rustup_has_target() {
            return Ok(Some(Self::Rustup));
        }
        if debian_is_complete() {
            return Ok(Some(Self::Debian));
        }
        if process::answers("rustup", &["target", "add", TARGET]) && rustup_has_target() {
            return Ok(Some(Self::Rustup));
        }
        if system::can_install() {
            system::install(PACKAGES)?;
            if debian_is_complete() {
                return Ok(Some(Self::Debian));
            }
        }
        Ok(None)
    }

    /// Its own folder: two compilers in one folder would build everything again at each
    /// change between them.
    fn target(&self) -> PathBuf {
        process::target().join(match self {
            Self::Rustup => "microcontroller",
            Self::Debian => "microcontroller-debian",
        })
    }

    fn build(&self, manifest: &Path) -> Command {
        let mut command = match self {
            Self::Rustup => process::cargo(&["build"]),
            Self::Debian => {
                let mut command = Command::new("/usr/bin/cargo");
                command
                    .current_dir(process::root())
                    .args(["build", "-Zbuild-std=core"])
                    .env("RUSTC", "/usr/bin/rustc")
                    // Building the core library is a nightly feature everywhere else.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env(
                        "CARGO_TARGET_RISCV32IMC_UNKNOWN_NONE_ELF_LINKER",
                        "ld.lld-22",
                    );
                for inherited in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC_WRAPPER"] {
                    command.env_remove(inherited);
                }
                command
            }
        };
        command
            .args(["--locked", "--target", TARGET, "--target-dir"])
            .arg(self.target())
            .arg("--manifest-path")
            .arg(manifest);
        command
    }
}

fn rustup_has_target() -> bool {
    let asked = process::output(Command::new("rustc").args([
        "--print",
        "target-libdir",
        "--target",
        TARGET,
    ]));
    asked.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

fn debian_is_complete() -> bool {
    Path::new("/usr/bin/cargo").exists()
        && Path::new("/usr/lib/rustlib/src/rust/library/core").is_dir()
        && system::find("ld.lld-22").is_some()
        && process::answers("/usr/bin/rustc", &["--version"])
}

/// The bytes that a program takes in flash: allocated sections that have contents.
fn code_and_constants(program: &Path) -> Result<u64, Failure> {
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
