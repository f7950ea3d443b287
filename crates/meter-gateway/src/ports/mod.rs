//! Serial ports: what is plugged in, what speaks on it, and how to open it.
//!
//! [`list`] names the ports, [`probe`] listens to one and says what it heard,
//! [`Port::open`] opens one for good. All of them say what is wrong in words
//! that a person can act on ([`OpenError`]).

mod holder;
mod line;
mod list;
mod open;
mod owner;
mod probe;

pub use holder::{Holder, holder};
pub use line::{DataBits, Line, LineError, Parity, StopBits};
pub use list::{Candidate, Roots, Usb, list};
pub use open::{OpenError, Port};
pub use owner::{Access, Group, access};
pub use probe::{ALTERNATIVES, Heard, Report, probe};
pub(crate) use probe::{Listened, listen};
