//! What other programs read: a small HTTP server.
//!
//! Every face of it shows the same [`Snapshot`](crate::run::Snapshot) in the words of another world, and only those
//! that the configuration turns on are there. It changes nothing and takes no secret, so it asks for no
//! password; it listens on this machine only, unless told otherwise.
//!
//! | module | what it answers |
//! |---|---|
//! | `metrics` | `/metrics`, for Prometheus |
//! | `api` | `/api/v1/`, for dashboards |
//! | `vzlogger` | `/` and `/<uuid>`, as vzlogger does |
//! | `tasmota` | `/cm`, as a Tasmota head does |
//! | `ecotracker` | `/v1/json`, as everHome's device does |
//! | `shelly` | `/rpc` and UDP, as a Shelly meter does |
//!
//! A value that is older than a few of its meter's readings is unavailable everywhere.

mod api;
mod config;
mod connections;
mod ecotracker;
mod host;
mod listen;
mod metrics;
mod object;
mod patience;
mod problem;
mod router;
mod shelly;
mod shown;
mod site;
mod tasmota;
mod vzlogger;

pub use config::{Address, BadAddress, Config};
pub use listen::{ListenError, Status, run};
pub use shelly::Device;
pub use site::Site;

use site::Glance;
