//! What the files in `boards/` say. Read by the build script, and by `cargo xtask` on its own.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A file in `boards/`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// What its maker calls it.
    pub name: String,
    /// `esp32`, `esp32s3`, `esp32c3` or `esp32c6`.
    pub chip: String,
    /// Where the console is.
    pub console: Console,
    /// The pin that the optical head talks to.
    pub head: u8,
    /// The display that is soldered on, or the pins for one.
    pub display: Option<Display>,
    /// A light that is lit while readings are sent.
    pub light: Option<Light>,
    /// The pin of a button to ground.
    pub button: Option<u8>,
    /// What stands beside a pin, where it is not its number.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Pins that are held low.
    #[serde(default)]
    pub low: Vec<u8>,
}

/// Where the console is.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Console {
    /// The first serial port, which a bridge makes a USB port of.
    Uart {
        /// The pin it receives by.
        rx: u8,
        /// The pin it sends by.
        tx: u8,
    },
    /// Something of the chip's own.
    Named(Socket),
}

/// What a chip has of its own.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Socket {
    /// Its USB port.
    Usb,
}

/// A display on I²C.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Display {
    /// Its glass and chip, as `oled::Panel` names them.
    pub panel: String,
    /// Whether it belongs to the board.
    #[serde(default)]
    pub soldered: bool,
    /// The pin of its data.
    pub sda: u8,
    /// The pin of its clock.
    pub scl: u8,
}

/// A plain light.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Light {
    /// Its pin.
    pub pin: u8,
    /// When it shines.
    pub on: Level,
}

/// Of a pin.
#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// At ground.
    Low,
    /// At the supply.
    High,
}
