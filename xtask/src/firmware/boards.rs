//! The boards that the firmware is built for, as `firmware/esp32/boards/` describes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::failure::Failure;
use crate::process;

#[path = "../../../firmware/esp32/description.rs"]
mod description;

use description::{Board, Console, Level, Socket};

/// A chip, and what is known of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Chip {
    /// As its feature, its tools and its manufacturer name it.
    pub name: &'static str,
    /// What the compiler calls it.
    pub target: &'static str,
    /// What ESP Web Tools call it.
    pub family: &'static str,
    /// The board that it is built for when none is asked for.
    pub board: &'static str,
    /// Where its ROM looks for the boot loader.
    pub bootloader: u32,
    /// How fast its flash is read.
    pub flash_frequency: &'static str,
    /// The largest image of the application, in bytes; a slot has 1.75 MiB.
    pub image: u64,
    /// The least heap that is left beside Wi-Fi, in bytes: a TLS handshake takes 40 KiB at most, and the
    /// application's buffers as much.
    pub heap_left: u64,
    /// Its highest pin.
    pins: u8,
    /// Pins that belong to the flash, or do not exist.
    taken: &'static [u8],
    /// Pins of its own USB port.
    usb: &'static [u8],
    /// Pins that cannot drive anything.
    inputs: &'static [u8],
    /// Pins whose level at the start decides what is started: a head could hold one.
    strapping: &'static [u8],
}

/// 1.2 MiB.
const IMAGE: u64 = 12 * 1024 * 1024 / 10;

/// All chips. Sources: their data sheets, sections "Pin Definition" and "Strapping Pins".
pub const CHIPS: &[Chip] = &[
    Chip {
        name: "esp32c3",
        target: "riscv32imc-unknown-none-elf",
        family: "ESP32-C3",
        board: "esp32-c3-devkitm-1",
        bootloader: 0,
        flash_frequency: "80m",
        image: IMAGE,
        heap_left: 100 * 1024,
        pins: 21,
        taken: &[11, 12, 13, 14, 15, 16, 17],
        usb: &[18, 19],
        inputs: &[],
        strapping: &[2, 8, 9],
    },
    Chip {
        name: "esp32c6",
        target: "riscv32imac-unknown-none-elf",
        family: "ESP32-C6",
        board: "esp32-c6-devkitc-1",
        bootloader: 0,
        flash_frequency: "80m",
        image: IMAGE,
        heap_left: 100 * 1024,
        pins: 30,
        taken: &[24, 25, 26, 27, 28, 29, 30],
        usb: &[12, 13],
        inputs: &[],
        strapping: &[4, 5, 8, 9, 15],
    },
    Chip {
        name: "esp32",
        target: "xtensa-esp32-none-elf",
        family: "ESP32",
        board: "lolin32-oled",
        bootloader: 0x1000,
        flash_frequency: "40m",
        image: IMAGE,
        heap_left: 48 * 1024,
        pins: 39,
        taken: &[6, 7, 8, 9, 10, 11, 20, 24, 28, 29, 30, 31],
        usb: &[],
        inputs: &[34, 35, 36, 37, 38, 39],
        strapping: &[0, 2, 5, 12, 15],
    },
    Chip {
        name: "esp32s3",
        target: "xtensa-esp32s3-none-elf",
        family: "ESP32-S3",
        board: "esp32-s3-devkitc-1",
        bootloader: 0,
        flash_frequency: "80m",
        image: IMAGE,
        heap_left: 100 * 1024,
        pins: 48,
        taken: &[22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32],
        usb: &[19, 20],
        inputs: &[],
        strapping: &[0, 3, 45, 46],
    },
];

/// A board that the firmware can be built for.
pub struct Known {
    /// The name of its file, which is what it is asked for by.
    pub key: String,
    /// Its chip.
    pub chip: &'static Chip,
    /// What its maker calls it.
    pub name: String,
    /// Its pins.
    pub pins: Board,
}

impl Known {
    /// What stands beside a pin.
    pub fn label(&self, pin: u8) -> String {
        match self.pins.labels.get(&pin.to_string()) {
            Some(label) => format!("{label} (GPIO{pin})"),
            None => format!("GPIO{pin}"),
        }
    }
}

/// The board of this name, or a chip's own.
pub fn find(name: &str) -> Result<Known, Failure> {
    let name = chip(name).map_or(name, |chip| chip.board);
    let known = all()?;
    let names: Vec<_> = known.iter().map(|board| board.key.clone()).collect();
    known
        .into_iter()
        .find(|board| board.key == name)
        .ok_or_else(|| Failure::Missing {
            what: format!("a board `{name}`"),
            fix: format!("choose one of {}", names.join(", ")),
        })
}

/// All boards, in the order of their names.
pub fn all() -> Result<Vec<Known>, Failure> {
    let folder = process::root().join("firmware/esp32/boards");
    let entries = fs::read_dir(&folder).map_err(Failure::file(&folder))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.into_iter().map(read).collect()
}

