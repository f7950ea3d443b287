//! Small pictures, drawn as rows of bits.

use embedded_graphics::geometry::Point;

use crate::paper::{Paper, area};

/// A picture of one bit for each pixel, the leftmost pixel of a row in its highest used bit.
pub struct Icon {
    /// Pixels in a row.
    pub width: i32,
    rows: &'static [u32],
}

impl Icon {
    /// Rows of pixels.
    pub fn height(&self) -> i32 {
        i32::try_from(self.rows.len()).unwrap_or(0)
    }

    /// Draws the picture with its top left corner at a point.
    pub fn draw(&self, paper: &mut dyn Paper, x: i32, y: i32) {
        paper.shape(area(x, y, self.width, self.height()), &|point| {
            self.is_set(point)
        });
    }

    fn is_set(&self, point: Point) -> bool {
        let row = usize::try_from(point.y).ok().and_then(|y| self.rows.get(y));
        let bit = u32::try_from(self.width - 1 - point.x).ok();
        row.zip(bit)
            .is_some_and(|(row, bit)| row.checked_shr(bit).unwrap_or(0) & 1 == 1)
    }
}

/// The house behind the meter.
pub const HOUSE: Icon = Icon {
    width: 9,
    rows: &[
        0b0_0001_0000,
        0b0_0011_1000,
        0b0_0111_1100,
        0b0_1111_1110,
        0b1_1111_1111,
        0b0_1111_1110,
        0b0_1110_1110,
        0b0_1110_1110,
        0b0_1110_1110,
    ],
};

/// The grid in front of the meter: a pylon.
pub const GRID: Icon = Icon {
    width: 9,
    rows: &[
        0b0_0001_0000,
        0b1_1111_1111,
        0b1_0011_1001,
        0b0_0010_1000,
        0b0_1111_1110,
        0b0_0110_1100,
        0b0_0101_0100,
        0b0_1010_1010,
        0b1_1000_0011,
    ],
};

/// An arrow head to the right.
pub const RIGHT: Icon = Icon {
    width: 4,
    rows: &[0b1000, 0b1100, 0b0110, 0b0011, 0b0110, 0b1100, 0b1000],
};

/// A light that flashes: a torch and its beam.
pub const TORCH: Icon = Icon {
    width: 18,
    rows: &[
        0b00_0000_0000_0110_0000,
        0b00_0000_0000_1110_0000,
        0b11_1111_1111_1110_0000,
        0b10_0000_0001_1110_0000,
        0b10_1100_0001_1110_0000,
        0b10_0000_0001_1110_0000,
        0b11_1111_1111_1110_0000,
        0b00_0000_0000_1110_0000,
        0b00_0000_0000_0110_0000,
    ],
};

/// A meter that sends light: the start picture.
pub const METER: Icon = Icon {
    width: 30,
    rows: &[
        0b00_1111_1111_1111_1100_0000_0000_0000,
        0b01_0000_0000_0000_0010_0000_0000_0000,
        0b01_0111_1111_1111_1010_0000_0000_0000,
        0b01_0100_0000_0000_1010_0000_0000_1000,
        0b01_0101_1011_0110_1010_0000_0000_0100,
        0b01_0101_1011_0110_1010_0000_0100_0100,
        0b01_0100_0000_0000_1010_0000_0010_0010,
        0b01_0111_1111_1111_1010_0010_0010_0010,
        0b01_0000_0000_0000_0010_0001_0001_0010,
        0b01_0000_0000_0000_0010_0001_0001_0010,
        0b01_0000_0000_0011_0010_0001_0001_0010,
        0b01_0011_1110_0111_1010_0001_0001_0010,
        0b01_0000_0000_0111_1010_0001_0001_0010,
        0b01_0011_1110_0011_0010_0001_0001_0010,
        0b01_0000_0000_0000_0010_0001_0001_0010,
        0b01_0000_0000_0000_0010_0010_0010_0010,
        0b00_1111_1111_1111_1100_0000_0010_0010,
        0b00_0001_0000_0010_0000_0000_0100_0100,
        0b00_0001_0000_0010_0000_0000_0000_0100,
        0b00_0001_0000_0010_0000_0000_0000_1000,
    ],
};

/// Draws the strength of a radio signal as four bars, of which the reached ones are full.
///
/// 11 pixels wide and 8 high.
pub fn signal(paper: &mut dyn Paper, x: i32, y: i32, reached: i32) {
    for bar in 0..4 {
        let height = 2 + 2 * bar;
        let full = bar < reached;
        let shown = if full { height } else { 1 };
        paper.shape(area(x + 3 * bar, y + 8 - shown, 2, shown), &|_| true);
    }
}
