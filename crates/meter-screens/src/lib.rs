//! What a small monochrome display shows of a smart meter.
//!
//! Pages are pure functions of a [`View`], which is plain data, and of the time: [`draw`] writes one
//! onto anything that embedded-graphics can draw on. They are laid out for two [`Panel`]s, 128×64
//! and 72×40. [`Carousel`] says which page is shown, when it turns, how bright it is and by how many
//! pixels it is moved, so that nothing burns in.
//!
//! Nothing here allocates, panics or reads a clock.
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
