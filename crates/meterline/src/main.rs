//! `meterline` reads electricity meters that speak SML and delivers every reading.
//!
//! Each subcommand is one module with its own arguments; this file only chooses between
//! them and turns what they return into an exit status.

mod check;
mod cli;
mod completions;
mod config;
mod decode;
mod demo;
mod device;
mod event_loop;
mod failure;
mod gateway;
mod import;
mod live;
mod logging;
mod man;
mod paint;
mod ports;
mod progress;
mod rejected;
mod run;
mod screen;
mod sim;
mod suspects;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}
