//! The output and the input `mqtt` against a real mosquitto, and a way to it with all the faults of networks.

mod answers;
mod broker;
mod delivery;
mod homeassistant;
mod login;
mod setup;
mod suite;
