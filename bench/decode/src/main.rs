//! Speed of sml-wire beside its peers, in one run, over recorded telegrams.
//!
//! The rounds of all contenders go in turn, so that a machine that slows down slows all of them.
//! What counts are the ratios.

mod allocator;
mod contenders;
mod input;
mod reading;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rustix::time::{ClockId, clock_gettime};

use allocator::allocations;
use contenders::{ALL, BASELINE, Contender, OURS};
use input::Input;
use reading::{Found, Reading};

/// Measures how fast telegrams are decoded: frames, both checksums, every register.
#[derive(Parser)]
#[command(name = "cargo xtask bench decode --")]
struct Arguments {
    /// Folder with recordings (*.bin); else captures/ in $METERLINE_SHARED or ../shared.
    #[arg(long)]
    captures: Option<PathBuf>,
    /// Megabytes to decode in a round, at least: the recordings are repeated.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    megabytes: u32,
    /// Rounds of each contender; the median counts.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Only this contender, once and without a comparison: for a profiler.
    #[arg(long)]
    only: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let inputs = input::all(arguments.captures.as_deref())?;
    if let Some(name) = &arguments.only {
        return profile(name, inputs, arguments.megabytes);
    }
    for input in inputs {
        let once = input.bytes.len();
        let bytes = repeated(&input, arguments.megabytes);
        let found = agreed(&bytes)?;
        println!(
            "\n{}: {once} bytes, repeated to {} MB with {} telegrams and {} registers; median of {} rounds",
            input.name,
            bytes.len() / 1_000_000,
            found.telegrams,
            found.registers,
            arguments.rounds,
        );
        print_table(&measured(&bytes, arguments.rounds), bytes.len(), found);
    }
    Ok(())
}

fn profile(name: &str, inputs: Vec<Input>, megabytes: u32) -> Result<(), Box<dyn Error>> {
    let contender = ALL.iter().find(|contender| contender.name == name);
    let contender = contender.ok_or_else(|| {
        let names = ALL.map(|contender| contender.name).join(", ");
        format!("there is no contender {name}; there are: {names}")
    })?;
    for input in inputs {
        let found = (contender.decode)(&repeated(&input, megabytes), &mut Reading::new(false));
        println!("{}: {found:?}", input.name);
    }
    Ok(())
}

fn repeated(input: &Input, megabytes: u32) -> Vec<u8> {
    let wanted = megabytes as usize * 1_000_000;
    input.bytes.repeat(wanted.div_ceil(input.bytes.len()))
}

/// One round of each, unmeasured: all must find the same, and ours must not allocate.
fn agreed(bytes: &[u8]) -> Result<Found, String> {
    let mut reading = Reading::new(true);
    let mut agreed: Option<(&str, Found)> = None;
    for Contender { name, decode } in &ALL {
        let before = allocations();
        let Some(found) = decode(bytes, &mut reading) else {
            continue;
        };
        let allocated = allocations() - before;
        println!(
            "{name}: {allocated} allocations in {} telegrams",
            found.telegrams
        );
        if *name == OURS && allocated > 0 {
            return Err(format!("{name} must not allocate"));
        }
        match agreed {
            Some((other, expected)) if expected != found => {
                return Err(format!(
                    "{name} finds {found:?}, but {other} finds {expected:?}"
                ));
            }
            _ => agreed = Some((name, found)),
        }
    }
    agreed
        .map(|(_, found)| found)
        .filter(|found| found.registers > 0)
        .ok_or_else(|| "no telegrams to decode".into())
}

/// The median time of each contender.
fn measured(bytes: &[u8], rounds: u32) -> Vec<(&'static str, Duration)> {
    let mut reading = Reading::new(false);
    let mut times = ALL.map(|contender| (contender, Vec::new()));
    for _ in 0..rounds {
        for (contender, times) in &mut times {
            let start = processor_time();
            std::hint::black_box((contender.decode)(bytes, &mut reading));
            times.push(processor_time().saturating_sub(start));
        }
    }
    times
        .into_iter()
        .map(|(contender, mut times)| {
            times.sort_unstable();
            let median = times.get(times.len() / 2).copied();
            (contender.name, median.unwrap_or_default())
        })
        .collect()
}

/// How long this thread has been at work, so that other programs disturb less.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn print_table(times: &[(&str, Duration)], bytes: usize, found: Found) {
    let baseline = times.iter().find(|(name, _)| *name == BASELINE);
    println!("| decoder | MB/s | ns per telegram | ratio to {BASELINE} |");
    println!("|---|---|---|---|");
    for (name, time) in times {
        let seconds = time.as_secs_f64();
        println!(
            "| {name} | {:.0} | {:.0} | {:.2} |",
            bytes as f64 / seconds / 1e6,
            seconds * 1e9 / found.telegrams as f64,
            baseline.map_or(f64::NAN, |(_, baseline)| baseline.as_secs_f64() / seconds),
        );
    }
}
