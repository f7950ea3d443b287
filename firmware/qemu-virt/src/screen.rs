//! A display of 128x64 points, whose memory QEMU's monitor reads with `pmemsave`, and a button: any key
//! of QEMU's keyboard.
//!
//! Its memory is like that of a real one, behind the program's: [`LIGHT`] first, then a bit for each
//! point, row by row, the highest bit of a byte on the left.

use core::convert::Infallible;
use core::future::poll_fn;
use core::task::Poll;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use meter_device::board;
use meter_screens::Brightness;
use virtio_drivers::device::input::VirtIOInput;

use crate::registers::PANEL;
use crate::virtio::{self, Device, Kind, Memory, Transport};

const WIDTH: usize = 128;
const HEIGHT: usize = 64;

/// How bright it is, from 0 to 255.
const LIGHT: usize = 0;
const POINTS: usize = 4;

/// What is drawn on: a bit for each point, row by row.
pub struct Canvas([[u8; WIDTH / 8]; HEIGHT]);

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(WIDTH as u32, HEIGHT as u32)
    }
}

impl DrawTarget for Canvas {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        for Pixel(point, color) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) else {
                continue;
            };
            if let Some(byte) = self.0.get_mut(y).and_then(|row| row.get_mut(x / 8)) {
                let bit = 0x80 >> (x % 8);
                match color {
                    BinaryColor::On => *byte |= bit,
                    BinaryColor::Off => *byte &= !bit,
                }
            }
        }
        Ok(())
    }
}

/// The display and its button.
pub struct Screen {
    canvas: Canvas,
    keyboard: Option<VirtIOInput<Memory, Transport>>,
}

impl Screen {
    /// A dark display. QEMU may have neither panel nor keyboard.
    pub fn start() -> Self {
        PANEL.write(LIGHT, 0u32);
        for place in 0..WIDTH / 8 * HEIGHT {
            PANEL.write(POINTS + place, 0u8);
        }
        let device = Device::find(Kind::Keyboard);
        let keyboard = device
            .and_then(Device::transport)
            .and_then(|transport| VirtIOInput::new(transport).ok());
        if let (Some(device), Some(_)) = (device, &keyboard) {
            device.listen();
        }
        Self {
            canvas: Canvas([[0; WIDTH / 8]; HEIGHT]),
            keyboard,
        }
    }
}

impl board::Screen for Screen {
    type Canvas = Canvas;

    fn canvas(&mut self) -> &mut Canvas {
        &mut self.canvas
    }

    async fn show(&mut self, brightness: Brightness) {
        let light: u32 = match brightness {
            Brightness::Full => 255,
            Brightness::Dim => 60,
            Brightness::Off => 0,
        };
        for (place, points) in self.canvas.0.iter().flatten().enumerate() {
            PANEL.write(POINTS + place, *points);
        }
        PANEL.write(LIGHT, light);
    }

    async fn pressed(&mut self) {
        const KEY: u16 = 1;
        const DOWN: u32 = 1;
        poll_fn(|cx| {
            virtio::KEYBOARD.register(cx.waker());
            let Some(keyboard) = &mut self.keyboard else {
                return Poll::Pending;
            };
            while let Some(event) = keyboard.pop_pending_event() {
                if event.event_type == KEY && event.value == DOWN {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
    }
}
