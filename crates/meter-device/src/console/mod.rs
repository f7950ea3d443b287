//! What a person or a program says to the device over USB, and what it answers.
//!
//! The line carries three things at once: commands and their answers, packets of Improv, and the log.
//! A command is a line. Its answer is one line of JSON whose first key is the command's name; nothing
//! else that the device says begins with `{`.
//!
//! ```text
//! info                      {"info":{…}}
//! configure {…}             {"configure":"stored"}
//! configure {"name":"-"}    {"configure":null,"error":"name: must have …"}
//! log                       {"log":[{…},{…}]}   the oldest first; see [`ring`](crate::ring)
//! ```

mod answer;
mod command;
mod info;
mod port;
mod serve;

pub use answer::{Done, Help, Refused};
pub use command::{BadLine, Command};
pub use info::{Delivery, Info, Meter, Network};
pub use port::{Event, LINE_BYTES, Port};
pub(crate) use serve::run;
