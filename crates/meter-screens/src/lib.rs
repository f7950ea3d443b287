//! What a small monochrome display shows of a smart meter.
//!
//! Pages are pure functions of a [`View`], which is plain data, and of the time: [`draw`] writes one
//! onto anything that embedded-graphics can draw on. They are laid out for two [`Panel`]s, 128×64
//! and 72×40. [`Carousel`] says which page is shown, when it turns, how bright it is and by how many
//! pixels it is moved, so that nothing burns in.
//!
//! Nothing here allocates, panics or reads a clock. A display's loop is short:
//!
//! ```
//! use core::time::Duration;
//! use embedded_graphics::draw_target::DrawTarget;
//! use embedded_graphics::pixelcolor::BinaryColor;
//! use meter_screens::{Brightness, Carousel, CarouselConfig, Device, View};
//!
//! /// Draws what is to be seen, and says when to come back.
//! fn show<D>(
//!     carousel: &mut Carousel,
//!     view: &View<'_>,
//!     now: Duration,
//!     display: &mut D,
//! ) -> Result<(Duration, Brightness), D::Error>
//! where
//!     D: DrawTarget<Color = BinaryColor>,
//! {
//!     carousel.poll(now, view);
//!     carousel.draw(view, now, display)?;
//!     Ok((carousel.poll_at(now), carousel.brightness(now)))
//! }
//!
//! # let mut display = embedded_graphics::mock_display::MockDisplay::new();
//! # display.set_allow_overdraw(true);
//! # display.set_allow_out_of_bounds_drawing(true);
//! let device = Device { name: "meter-cellar", firmware: "0.1.0" };
//! let view = View { device, ..View::default() };
//! let mut carousel = Carousel::new(CarouselConfig::default(), Duration::ZERO);
//! let (again, brightness) = show(&mut carousel, &view, Duration::ZERO, &mut display)?;
//! assert_eq!((again, brightness), (Duration::from_secs(1), Brightness::Full));
//! # Ok::<(), core::convert::Infallible>(())
//! ```
#![no_std]

mod digits;
mod icons;
mod pages;
mod paper;
mod text;

pub mod carousel;
pub mod page;
pub mod view;

#[cfg(test)]
mod layout;

pub use carousel::{Brightness, Carousel, CarouselConfig};
pub use page::{Page, Panel, PinStep, draw};
pub use view::{Delivery, Device, Energy, Fault, Head, Meter, Network, Phase, Sight, View};
