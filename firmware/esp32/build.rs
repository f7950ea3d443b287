//! Turns the description of the board into Rust, and tells the linker where the chip's memory is.

#[expect(dead_code, reason = "some of it is for the pictures only")]
mod description;

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use description::{Board, Console, Display, Level, Socket};

/// The chips, and the board that each is built for when none is asked for.
const CHIPS: &[(&str, &str)] = &[
    ("esp32", "lolin32-oled"),
    ("esp32s3", "esp32-s3-devkitc-1"),
    ("esp32c3", "esp32-c3-devkitm-1"),
    ("esp32c6", "esp32-c6-devkitc-1"),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rustc-link-arg=-Tlinkall.x");
    if env::var("CARGO_CFG_TARGET_ARCH")? == "riscv32" {
        // Functions of the same code, whose address nobody asks for, are kept once.
        println!("cargo:rustc-link-arg=--icf=safe");
        println!("cargo:rustc-link-arg=-O2");
    }
    // The public roots are looked up where Mbed TLS verifies: see `device_network::roots`.
    for function in env::var("DEP_DEVICE_NETWORK_WRAP")?.split(',') {
        println!("cargo:rustc-link-arg=--wrap={function}");
    }
    println!("cargo:rustc-check-cfg=cfg(console, values(\"usb\", \"uart\"))");
    println!("cargo:rerun-if-env-changed=METERLINE_BOARD");
    let (chip, default) = chip()?;
    let board = env::var("METERLINE_BOARD").unwrap_or_else(|_| default.to_owned());
    let file = Path::new(&env::var("CARGO_MANIFEST_DIR")?)
        .join("boards")
        .join(&board)
        .with_extension("toml");
    println!("cargo:rerun-if-changed={}", file.display());
    let text = fs::read_to_string(&file)
        .map_err(|error| format!("METERLINE_BOARD={board}: {}: {error}", file.display()))?;
    let board: Board =
        toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    if board.chip != chip {
        return Err(format!(
            "{0} has the chip {1}, but this is built for {chip}: choose the feature {1}",
            board.name, board.chip
        )
        .into());
    }
    let console = match board.console {
        Console::Named(Socket::Usb) => "usb",
        Console::Uart { .. } => "uart",
    };
    println!("cargo:rustc-cfg=console=\"{console}\"");
    fs::write(
        Path::new(&env::var("OUT_DIR")?).join("pins.rs"),
        pins(&board)?,
    )?;
    Ok(())
}

fn chip() -> Result<(&'static str, &'static str), String> {
    let mut chosen = CHIPS.iter().filter(|(chip, _)| {
        env::var_os(format!("CARGO_FEATURE_{}", chip.to_uppercase())).is_some()
    });
    match (chosen.next(), chosen.next()) {
        (Some(chip), None) => Ok(*chip),
        _ => Err("choose one chip: --features esp32, esp32s3, esp32c3 or esp32c6".to_owned()),
    }
}

/// Milliseconds since 1970. `SOURCE_DATE_EPOCH` is the convention of those who build the same twice.
fn built() -> Result<u128, Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    match env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => Ok(seconds.parse::<u128>()? * 1000),
        Err(_) => Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis()),
    }
}

/// A macro that takes the board's pins from the chip's.
fn pins(board: &Board) -> Result<String, Box<dyn Error>> {
    let mut rust = String::new();
    let pin = |number: u8| format!("$chip.GPIO{number}.into()");
    writeln!(rust, "/// What the board is called.")?;
    writeln!(rust, "pub const NAME: &str = {:?};", board.name)?;
    writeln!(rust, "/// When this was built, in milliseconds since 1970.")?;
    writeln!(rust, "pub const BUILT: i64 = {};", built()?)?;
    writeln!(rust, "macro_rules! pins {{ ($chip:ident) => {{ Pins {{")?;
    writeln!(rust, "head: {},", pin(board.head))?;
    match board.console {
        Console::Uart { rx, tx } => {
            writeln!(rust, "console: ({}, {}),", pin(rx), pin(tx))?;
        }
        Console::Named(Socket::Usb) => writeln!(rust, "console: (),")?,
    }
    match &board.display {
        Some(Display {
            panel, sda, scl, ..
        }) => {
            let (sda, scl) = (pin(*sda), pin(*scl));
            writeln!(
                rust,
                "display: oled::Panel::named({panel:?}).map(|panel| Display {{ panel, sda: {sda}, scl: {scl} }}),"
            )?;
        }
        None => writeln!(rust, "display: None,")?,
    }
    match &board.light {
        Some(light) => {
            let high = light.on == Level::High;
            writeln!(rust, "light: Some(({}, {high})),", pin(light.pin))?;
        }
        None => writeln!(rust, "light: None,")?,
    }
    match board.button {
        Some(button) => writeln!(rust, "button: Some({}),", pin(button))?,
        None => writeln!(rust, "button: None,")?,
    }
    let low: Vec<_> = board.low.iter().map(|low| pin(*low)).collect();
    writeln!(rust, "low: [{}],", low.join(", "))?;
    writeln!(rust, "}} }} }}")?;
    writeln!(rust, "/// Pins that are held low.")?;
    writeln!(rust, "pub const HELD: usize = {};", low.len())?;
    Ok(rust)
}
