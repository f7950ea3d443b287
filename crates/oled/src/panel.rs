//! What is known of each display.

use embedded_graphics::geometry::Size;

use crate::COMMANDS;

/// A display: its glass, its chip, and how one is wired to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    /// 128×64 with an SSD1306: most displays of 0.96".
    Ssd1306,
    /// 128×64 with an SH1106: most displays of 1.3".
    Sh1106,
    /// 72×40 with an SSD1306: displays of 0.42".
    Ssd1306Small,
}

impl Panel {
    /// The panel of this name, as boards name it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ssd1306-128x64" => Some(Self::Ssd1306),
            "sh1106-128x64" => Some(Self::Sh1106),
            "ssd1306-72x40" => Some(Self::Ssd1306Small),
            _ => None,
        }
    }

    /// Its pixels.
    #[must_use]
    pub const fn size(self) -> Size {
        match self {
            Self::Ssd1306 | Self::Sh1106 => Size::new(128, 64),
            Self::Ssd1306Small => Size::new(72, 40),
        }
    }

    /// The first column of the chip's memory that is seen.
    const fn first_column(self) -> u8 {
        match self {
            Self::Ssd1306 => 0,
            // 132 columns, the glass in their middle.
            Self::Sh1106 => 2,
            Self::Ssd1306Small => 28,
        }
    }

    /// The commands that choose a page, from its first column.
    pub(crate) const fn address(self, page: u8) -> [u8; 4] {
        let column = self.first_column();
        [COMMANDS, 0xb0 | page, column & 0x0f, 0x10 | column >> 4]
    }

    /// The commands that wake it.
    pub(crate) const fn start(self) -> &'static [u8] {
        match self {
            Self::Ssd1306 => &[
                COMMANDS, 0xae, // off
                0xd5, 0x80, // clock
                0xa8, 63, // rows that are driven, less one
                0xd3, 0, 0x40, // no offset, first line
                0x8d, 0x14, // charge pump on
                0x20, 0x02, // page addressing
                0xa1, 0xc8, // left to right, top to bottom
                0xda, 0x12, // rows are wired alternately
                0xd9, 0x21, 0xdb, 0x40, // charging, level of the rows
                0xa4, 0xa6, // shows its memory, lit where it is 1
            ],
            Self::Ssd1306Small => &[
                COMMANDS, 0xae, 0xd5, 0x80, 0xa8, 39, 0xd3, 0, 0x40, 0x8d, 0x14, 0x20, 0x02,
                // The module has no resistor for the current: the chip's own is used.
                0xad, 0x30, 0xa1, 0xc8, 0xda, 0x12, 0xd9, 0x21, 0xdb, 0x40, 0xa4, 0xa6,
            ],
            Self::Sh1106 => &[
                COMMANDS, 0xae, 0xd5, 0x80, 0xa8, 63, 0xd3, 0, 0x40,
                // Its pump is switched on by another command; it knows no other addressing.
                0xad, 0x8b, 0xa1, 0xc8, 0xda, 0x12, 0xd9, 0x21, 0xdb, 0x40, 0xa4, 0xa6,
            ],
        }
    }
}
