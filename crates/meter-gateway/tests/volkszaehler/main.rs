//! The output `volkszaehler` against a simulated middleware that answers as the real one does, which
//! needs PHP packages that cannot be had everywhere, and against a simulated push server.

#[allow(dead_code, reason = "the tests of other outputs need more of it")]
#[path = "../delivering/mod.rs"]
mod delivering;
mod delivery;
mod document;
mod middleware;
mod probe;
#[path = "../influx/proxy.rs"]
mod proxy;
mod push;
mod settings;
