//! What is drawn on, in the order in which displays take it.

use core::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::BinaryColor;

use crate::Panel;

/// Pixels of a display. What lies outside is left away.
pub struct Frame {
    size: Size,
    /// A byte is eight pixels of one column, the lowest bit on top.
    pages: [[u8; Self::WIDTH]; Self::PAGES],
}

impl Frame {
    /// Columns of the widest display.
    pub(crate) const WIDTH: usize = 128;
    /// Rows of the highest display, by eight.
    const PAGES: usize = 8;

    /// An empty frame for a display.
    #[must_use]
    pub const fn new(panel: Panel) -> Self {
        Self {
            size: panel.size(),
            pages: [[0; Self::WIDTH]; Self::PAGES],
        }
    }

    /// The pages that a display has, each cut to its width.
    pub(crate) fn pages(&self, panel: Panel) -> impl Iterator<Item = impl Iterator<Item = &u8>> {
        let Size { width, height } = panel.size();
        self.pages
            .iter()
            .take(height as usize / 8)
            .map(move |page| page.iter().take(width as usize))
    }
}

impl OriginDimensions for Frame {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Frame {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Self::Color>>,
    {
        for Pixel(point, color) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) else {
                continue;
            };
            let column = self.pages.get_mut(y / 8).and_then(|page| page.get_mut(x));
            if let Some(column) = column {
                let pixel = 1 << (y % 8);
                match color {
                    BinaryColor::On => *column |= pixel,
                    BinaryColor::Off => *column &= !pixel,
                }
            }
        }
        Ok(())
    }
}
