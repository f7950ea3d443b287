//! The built program, run from outside.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

pub type Outcome = Result<(), Box<dyn Error>>;

pub fn meterline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meterline"));
    command.args(arguments).stdin(Stdio::null());
    // What this machine is configured to does not matter here.
    command
        .env("HOME", "/nonexistent")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("METERLINE_LOG");
    command
}

pub fn run(arguments: &[&str]) -> Result<Output, Box<dyn Error>> {
    Ok(meterline(arguments).output()?)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ends the program when the test ends, however it does.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `meterline`, and gives the first line that it prints.
pub fn start(arguments: &[&str]) -> Result<(Running, String), Box<dyn Error>> {
    let mut child = Running(meterline(arguments).stdout(Stdio::piped()).spawn()?);
    let stdout = child.0.stdout.take().ok_or("no standard output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok((child, line))
}
