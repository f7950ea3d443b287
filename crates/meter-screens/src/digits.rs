//! Digits that are read across a room, of any size: strokes with round ends instead of pictures.
//!
//! A digit is drawn along the middle of its strokes, in a box from 0 to `w` and from 0 to `h`; a
//! pixel belongs to it when it is no farther from a stroke than half the stroke's thickness.

use embedded_graphics::geometry::Point;

use crate::paper::{Paper, area};

/// Steps in a pixel: the middle of a pixel of an odd and of an even thickness is on this grid.
const FINE: i32 = 4;

/// How large digits are, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Of one digit.
    pub width: i32,
    /// Of one digit.
    pub height: i32,
    /// Of a stroke.
    pub stroke: i32,
    /// Between two digits.
    pub gap: i32,
}

impl Size {
    /// Digits of a height that are as wide as looks well, or narrower where a text would not fit
    /// into a width.
    pub fn fitting(height: i32, text: &str, room: i32) -> Self {
        let narrowest = 4;
        let widest = (height * 4 / 7).max(narrowest);
        (narrowest..=widest)
            .rev()
            .map(|width| Self::new(height, width))
            .find(|size| size.text_width(text) <= room)
            .unwrap_or(Self::new(height, narrowest))
    }

    /// Strokes grow with the digits, but leave light between them.
    fn new(height: i32, width: i32) -> Self {
        Self {
            width,
            height,
            stroke: ((height + 3) / 7).min((width + 2) / 4).max(1),
            gap: if width < 9 { 2 } else { 3 },
        }
    }

    /// Width of a text of digits, a minus sign and thin spaces.
    pub fn text_width(self, text: &str) -> i32 {
        let widths: i32 = text
            .chars()
            .map(|sign| self.sign_width(sign) + self.gap)
            .sum();
        (widths - self.gap).max(0)
    }

    fn sign_width(self, sign: char) -> i32 {
        match sign {
            '0'..='9' => self.width,
            '-' => self.minus_width(),
            _ => self.gap,
        }
    }

    const fn minus_width(self) -> i32 {
        self.width * 2 / 3
    }

    /// Writes digits so that they end before `right`.
    pub fn right(self, paper: &mut dyn Paper, right: i32, y: i32, text: &str) {
        let mut x = right - self.text_width(text);
        for sign in text.chars() {
            let width = self.sign_width(sign);
            if sign == '-' {
                // Without round ends, which make a dot of a short line.
                let height = (self.stroke - 1).max(1);
                let y = y + (self.height - height) / 2;
                paper.shape(area(x, y, width, height), &|_| true);
            } else if sign.is_ascii_digit() {
                let strokes = Strokes::new(self);
                paper.shape(area(x, y, width, self.height), &|point| {
                    strokes.inside(sign, point)
                });
            }
            x += width + self.gap;
        }
    }
}

/// The quarters of a circle that an arc is made of.
#[derive(Clone, Copy)]
enum Arc {
    Top,
    Bottom,
    TopRight,
    BottomRight,
    BottomLeft,
    TopLeft,
}

impl Arc {
    const fn covers(self, x: i32, y: i32) -> bool {
        match self {
            Self::Top => y <= 0,
            Self::Bottom => y >= 0,
            Self::TopRight => x >= 0 && y <= 0,
            Self::BottomRight => x >= 0 && y >= 0,
            Self::BottomLeft => x <= 0 && y >= 0,
            Self::TopLeft => x <= 0 && y <= 0,
        }
    }
}

/// The strokes of a digit, measured in fine steps.
struct Strokes {
    /// Width and height of the box that the middles of strokes run in.
    w: i32,
    h: i32,
    /// Radius of a bowl.
    r: i32,
    /// Half a stroke.
    pen: i32,
}

impl Strokes {
    const fn new(size: Size) -> Self {
        let w = (size.width - size.stroke) * FINE;
        Self {
            w,
            h: (size.height - size.stroke) * FINE,
            r: w / 2,
            pen: size.stroke * FINE / 2,
        }
    }

    fn inside(&self, sign: char, pixel: Point) -> bool {
        let middle = FINE / 2 - self.pen;
        let mut point = pixel * FINE + Point::new(middle, middle);
        if sign == '9' {
            point = Point::new(self.w, self.h) - point;
        }
        match sign {
            '0' => self.nought(point),
            '1' => self.one(point),
            '2' => self.two(point),
            '3' => self.three(point),
            '4' => self.four(point),
            '5' => self.five(point),
            '6' | '9' => self.six(point),
            '7' => self.seven(point),
            '8' => self.eight(point),
            _ => false,
        }
    }

