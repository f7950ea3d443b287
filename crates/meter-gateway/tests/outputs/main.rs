//! Every output against its real server, or one that answers as it does.

mod files;
mod influx;
mod mqtt;
mod postgres;
mod rest;
mod stage;
mod volkszaehler;
