//! What pages draw on: texts, filled areas and shapes, whatever the display is.

use embedded_graphics::Drawable;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle, ascii, iso_8859_1};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::primitives::{PointsIter as _, Rectangle};
use embedded_graphics::text::{Baseline, Text};

/// A gap between groups of digits, narrower than a space.
pub const THIN_SPACE: char = '\u{2009}';
/// Says that something was left out.
pub const ELLIPSIS: char = '…';

/// The letters that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// 4×6, for what hardly fits.
    Tiny,
    /// 5×7.
    Small,
    /// 6×10.
    Medium,
    /// 7×13, bold.
    Bold,
    /// 9×18, bold, ASCII only: a word that is read across a room.
    Title,
}

impl Face {
    const fn font(self) -> &'static MonoFont<'static> {
        match self {
            Self::Tiny => &iso_8859_1::FONT_4X6,
            Self::Small => &iso_8859_1::FONT_5X7,
            Self::Medium => &iso_8859_1::FONT_6X10,
            Self::Bold => &iso_8859_1::FONT_7X13_BOLD,
            Self::Title => &ascii::FONT_9X18_BOLD,
        }
    }

    /// Height of its box, with room for what hangs below the line.
    pub const fn height(self) -> i32 {
        match self {
            Self::Tiny => 6,
            Self::Small => 7,
            Self::Medium => 10,
            Self::Bold => 13,
            Self::Title => 18,
        }
    }

    /// From the top of its box to the line that it stands on.
    pub const fn baseline(self) -> i32 {
        match self {
            Self::Tiny => 4,
            Self::Small => 5,
            Self::Medium => 7,
            Self::Bold => 10,
            Self::Title => 13,
        }
    }

    /// Width and height of a full stop and the dots of a colon. The fonts' own ones are as wide as
    /// a digit, which tears numbers apart.
    const fn point(self) -> i32 {
        match self {
            Self::Tiny => 1,
            Self::Small | Self::Medium | Self::Bold => 2,
            Self::Title => 3,
        }
    }

    /// How far a letter moves the next one.
    const fn advance(self, letter: char) -> i32 {
        let width = match self {
            Self::Tiny => 4,
            Self::Small => 5,
            Self::Medium => 6,
            Self::Bold => 7,
            Self::Title => 9,
        };
        match letter {
            THIN_SPACE => width / 2,
            '.' | ':' => self.point() + 2,
            ELLIPSIS => 6,
            _ => width,
        }
    }

    /// Width of a text.
    pub fn width(self, text: &str) -> i32 {
        text.chars().map(|letter| self.advance(letter)).sum()
    }
}

/// A rectangle in signed numbers; empty when a length is negative.
pub fn area(x: i32, y: i32, width: i32, height: i32) -> Rectangle {
    let size = |length| u32::try_from(length).unwrap_or(0);
    Rectangle::new(Point::new(x, y), Size::new(size(width), size(height)))
}

/// Takes what a page draws. A page cannot fail: the first error of a display is kept for the end.
pub trait Paper {
    /// Writes a text; the point is the top left corner of its box.
    fn text(&mut self, face: Face, at: Point, text: &str, colour: BinaryColor);

    /// Fills an area.
    fn fill(&mut self, area: Rectangle, colour: BinaryColor);

    /// Sets the pixels of an area that lie inside a shape. Points count from the area's corner.
    fn shape(&mut self, area: Rectangle, inside: &dyn Fn(Point) -> bool);
}

/// The ways of writing that pages share.
impl dyn Paper + '_ {
    /// Writes from left to right.
    pub fn left(&mut self, face: Face, x: i32, y: i32, text: &str) {
        self.text(face, Point::new(x, y), text, BinaryColor::On);
    }

    /// Writes so that the text ends before `right`.
    pub fn right(&mut self, face: Face, right: i32, y: i32, text: &str) {
        self.left(face, right - face.width(text), y, text);
    }

    /// Writes in the middle of `0..width`.
    pub fn centred(&mut self, face: Face, width: i32, y: i32, text: &str) {
        self.left(face, (width - face.width(text)) / 2, y, text);
    }

    /// A line of one pixel from side to side.
    pub fn rule(&mut self, y: i32, width: i32) {
        self.fill(area(0, y, width, 1), BinaryColor::On);
    }

    /// A frame of one pixel around an area, inside of it.
    pub fn frame(&mut self, x: i32, y: i32, width: i32, height: i32) {
        for side in [
            area(x, y, width, 1),
            area(x, y + height - 1, width, 1),
            area(x, y + 1, 1, height - 2),
            area(x + width - 1, y + 1, 1, height - 2),
        ] {
            self.fill(side, BinaryColor::On);
        }
    }
}

/// Paper on a display.
pub struct Display<'t, D: DrawTarget<Color = BinaryColor>> {
    target: &'t mut D,
    error: Option<D::Error>,
}

impl<'t, D: DrawTarget<Color = BinaryColor>> Display<'t, D> {
    pub const fn new(target: &'t mut D) -> Self {
        Self {
            target,
            error: None,
        }
    }

    /// The first error of the display, if there was one.
    pub fn finish(self) -> Result<(), D::Error> {
        self.error.map_or(Ok(()), Err)
    }

    fn draw(&mut self, draw: impl FnOnce(&mut D) -> Result<(), D::Error>) {
        if self.error.is_none() {
            self.error = draw(self.target).err();
        }
    }
}

impl<D: DrawTarget<Color = BinaryColor>> Paper for Display<'_, D> {
    fn text(&mut self, face: Face, at: Point, text: &str, colour: BinaryColor) {
        let style = MonoTextStyle::new(face.font(), colour);
        let mut x = at.x;
        for letter in text.chars() {
            let place = Point::new(x, at.y);
            match letter {
                ' ' | THIN_SPACE => {}
                '.' | ':' => {
                    let size = face.point();
                    let y = at.y + face.baseline() + 1 - size;
                    self.fill(area(x, y, size, size), colour);
                    if letter == ':' {
                        let above = y - (face.baseline() + 1) / 2;
                        self.fill(area(x, above, size, size), colour);
                    }
                }
                ELLIPSIS => {
                    for dot in 0..3 {
                        let dot = area(x + 2 * dot, at.y + face.baseline(), 1, 1);
                        self.fill(dot, colour);
                    }
                }
                _ => {
                    let mut bytes = [0; 4];
                    let glyph = letter.encode_utf8(&mut bytes);
                    let glyph = Text::with_baseline(glyph, place, style, Baseline::Top);
                    self.draw(|target| glyph.draw(target).map(drop));
                }
            }
            x += face.advance(letter);
        }
    }

    fn fill(&mut self, area: Rectangle, colour: BinaryColor) {
        self.draw(|target| target.fill_solid(&area, colour));
    }

    fn shape(&mut self, area: Rectangle, inside: &dyn Fn(Point) -> bool) {
        let pixels = area
            .points()
            .filter(|point| inside(*point - area.top_left))
            .map(|point| Pixel(point, BinaryColor::On));
        self.draw(|target| target.draw_iter(pixels));
    }
}