    fn nought(&self, point: Point) -> bool {
        let Self { w, h, r, .. } = *self;
        self.arc(point, (r, r), Arc::Top)
            || self.arc(point, (r, h - r), Arc::Bottom)
            || self.line(point, (0, r), (0, h - r))
            || self.line(point, (w, r), (w, h - r))
    }

    fn one(&self, point: Point) -> bool {
        let Self { w, h, .. } = *self;
        let x = w * 5 / 8;
        self.line(point, (x, 0), (x, h)) || self.line(point, (x, 0), (w / 16, h / 4))
    }

    fn two(&self, point: Point) -> bool {
        let Self { w, h, r, .. } = *self;
        let bend = r + h / 10;
        self.arc(point, (r, r), Arc::Top)
            || self.line(point, (w, r), (w, bend))
            || self.line(point, (w, bend), (0, h))
            || self.line(point, (0, h), (w, h))
    }

    fn three(&self, point: Point) -> bool {
        let Self { w, h, r, .. } = *self;
        let middle = h / 2;
        self.arc(point, (r, r), Arc::Top)
            || self.line(point, (w, r), (w, middle - r))
            || self.arc(point, (r, middle - r), Arc::BottomRight)
            || self.line(point, (r * 2 / 3, middle), (r, middle))
            || self.arc(point, (r, middle + r), Arc::TopRight)
            || self.line(point, (w, middle + r), (w, h - r))
            || self.arc(point, (r, h - r), Arc::Bottom)
    }

    fn four(&self, point: Point) -> bool {
        let Self { w, h, .. } = *self;
        let (bar, x) = (h * 7 / 10, w * 3 / 4);
        self.line(point, (w / 2, 0), (0, bar))
            || self.line(point, (0, bar), (w, bar))
            || self.line(point, (x, h * 4 / 10), (x, h))
    }

    fn five(&self, point: Point) -> bool {
        let Self { w, h, r, .. } = *self;
        let middle = h * 2 / 5;
        self.line(point, (0, 0), (w, 0))
            || self.line(point, (0, 0), (0, middle))
            || self.line(point, (0, middle), (r, middle))
            || self.arc(point, (r, middle + r), Arc::TopRight)
            || self.line(point, (w, middle + r), (w, h - r))
            || self.arc(point, (r, h - r), Arc::Bottom)
    }

    fn six(&self, point: Point) -> bool {
        let Self { w, h, r, .. } = *self;
        let middle = h * 2 / 5;
        self.arc(point, (r, r), Arc::Top)
            || self.line(point, (0, r), (0, h - r))
            || self.arc(point, (r, h - r), Arc::Bottom)
            || self.arc(point, (r, middle + r), Arc::Top)
            || self.line(point, (w, middle + r), (w, h - r))
    }

    fn seven(&self, point: Point) -> bool {
        let Self { w, h, .. } = *self;
        self.line(point, (0, 0), (w, 0)) || self.line(point, (w, 0), (w * 3 / 10, h))
    }

    fn eight(&self, point: Point) -> bool {
        let Self { w, h, r, .. } = *self;
        let middle = h / 2;
        self.arc(point, (r, r), Arc::Top)
            || self.line(point, (0, r), (0, middle - r))
            || self.line(point, (w, r), (w, middle - r))
            || self.arc(point, (r, middle - r), Arc::BottomLeft)
            || self.arc(point, (r, middle - r), Arc::BottomRight)
            || self.arc(point, (r, middle + r), Arc::TopLeft)
            || self.arc(point, (r, middle + r), Arc::TopRight)
            || self.line(point, (0, middle + r), (0, h - r))
            || self.line(point, (w, middle + r), (w, h - r))
            || self.arc(point, (r, h - r), Arc::Bottom)
    }

    /// Whether a point is on an arc around a centre.
    fn arc(&self, point: Point, (x, y): (i32, i32), arc: Arc) -> bool {
        let (x, y) = (point.x - x, point.y - y);
        let distance = x * x + y * y;
        let (inner, outer) = ((self.r - self.pen).max(0), self.r + self.pen);
        arc.covers(x, y) && distance <= outer * outer && distance >= inner * inner
    }

    /// Whether a point is on a line with round ends.
    fn line(&self, point: Point, from: (i32, i32), to: (i32, i32)) -> bool {
        let wide = |value: i32| i64::from(value);
        let (dx, dy) = (wide(to.0 - from.0), wide(to.1 - from.1));
        let (x, y) = (wide(point.x - from.0), wide(point.y - from.1));
        let (length, along) = (dx * dx + dy * dy, x * dx + y * dy);
        let pen = wide(self.pen) * wide(self.pen);
        if along <= 0 {
            x * x + y * y <= pen
        } else if along >= length {
            (x - dx) * (x - dx) + (y - dy) * (y - dy) <= pen
        } else {
            let across = x * dy - y * dx;
            across * across <= pen * length
        }
    }
}
