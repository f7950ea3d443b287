//! The images for Espressif's chips: what is written to a board, and what a browser writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use esp_idf_part::PartitionTable;
use serde_json::{Value, json};

use super::boards::Known;
use super::budget::Sizes;
use super::esptool::{Esptool, Flash};
use crate::clang::Clang;
use crate::compiler::Compiler;
use crate::failure::Failure;
use crate::process;

const MANIFEST: &str = "firmware/esp32/Cargo.toml";
const PARTITIONS: &str = "firmware/esp32/partitions.csv";
/// Where the ROM and the boot loader look for the partition table.
const TABLE: u32 = 0x8000;

/// The files for one board.
pub struct Images {
    chip: &'static str,
    frequency: &'static str,
    parts: Vec<(u32, PathBuf)>,
    /// All of it in one file, from the start of the flash.
    pub merged: PathBuf,
    /// What was measured.
    pub sizes: Sizes,
}

impl Images {
    /// Writes them to a board.
    pub fn write(&self, esptool: &Esptool, port: Option<&str>) -> Result<(), Failure> {
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|(at, file)| (*at, file.as_path()))
            .collect();
        let flash = Flash {
            chip: self.chip,
            frequency: self.frequency,
            parts: &parts,
        };
        esptool.write(&flash, port)
    }
}

/// Builds and links for a board. Without a compiler, the line that gets one.
pub fn link(board: &Known) -> Result<Result<PathBuf, String>, Failure> {
    let compiler = match Compiler::find(board.chip.target)? {
        Ok(compiler) => compiler,
        Err(fix) => return Ok(Err(fix)),
    };
    let clang = match Clang::find()? {
        Ok(clang) => clang,
        Err(fix) => return Ok(Err(fix)),
    };
    let mut command = compiler.build(&process::root().join(MANIFEST));
    command
        .args(["--release", "--features", board.chip.name])
        .env("METERLINE_BOARD", &board.key);
    process::run(clang.lend(&mut command))?;
    Ok(Ok(compiler.release().join("meterline-esp32")))
}

/// Makes the images for a board of a linked program, looks into them, and measures.
pub fn make(esptool: &Esptool, board: &Known, program: &Path) -> Result<Images, Failure> {
    let folder = process::target().join("firmware").join(&board.key);
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    let chip = board.chip;
    let application = folder.join("application.bin");
    esptool.image(chip.name, chip.flash_frequency, program, &application)?;
    let (table, start) = partitions(&folder)?;
    let bootloader = bootloader(chip.name)?;
    for (image, kind) in [(&bootloader, "boot loader"), (&application, "application")] {
        look(esptool, chip.name, image, kind)?;
    }
    let parts = [
        (chip.bootloader, bootloader),
        (TABLE, table),
        (start, application.clone()),
    ];
    let merged = folder.join("merged.bin");
    esptool.merge(
        &Flash {
            chip: chip.name,
            frequency: chip.flash_frequency,
            parts: &parts.each_ref().map(|(at, file)| (*at, file.as_path())),
        },
        &merged,
    )?;
    look(esptool, chip.name, &merged, "merged image")?;
    offer(board, &folder)?;
    Ok(Images {
        chip: chip.name,
        frequency: chip.flash_frequency,
        parts: parts.into(),
        merged,
        sizes: Sizes::of(program, &application)?,
    })
}

/// Writes the partition table, and says where the first application is.
fn partitions(folder: &Path) -> Result<(PathBuf, u32), Failure> {
    let source = process::root().join(PARTITIONS);
    let text = fs::read_to_string(&source).map_err(Failure::file(&source))?;
    let wrong = |what: String| Failure::Board {
        file: source.clone(),
        what,
    };
    let table = PartitionTable::try_from_str(text).map_err(|error| wrong(error.to_string()))?;
    let bytes = table.to_bin().map_err(|error| wrong(error.to_string()))?;
    let application = table
        .find("ota_0")
        .ok_or_else(|| wrong("there is no ota_0".to_owned()))?;
    let file = folder.join("partitions.bin");
    fs::write(&file, bytes).map_err(Failure::file(&file))?;
    Ok((file, application.offset()))
}

/// The boot loader of ESP-IDF for a chip, which comes in the package of espflash: cargo fetches it and
/// holds it against its checksum, and nothing of it is compiled.
fn bootloader(chip: &str) -> Result<PathBuf, Failure> {
    let manifest = process::root().join("firmware/esp32/bootloader/Cargo.toml");
    let metadata = process::output(
        process::cargo(&["metadata", "--locked", "--format-version", "1"])
            .arg("--manifest-path")
            .arg(manifest),
    )?;
    let metadata: Value = serde_json::from_str(&metadata).unwrap_or_default();
    let package = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "espflash")
        .and_then(|package| Path::new(package["manifest_path"].as_str()?).parent())
        .map(|folder| folder.join(format!("resources/bootloaders/{chip}-bootloader.bin")));
    package.ok_or_else(|| Failure::Missing {
        what: "the package of espflash".to_owned(),
        fix: "see firmware/esp32/bootloader".to_owned(),
    })
}

/// Has esptool look into an image: checksum, digest and chip must be right.
fn look(esptool: &Esptool, chip: &str, image: &Path, kind: &'static str) -> Result<(), Failure> {
    let said = esptool.info(chip, image)?;
    let right = |what: &str| {
        said.lines()
            .any(|line| line.starts_with(what) && line.contains("(valid)"))
    };
    if right("Checksum") && right("Validation hash") {
        return Ok(());
    }
    println!("{said}");
    Err(Failure::Board {
        file: image.to_owned(),
        what: format!("esptool does not take it for a valid {kind}"),
    })
}

/// What ESP Web Tools read, so that a browser can write the board and then set up its Wi-Fi.
fn offer(board: &Known, folder: &Path) -> Result<(), Failure> {
    let manifest = json!({
        "name": "meterline",
        "version": env!("CARGO_PKG_VERSION"),
        "new_install_prompt_erase": true,
        "new_install_improv_wait_time": 15,
        "builds": [{
            "chipFamily": board.chip.family,
            "parts": [{ "path": "merged.bin", "offset": 0 }],
        }],
    });
    let file = folder.join("manifest.json");
    fs::write(&file, format!("{manifest:#}\n")).map_err(Failure::file(&file))
}

/// Shows what a board says, with whichever program is there.
pub fn monitor(port: Option<&str>) -> Result<(), Failure> {
    let mut command = Command::new("espflash");
    command.arg("monitor");
    if let Some(port) = port {
        command.args(["--port", port]);
    }
    if crate::system::find("espflash").is_some() {
        return process::interact(&mut command);
    }
    let port = port.ok_or_else(|| Failure::Missing {
        what: "the port".to_owned(),
        fix: "give `--port`, for example /dev/ttyACM0, or run `cargo install espflash`".to_owned(),
    })?;
    let esptool = Esptool::find()?;
    let python = match &esptool {
        Ok(esptool) => esptool.python(),
        Err(fix) => {
            return Err(Failure::Missing {
                what: "a program to listen with".to_owned(),
                fix: fix.clone(),
            });
        }
    };
    // It comes with esptool.
    process::interact(Command::new(python).args(["-m", "serial.tools.miniterm", port, "115200"]))
}
