//! `cargo xtask bench`: measurements. They are programs of their own, in `bench/`, so
//! that what they compare with is no dependency of the project.

use clap::ValueEnum;

use crate::failure::Failure;
use crate::process;

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// The measurement.
    what: Measurement,
    /// Further arguments of the measurement: `-- --help` shows them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Measurement {
    /// Speed of the decoder beside its peers.
    Decode,
    /// Damaged telegrams that get past the checksums.
    Mutations,
    /// Processor time, memory and latency of the daemon at five telegrams a second.
    Idle,
    /// Readings lost and doubled when the server is away and the daemon is killed.
    Outage,
    /// Readings that the journal takes and gives per second.
    Journal,
}

/// Builds and runs a measurement.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (package, subcommand) = match arguments.what {
        Measurement::Decode => ("bench-decode", None),
        Measurement::Mutations => ("bench-mutations", None),
        Measurement::Idle => ("bench-daemon", Some("idle")),
        Measurement::Outage => ("bench-daemon", Some("outage")),
        Measurement::Journal => ("bench-daemon", Some("journal")),
    };
    if package == "bench-daemon" {
        process::run(&mut process::cargo(&["build", "--release", "--locked"]))?;
    }
    let program = process::target().join("release").join("meterline");
    let mut command = process::cargo(&["run", "--release", "--package", package]);
    command
        .args(["--manifest-path", "bench/Cargo.toml", "--"])
        .args(subcommand)
        .args(&arguments.rest)
        .env("METERLINE_PROGRAM", program)
        .env("CARGO_TARGET_DIR", process::target().join("bench"));
    if let Some(folder) = recordings::folder() {
        command.env("METERLINE_SHARED", folder);
    }
    process::run(&mut command)
}
