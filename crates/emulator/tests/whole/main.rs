//! The whole device, from the meter's bytes to a real server, against what the meter counted.
//!
//! The board is emulated; what is around it is real: servers for names (dnsmasq), HTTPS and MQTT
//! (mosquitto) with their own authority, and `meterline device`, which sets the device up.

mod broker;
mod browser;
mod certificates;
mod clock;
mod crash;
mod mqtt;
mod outage;
mod pages;
mod readings;
mod rest;
mod world;
