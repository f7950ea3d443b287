//! How fast readings go through the journal: a long recording, read as fast as it is taken.

use std::fs;
use std::time::{Duration, Instant};

use meter_sim::{Meter, MeterConfig, model};

use crate::server::{Server, different};
use crate::usage::{peak_memory, processor_time};
use crate::{Failure, Verdict, start};

/// What is measured.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many readings.
    #[arg(long, default_value_t = 20_000)]
    readings: u32,
    /// How many of them go into one POST.
    #[arg(long, default_value_t = 500)]
    batch: u32,
}

/// Replays a recording and prints how fast it was stored and delivered.
pub async fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let folder = tempfile::tempdir()?;
    let recording = folder.path().join("recording.bin");
    let mut meter = Meter::new(model::find("iskra-mt691")?, &MeterConfig::default());
    let mut bytes = Vec::new();
    for _ in 0..arguments.readings {
        bytes.extend(meter.telegram().bytes);
    }
    fs::write(&recording, bytes)?;

    let server = Server::start()?;
    let input = format!("type = \"file\"\npath = {recording:?}\ninterval = \"every\"");
    let output = format!("interval = \"every\"\nbatch_size = {}", arguments.batch);
    let config = server.configure(folder.path(), &input, &output)?;
    let begin = Instant::now();
    let daemon = start(folder.path(), &config)?;
    let wanted = arguments.readings as usize;
    server.wait_for(wanted, Duration::from_secs(10)).await;
    let arrived = server.arrived();
    let last = arrived.iter().map(|reading| reading.at).max();
    let used = processor_time(daemon.id())?;
    let memory = peak_memory(daemon.id())?;
    daemon.stop()?;

    let delivered = different(&arrived).len();
    let lost = wanted.saturating_sub(delivered);
    let time = last.map_or(Duration::ZERO, |last| last.duration_since(begin));
    println!(
        "{wanted} readings from a recording, {} a POST",
        arguments.batch
    );
    println!(
        "stored and delivered         {:8.0} a second",
        delivered as f64 / time.as_secs_f64()
    );
    println!(
        "processor time per reading   {:8.3} ms",
        used.as_secs_f64() * 1000.0 / wanted as f64
    );
    println!("peak memory                  {memory:8.1} MiB");
    println!("readings lost                {lost:8}");
    Ok(if lost == 0 {
        Verdict::AsItMustBe
    } else {
        Verdict::Not
    })
}
