//! Small monochrome OLEDs on I²C, with one driver for both chips that sit behind them.
//!
//! SSD1306 and SH1106 differ in how their memory is addressed, but both take it page by page: eight
//! rows of pixels, a byte for each column. So that way is used for both, and a [`Panel`] only says
//! where its glass is wired to that memory.
//!
//! Source of all commands: data sheets of Solomon Systech (SSD1306, revision 1.5, tables 9-1 and 10-1)
//! and Sino Wealth (SH1106, revision 2.3, table "Command").
#![no_std]

mod frame;
mod panel;

pub use frame::Frame;
pub use panel::Panel;

use embedded_hal_async::i2c::I2c;

/// Where these displays answer.
pub const ADDRESS: u8 = 0x3c;

/// Precedes commands in a transmission.
const COMMANDS: u8 = 0x00;
/// Precedes contents of the memory in a transmission.
const DATA: u8 = 0x40;

const SWITCH_OFF: u8 = 0xae;
const SWITCH_ON: u8 = 0xaf;
const CONTRAST: u8 = 0x81;

/// How bright it is, where 255 is the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// Dark, and no current flows.
    Off,
    /// So bright.
    On(u8),
}

/// A display on its bus.
pub struct Oled<I> {
    bus: I,
    panel: Panel,
    light: Option<Light>,
}

impl<I: I2c> Oled<I> {
    /// A display that was not spoken to yet.
    pub fn new(bus: I, panel: Panel) -> Self {
        Self {
            bus,
            panel,
            light: None,
        }
    }

    /// Wakes it, dark. To be called again after any error: it may have lost its supply.
    pub async fn start(&mut self) -> Result<(), I::Error> {
        self.light = None;
        self.bus.write(ADDRESS, self.panel.start()).await
    }

    /// Copies the frame into the display's memory.
    pub async fn show(&mut self, frame: &Frame) -> Result<(), I::Error> {
        let mut bytes = [DATA; 1 + Frame::WIDTH];
        for (page, row) in (0u8..).zip(frame.pages(self.panel)) {
            self.bus.write(ADDRESS, &self.panel.address(page)).await?;
            let filled = bytes
                .iter_mut()
                .skip(1)
                .zip(row)
                .map(|(to, from)| *to = *from)
                .count();
            self.bus
                .write(ADDRESS, bytes.get(..=filled).unwrap_or(&bytes))
                .await?;
        }
        Ok(())
    }

    /// Sets how bright it is. Says nothing to the display when it is so already.
    pub async fn shine(&mut self, light: Light) -> Result<(), I::Error> {
        if self.light == Some(light) {
            return Ok(());
        }
        match light {
            Light::Off => self.bus.write(ADDRESS, &[COMMANDS, SWITCH_OFF]).await?,
            Light::On(contrast) => {
                let commands = [COMMANDS, CONTRAST, contrast, SWITCH_ON];
                self.bus.write(ADDRESS, &commands).await?;
            }
        }
        self.light = Some(light);
        Ok(())
    }
}
