//! The built program between simulated meters and real servers, for tests and measurements.
//!
//! [`outage::run`] takes servers and program away, brings them back, and compares what each server then holds with
//! what the meters sent, register by register.

pub mod outage;
pub mod server;

mod head;
mod journal;
mod process;
mod program;
mod rows;

pub use head::Head;
pub use process::ask;
pub use program::Program;
pub use rows::Outcome;

use std::error::Error;

/// What may go wrong with an experiment itself; a person reads it.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What a step of an experiment gives.
pub type Result<T = ()> = std::result::Result<T, Failure>;
