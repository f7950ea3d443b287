//! What other programs read: a small HTTP server.
//!
//! Every face of it shows the same [`Snapshot`](crate::run::Snapshot) in the words of another world, and only those
//! that the configuration turns on are there. It changes nothing and takes no secret, so it asks for no
//! password; it listens on this machine only, unless told otherwise.
//!
//! | module | what it answers |
//! |---|---|
//! | [`metrics`] | `/metrics`, for Prometheus |
//! | [`api`] | `/api/v1/`, for dashboards |
//!
//! A value that is older than a few of its meter's readings is unavailable everywhere: see
//! [`Glance::is_fresh`].

mod api;
mod config;
mod connections;
mod host;
mod listen;
mod metrics;
mod patience;
mod problem;
mod router;
mod site;

pub use config::{Address, BadAddress, Config};
pub use listen::{ListenError, Status, run};
pub use site::Site;

use site::Glance;
