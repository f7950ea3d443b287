//! The host's side of meterline: where bytes come from (inputs), where readings are kept (journal)
//! and where they go (outputs), what other programs read (serve), one configuration file for all of
//! them, and the loop that runs them.

pub mod config;
pub mod http;
pub mod input;
pub mod journal;
pub mod mqtt;
pub mod notify;
pub mod output;
pub mod ports;
pub mod run;
pub mod serve;
pub mod times;
pub mod tls;
