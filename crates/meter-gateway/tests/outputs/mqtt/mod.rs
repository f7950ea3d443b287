//! The output and the input `mqtt` against a real mosquitto, and a way to it with all the faults of networks.

mod answers;
mod broker;
mod delivery;
mod gate;
mod homeassistant;
mod input;
mod login;
mod real;
mod setup;
