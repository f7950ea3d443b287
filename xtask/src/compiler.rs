//! A compiler for microcontrollers: whichever is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::system;

/// The packages that build for any RISC-V chip where rustup cannot fetch a target.
const PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

/// A compiler that can build for a target without an operating system.
pub struct Compiler {
    target: &'static str,
    kind: Kind,
}

/// What has a compiler for Espressif's own processors.
const ESPRESSIF: &str = "run `cargo install espup && espup install`, then `. ~/export-esp.sh`";

enum Kind {
    /// The one in use, with the target's core library from rustup.
    Rustup,
    /// Debian's, which builds the core libraries from their source.
    Debian,
    /// Espressif's, which rustup has under the name `esp`. It builds the core libraries, too.
    Espressif,
}

impl Compiler {
    /// Finds or installs one. Without any, the line that would: in CI that is a failure.
    pub fn find(target: &'static str) -> Result<Result<Self, String>, Failure> {
        if let Some(kind) = Kind::find(target)? {
            return Ok(Ok(Self { target, kind }));
        }
        let fix = if is_xtensa(target) {
            ESPRESSIF.to_owned()
        } else {
            format!(
                "run `rustup target add {target}`, or `sudo apt-get install {}`",
                PACKAGES.join(" ")
            )
        };
        if process::is_ci() {
            return Err(Failure::Missing {
                what: format!("a compiler for {target}"),
                fix,
            });
        }
        Ok(Err(fix))
    }

    /// Its own folder: two compilers in one folder would build everything again at each
    /// change between them.
    fn target(&self) -> PathBuf {
        process::target().join(match self.kind {
            Kind::Rustup => "microcontroller",
            Kind::Debian => "microcontroller-debian",
            Kind::Espressif => "microcontroller-espressif",
        })
    }

    /// The folder of its optimised programs.
    pub fn release(&self) -> PathBuf {
        self.target().join(self.target).join("release")
    }

    /// The command that builds what is in `manifest`.
    pub fn build(&self, manifest: &Path) -> Command {
        let mut command = match self.kind {
            Kind::Rustup => process::cargo(&["build"]),
            Kind::Espressif => {
                let mut command = Command::new("rustup");
                command.current_dir(process::root()).args([
                    "run",
                    "esp",
                    "cargo",
                    "build",
                    "-Zbuild-std=core,alloc",
                ]);
                for inherited in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUSTC_WRAPPER"] {
                    command.env_remove(inherited);
                }
                command
            }
            Kind::Debian => {
                let linker = self.target.to_uppercase().replace('-', "_");
                let mut command = Command::new("/usr/bin/cargo");
                command
                    .current_dir(process::root())
                    .args(["build", "-Zbuild-std=core,alloc"])
                    .env("RUSTC", "/usr/bin/rustc")
                    // Building these libraries is a nightly feature everywhere else.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env(format!("CARGO_TARGET_{linker}_LINKER"), "ld.lld-22");
                for inherited in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC_WRAPPER"] {
                    command.env_remove(inherited);
                }
                command
            }
        };
        command
            .args(["--locked", "--target", self.target, "--target-dir"])
            .arg(self.target())
            .arg("--manifest-path")
            .arg(manifest);
        command
    }
}

impl Kind {
    fn find(target: &str) -> Result<Option<Self>, Failure> {
        if is_xtensa(target) {
            let there = process::answers("rustup", &["run", "esp", "rustc", "--version"]);
            return Ok(there.then_some(Self::Espressif));
        }
        if rustup_has(target) {
            return Ok(Some(Self::Rustup));
        }
        if debian_is_complete() {
            return Ok(Some(Self::Debian));
        }
        if process::answers("rustup", &["target", "add", target]) && rustup_has(target) {
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
}

/// The processors of ESP32 and ESP32-S3, for which upstream Rust has no inline assembly.
fn is_xtensa(target: &str) -> bool {
    target.starts_with("xtensa")
}

fn rustup_has(target: &str) -> bool {
    let asked = process::output(Command::new("rustc").args([
        "--print",
        "target-libdir",
        "--target",
        target,
    ]));
    asked.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

fn debian_is_complete() -> bool {
    Path::new("/usr/bin/cargo").exists()
        && Path::new("/usr/lib/rustlib/src/rust/library/core").is_dir()
        && system::find("ld.lld-22").is_some()
        && process::answers("/usr/bin/rustc", &["--version"])
}
