//! What is seen on the glass, by a bus with a display on it that obeys the commands of its chip.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::cell::RefCell;
use std::rc::Rc;

use embedded_graphics::geometry::Point;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::{DrawTarget, OriginDimensions, Primitive};
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::{Drawable, Pixel};
use embedded_hal_async::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use oled::{ADDRESS, Frame, Light, Oled, Panel};

/// A display, or the place where none is.
struct Display {
    answers: bool,
    /// Columns of the chip's memory: 128 or 132.
    memory: Vec<[u8; 132]>,
    columns: usize,
    page: usize,
    column: usize,
    on: bool,
    contrast: u8,
    multiplex: u8,
    pump: bool,
    transmissions: usize,
}

#[derive(Clone)]
struct Bus(Rc<RefCell<Display>>);

impl Bus {
    fn new(panel: Panel) -> Self {
        Self(Rc::new(RefCell::new(Display {
            answers: true,
            memory: vec![[0xff; 132]; 8],
            columns: if panel == Panel::Sh1106 { 132 } else { 128 },
            page: 0,
            column: 0,
            on: false,
            contrast: 0x80,
            multiplex: 63,
            pump: false,
            transmissions: 0,
        })))
    }

    /// The pixels that are lit on the glass, with a `first` column of the memory at its left edge.
    fn lit(&self, first: usize, panel: Panel) -> Vec<Point> {
        let display = self.0.borrow();
        let size = panel.size();
        assert_eq!(
            u32::from(display.multiplex) + 1,
            size.height,
            "rows that are driven"
        );
        let mut lit = Vec::new();
        for y in 0..size.height as usize {
            for x in 0..size.width as usize {
                if display.memory[y / 8][first + x] >> (y % 8) & 1 == 1 {
                    lit.push(Point::new(
                        i32::try_from(x).unwrap(),
                        i32::try_from(y).unwrap(),
                    ));
                }
            }
        }
        lit
    }
}

impl Display {
    fn take(&mut self, bytes: &[u8]) {
        self.transmissions += 1;
        match bytes.split_first().unwrap() {
            (0x00, commands) => self.obey(commands),
            (0x40, contents) => {
                for byte in contents {
                    assert!(self.column < self.columns, "written beside the memory");
                    self.memory[self.page][self.column] = *byte;
                    self.column += 1;
                }
            }
            (other, _) => panic!("control byte {other:#x}"),
        }
    }

