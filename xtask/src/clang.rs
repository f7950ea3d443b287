//! What builds the C of Mbed TLS for a microcontroller: `CMake`, Ninja and Clang with its library.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::system;

/// The packages that have it all.
const PACKAGES: &[&str] = &["cmake", "ninja-build", "clang-19", "libclang-19-dev"];

/// Debian keeps each version of LLVM in a folder of its own in here.
const VERSIONS: &str = "/usr/lib";

/// A Clang that bindings can be made with.
pub struct Clang {
    /// The folder of `clang` by its plain name, which Debian leaves out of the search path.
    programs: Option<PathBuf>,
    /// The folder of `libclang.so`, where it is known.
    library: Option<PathBuf>,
}

impl Clang {
    /// Finds or installs one. Without any, the line that would: in CI that is a failure.
    pub fn find() -> Result<Result<Self, String>, Failure> {
        if let Some(clang) = Self::present() {
            return Ok(Ok(clang));
        }
        if system::can_install() {
            system::install(PACKAGES)?;
            if let Some(clang) = Self::present() {
                return Ok(Ok(clang));
            }
        }
        let fix = format!("run `sudo apt-get install {}`", PACKAGES.join(" "));
        if process::is_ci() {
            return Err(Failure::Missing {
                what: "a C compiler for microcontrollers".to_owned(),
                fix,
            });
        }
        Ok(Err(fix))
    }

    fn present() -> Option<Self> {
        system::find("cmake")?;
        system::find("ninja")?;
        if let Some(version) = newest_version() {
            return Some(Self {
                programs: Some(version.join("bin")),
                library: Some(version.join("lib")),
            });
        }
        // Somebody else's Clang: its library is where it is looked for, or the variable says where.
        system::find("clang").map(|_| Self {
            programs: None,
            library: env::var_os("LIBCLANG_PATH").map(PathBuf::from),
        })
    }

    /// Lets a build find it.
    pub fn lend<'a>(&self, build: &'a mut Command) -> &'a mut Command {
        if let Some(library) = &self.library {
            build.env("LIBCLANG_PATH", library);
        }
        if let Some(path) = self.search_path() {
            build.env("PATH", path);
        }
        build
    }

    fn search_path(&self) -> Option<OsString> {
        let programs = self.programs.clone()?;
        let inherited = env::var_os("PATH").unwrap_or_default();
        env::join_paths(env::split_paths(&inherited).chain([programs])).ok()
    }
}

/// The newest of Debian's that has both the compiler and the library.
fn newest_version() -> Option<PathBuf> {
    fs::read_dir(VERSIONS)
        .ok()?
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let number: u32 = folder
                .file_name()?
                .to_str()?
                .strip_prefix("llvm-")?
                .parse()
                .ok()?;
            is_complete(&folder).then_some((number, folder))
        })
        .max()
        .map(|(_, folder)| folder)
}

fn is_complete(version: &Path) -> bool {
    version.join("bin/clang").exists() && version.join("lib/libclang.so").exists()
}
