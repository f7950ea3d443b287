//! Readings to a broker, by MQTT.
//!
//! | the broker | what happens |
//! |---|---|
//! | acknowledges (also that nobody has subscribed) | the reading is delivered |
//! | cannot be reached, hangs up, is busy, over a quota | everything that was not acknowledged is published again |
//! | does not let us in, or does not allow the topic | kept, reported, tried again every `recheck` |
//! | finds a message too long, or its payload not valid | that reading is set aside |
//!
//! Only MQTT 5 can say the last two of a message. A broker that speaks 3.1.1 either hangs up or, like
//! mosquitto, acknowledges what it then throws away.
//!
//! Each connection begins anew (`clean start`): what has to be sent again is known by the journal, and by
//! nobody else.

mod config;
mod diagnostics;
mod homeassistant;
mod meters;
mod payload;
mod probe;
mod sender;
mod session;
mod topic;

pub use config::{Config, ConfigError, Discovery, Format, Qos};
pub use probe::ProbeError;
pub(super) use probe::probe;
pub(super) use sender::Mqtt;
pub use topic::BadTopic;
