//! Inputs.

mod diagnosis;
mod spoken;

pub use diagnosis::{Evidence, Finding, Medium};
pub use spoken::{Spoken, spoken};
