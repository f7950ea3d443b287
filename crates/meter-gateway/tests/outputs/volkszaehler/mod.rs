//! The output `volkszaehler` against a simulated middleware that answers as the real one does, which
//! needs PHP packages that cannot be had everywhere, and against a simulated push server.

mod delivery;
mod document;
mod middleware;
mod probe;
mod push;
mod settings;
mod suite;