    fn obey(&mut self, commands: &[u8]) {
        let sh1106 = self.columns == 132;
        let mut commands = commands.iter().copied();
        while let Some(command) = commands.next() {
            match command {
                0x00..=0x0f => self.column = self.column & 0xf0 | usize::from(command),
                0x10..=0x1f => {
                    self.column = self.column & 0x0f | usize::from(command & 0x0f) << 4;
                }
                0xb0..=0xb7 => self.page = usize::from(command & 7),
                0xae | 0xaf => self.on = command == 0xaf,
                0x81 => self.contrast = commands.next().unwrap(),
                0xa8 => self.multiplex = commands.next().unwrap(),
                0x20 if !sh1106 => assert_eq!(commands.next(), Some(2), "addressing by pages"),
                0x8d if !sh1106 => self.pump = commands.next() == Some(0x14),
                0xad if sh1106 => self.pump = commands.next() == Some(0x8b),
                0xad | 0xd3 | 0xd5 | 0xd9 | 0xda | 0xdb => {
                    commands.next().unwrap();
                }
                0x40..=0x7f | 0xa0 | 0xa1 | 0xa4 | 0xa6 | 0xc0 | 0xc8 => {}
                unknown => panic!("the chip does not know {unknown:#x}"),
            }
        }
    }
}

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    async fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), ErrorKind> {
        assert_eq!(address, ADDRESS);
        let mut display = self.0.borrow_mut();
        if !display.answers {
            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        for operation in operations {
            match operation {
                Operation::Write(bytes) => display.take(bytes),
                Operation::Read(_) => panic!("nothing is read"),
            }
        }
        Ok(())
    }
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Corners and one odd pixel.
fn marks(panel: Panel) -> Vec<Point> {
    let size = panel.size();
    let right = i32::try_from(size.width).unwrap() - 1;
    let bottom = i32::try_from(size.height).unwrap() - 1;
    vec![
        Point::new(0, 0),
        Point::new(right, 0),
        Point::new(37, 11),
        Point::new(0, bottom),
        Point::new(right, bottom),
    ]
}

fn seen(panel: Panel, first: usize) {
    let bus = Bus::new(panel);
    let mut oled = Oled::new(bus.clone(), panel);
    let mut frame = Frame::new(panel);
    assert_eq!(frame.size(), panel.size());
    let marks = marks(panel);
    frame
        .draw_iter(marks.iter().map(|point| Pixel(*point, BinaryColor::On)))
        .unwrap();
    run(async {
        oled.start().await.unwrap();
        oled.show(&frame).await.unwrap();
        oled.shine(Light::On(0x5f)).await.unwrap();
    });
    assert_eq!(bus.lit(first, panel), marks);
    let display = bus.0.borrow();
    assert!(display.on && display.pump);
    assert_eq!(display.contrast, 0x5f);
}

#[test]
fn each_panel_shows_its_corners_where_its_glass_is() {
    seen(Panel::Ssd1306, 0);
    seen(Panel::Sh1106, 2);
    seen(Panel::Ssd1306Small, 28);
}

#[test]
fn what_is_drawn_over_goes_and_what_lies_outside_harms_nothing() {
    let panel = Panel::Ssd1306Small;
    let bus = Bus::new(panel);
    let mut oled = Oled::new(bus.clone(), panel);
    let mut frame = Frame::new(panel);
    let whole = Rectangle::new(Point::new(-50, -50), panel.size() * 4);
    whole
        .into_styled(PrimitiveStyle::with_fill(BinaryColor::On))
        .draw(&mut frame)
        .unwrap();
    frame.clear(BinaryColor::Off).unwrap();
    frame
        .draw_iter([Pixel(Point::new(3, 4), BinaryColor::On)])
        .unwrap();
    run(async {
        oled.start().await.unwrap();
        oled.show(&frame).await.unwrap();
    });
    assert_eq!(bus.lit(28, panel), [Point::new(3, 4)]);
}

#[test]
fn a_display_that_is_not_there_is_an_error_and_starts_when_it_comes() {
    let panel = Panel::Ssd1306;
    let bus = Bus::new(panel);
    let mut oled = Oled::new(bus.clone(), panel);
    bus.0.borrow_mut().answers = false;
    run(async {
        assert!(oled.start().await.is_err());
        assert!(oled.shine(Light::On(1)).await.is_err());
    });
    bus.0.borrow_mut().answers = true;
    run(async {
        oled.start().await.unwrap();
        oled.shine(Light::On(1)).await.unwrap();
    });
    assert!(bus.0.borrow().on);
}

#[test]
fn light_is_said_once() {
    let bus = Bus::new(Panel::Sh1106);
    let mut oled = Oled::new(bus.clone(), Panel::Sh1106);
    run(async {
        for _ in 0..3 {
            oled.shine(Light::Off).await.unwrap();
        }
    });
    assert_eq!(bus.0.borrow().transmissions, 1);
    assert!(!bus.0.borrow().on);
}

#[test]
fn panels_are_found_by_the_names_that_boards_use() {
    for (name, panel) in [
        ("ssd1306-128x64", Panel::Ssd1306),
        ("sh1106-128x64", Panel::Sh1106),
        ("ssd1306-72x40", Panel::Ssd1306Small),
    ] {
        assert_eq!(Panel::named(name), Some(panel));
    }
    assert_eq!(Panel::named("ssd1306"), None);
}
