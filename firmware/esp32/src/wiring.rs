//! Which pin is what, from the description of the board in `boards/`.

use esp_hal::gpio::AnyPin;
use oled::Panel;

include!(concat!(env!("OUT_DIR"), "/pins.rs"));

/// Receive and transmit of the serial port behind a bridge, where the chip's own USB is not used.
#[cfg(console = "uart")]
pub type ConsolePins = (AnyPin<'static>, AnyPin<'static>);
/// The chip's own USB has pins of its own.
#[cfg(console = "usb")]
pub type ConsolePins = ();

/// The pins of the board.
pub struct Pins {
    /// Where the optical head talks.
    pub head: AnyPin<'static>,
    /// The console's.
    pub console: ConsolePins,
    /// The display's.
    pub display: Option<Display>,
    /// The light's, and whether it shines when the pin is high.
    pub light: Option<(AnyPin<'static>, bool)>,
    /// The button's, which connects it to ground.
    pub button: Option<AnyPin<'static>>,
    /// Held low for as long as it runs.
    pub low: [AnyPin<'static>; HELD],
}

/// A display and its pins.
pub struct Display {
    /// What it is.
    pub panel: Panel,
    /// Its data.
    pub sda: AnyPin<'static>,
    /// Its clock.
    pub scl: AnyPin<'static>,
}

pub(crate) use pins;
