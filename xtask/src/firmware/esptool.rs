//! Espressif's own tool, which makes images, looks into them and writes them to a chip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::system;

/// The release that is used. Its reports are read, so a new one is tried by hand.
const VERSION: &str = "5.6.0";
/// Python's virtual environments are a package of their own in Debian.
const PACKAGE: &str = "python3-venv";

/// The tool, in an environment of its own.
pub struct Esptool {
    program: PathBuf,
}

/// What a flash chip is told, and where its parts lie.
pub struct Flash<'a> {
    /// The chip.
    pub chip: &'a str,
    /// How fast it is read.
    pub frequency: &'a str,
    /// Address and file of each part.
    pub parts: &'a [(u32, &'a Path)],
}

/// All boards have at least so much; the partition table is made for it.
const FLASH: [&str; 4] = ["--flash-mode", "dio", "--flash-size", "4MB"];

impl Esptool {
    /// Finds it or installs it below `target`. Without Python, the line that would help: in CI that is
    /// a failure.
    pub fn find() -> Result<Result<Self, String>, Failure> {
        let folder = process::target().join(format!("esptool-{VERSION}"));
        let program = folder.join("bin/esptool");
        if !program.exists()
            && let Err(fix) = install(&folder)?
        {
            return Ok(Err(fix));
        }
        Ok(Ok(Self { program }))
    }

    /// The Python that it runs on, which has what it needs for serial ports.
    pub fn python(&self) -> PathBuf {
        self.program.with_file_name("python")
    }

    fn command(&self, chip: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(process::root()).args(["--chip", chip]);
        command
    }

    /// Makes the application's image of a linked program.
    pub fn image(
        &self,
        chip: &str,
        frequency: &str,
        program: &Path,
        image: &Path,
    ) -> Result<(), Failure> {
        let mut command = self.command(chip);
        command
            .args(["elf2image", "--flash-freq", frequency])
            .args(FLASH);
        // Where the description of the application has room for the program's digest.
        command.args(["--elf-sha256-offset", "0xb0", "-o"]);
        process::output(command.arg(image).arg(program)).map(drop)
    }

    /// Puts all parts of a flash chip into one file.
    pub fn merge(&self, flash: &Flash<'_>, merged: &Path) -> Result<(), Failure> {
        let mut command = self.command(flash.chip);
        command.arg("merge-bin").args(FLASH);
        command
            .args(["--flash-freq", flash.frequency, "-o"])
            .arg(merged);
        process::output(parts(&mut command, flash)).map(drop)
    }

    /// Writes all parts to a chip.
    pub fn write(&self, flash: &Flash<'_>, port: Option<&str>) -> Result<(), Failure> {
        let mut command = self.command(flash.chip);
        if let Some(port) = port {
            command.args(["--port", port]);
        }
        command.arg("write-flash").args(FLASH);
        command.args(["--flash-freq", flash.frequency]);
        process::run(parts(&mut command, flash))
    }

    /// What it says of an image.
    pub fn info(&self, chip: &str, image: &Path) -> Result<String, Failure> {
        process::output(self.command(chip).arg("image-info").arg(image))
    }
}

fn parts<'c>(command: &'c mut Command, flash: &Flash<'_>) -> &'c mut Command {
    for (address, file) in flash.parts {
        command.arg(format!("{address:#x}")).arg(file);
    }
    command
}

fn install(folder: &Path) -> Result<Result<(), String>, Failure> {
    let fix = format!("run `sudo apt-get install {PACKAGE}`");
    let python = "python3";
    // One without the program is the rest of an installation that failed.
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Failure::file(folder))?;
    }
    let can = |python: &str| process::answers(python, &["-c", "import ensurepip, venv"]);
    if !can(python) && system::can_install() {
        system::install(&[PACKAGE])?;
    }
    if !can(python) {
        if process::is_ci() {
            let what = "Python with its virtual environments".to_owned();
            return Err(Failure::Missing { what, fix });
        }
        return Ok(Err(fix));
    }
    process::run(Command::new(python).args(["-m", "venv"]).arg(folder))?;
    let made = process::run(
        Command::new(folder.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("esptool=={VERSION}")),
    );
    if made.is_err() {
        // Half of it would be taken for the whole the next time.
        fs::remove_dir_all(folder).map_err(Failure::file(folder))?;
    }
    made.map(Ok)
}
