//! MQTT 3.1.1 and 5 as a client: for the output that publishes readings, and for the input that hears them.
//!
//! The protocol itself is the library's, which does no input or output. So names, connections and TLS go
//! the same way as with HTTP and have the same errors, each acknowledgement is told by the message that it
//! is for, and nothing is sent again behind the back of a cursor in the journal: a connection lives as
//! long as its socket, and whoever had it opens the next one and says what is to be sent again.

mod connection;
mod fault;
mod listen;
mod login;
mod options;
mod packet;
mod puback;
mod reason;
mod stream;
#[cfg(test)]
mod tests;
mod url;
mod websocket;

pub(crate) use connection::{Connection, Heard, Message, Unsent};
pub use fault::Fault;
pub use listen::Listener;
pub use options::Version;
pub(crate) use options::{Options, Will, tls_for};
pub(crate) use packet::{Publication, is_filter, is_topic};
pub use reason::{Reason, Sort};
pub use url::{BadUrl, BrokerUrl};