fn chip(name: &str) -> Option<&'static Chip> {
    CHIPS.iter().find(|chip| chip.name == name)
}

fn read(file: PathBuf) -> Result<Known, Failure> {
    let text = fs::read_to_string(&file).map_err(Failure::file(&file))?;
    let key = file.file_stem().unwrap_or_default().to_string_lossy();
    let checked = toml::from_str::<Board>(&text)
        .map_err(|error| error.to_string())
        .and_then(|board| Ok((check(&board)?, board)));
    match checked {
        Ok((chip, pins)) => Ok(Known {
            key: key.into_owned(),
            chip,
            name: pins.name.clone(),
            pins,
        }),
        Err(what) => Err(Failure::Board { file, what }),
    }
}

/// The board's chip, if its pins can do what is asked of them.
fn check(board: &Board) -> Result<&'static Chip, String> {
    let chip = chip(&board.chip).ok_or_else(|| format!("there is no chip `{}`", board.chip))?;
    let mut used = BTreeSet::new();
    for (pin, purpose, drives) in pins(board) {
        let taken = chip.taken.contains(&pin) || chip.usb.contains(&pin);
        if pin > chip.pins || taken {
            return Err(format!(
                "{purpose}: GPIO{pin} cannot be used on {}",
                chip.name
            ));
        }
        if drives && chip.inputs.contains(&pin) {
            return Err(format!("{purpose}: GPIO{pin} can only be an input"));
        }
        if purpose == "head" && chip.strapping.contains(&pin) {
            return Err(format!(
                "head: GPIO{pin} decides how the chip starts, and a head may hold it low"
            ));
        }
        if !used.insert(pin) {
            return Err(format!("{purpose}: GPIO{pin} is used twice"));
        }
    }
    if matches!(board.console, Console::Named(Socket::Usb)) && chip.usb.is_empty() {
        return Err(format!("console: {} has no USB port of its own", chip.name));
    }
    if let Some(display) = &board.display
        && oled::Panel::named(&display.panel).is_none()
    {
        return Err(format!("display: there is no panel `{}`", display.panel));
    }
    Ok(chip)
}

/// Each pin that is used, what for, and whether it is driven.
fn pins(board: &Board) -> Vec<(u8, &'static str, bool)> {
    let mut pins = vec![(board.head, "head", false)];
    if let Console::Uart { rx, tx } = board.console {
        pins.extend([(rx, "console", false), (tx, "console", true)]);
    }
    if let Some(display) = &board.display {
        pins.extend([
            (display.sda, "display", true),
            (display.scl, "display", true),
        ]);
    }
    if let Some(light) = &board.light {
        // Both kinds are wired; which one it is cannot be seen from here.
        debug_assert!(matches!(light.on, Level::Low | Level::High));
        pins.push((light.pin, "light", true));
    }
    pins.extend(board.button.map(|button| (button, "button", false)));
    pins.extend(board.low.iter().map(|low| (*low, "low", true)));
    pins
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOARD: &str = r#"
        name = "A board"
        chip = "esp32c3"
        console = "usb"
        head = 4
        display = { panel = "ssd1306-128x64", sda = 6, scl = 7 }
    "#;

    fn checked(text: &str) -> Result<&'static Chip, String> {
        check(&toml::from_str(text).unwrap())
    }

    #[test]
    fn every_board_can_be_wired_so_and_every_chip_has_one() {
        let boards = all().unwrap();
        for chip in CHIPS {
            let own = boards.iter().find(|board| board.key == chip.board).unwrap();
            assert_eq!(own.chip, chip);
        }
        assert!(boards.len() >= 6);
    }

    #[test]
    fn pins_that_cannot_do_it_are_refused() {
        assert!(checked(BOARD).is_ok());
        for (from, to, what) in [
            ("head = 4", "head = 6", "used twice"),
            ("head = 4", "head = 12", "cannot be used"),
            ("head = 4", "head = 22", "cannot be used"),
            ("head = 4", "head = 18", "cannot be used"),
            ("head = 4", "head = 9", "decides how the chip starts"),
            ("ssd1306-128x64", "ssd1307", "no panel"),
            ("\"esp32c3\"", "\"esp32c2\"", "no chip"),
            ("\"esp32c3\"", "\"esp32\"", "cannot be used"),
        ] {
            let said = checked(&BOARD.replace(from, to)).unwrap_err();
            assert!(said.contains(what), "{from} -> {to}: {said}");
        }
        let classic = BOARD
            .replace("esp32c3", "esp32")
            .replace("sda = 6, scl = 7", "sda = 21, scl = 35");
        assert!(checked(&classic).unwrap_err().contains("only be an input"));
        let classic = classic.replace("35", "22");
        assert!(checked(&classic).unwrap_err().contains("no USB port"));
    }
}
