//! What it costs to do nothing but the job.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::daemon::Daemon;
use crate::meter::{Sent, Source};
use crate::server::{Arrived, Server, different};
use crate::{Failure, Verdict};

/// What is measured.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many telegrams.
    #[arg(long, default_value_t = 300)]
    telegrams: u32,
    /// How many of them a second.
    #[arg(long, default_value_t = 5)]
    rate: u32,
}

/// Telegrams before the measurement: connections are made and caches are warm.
const WARM_UP: u32 = 10;

/// Sends telegrams at an even pace and prints what the daemon took for them.
pub async fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let folder = tempfile::tempdir()?;
    let pace = Duration::from_secs(1) / arguments.rate.max(1);
    let mut meter = Source::new(pace)?;
    let server = Server::start()?;
    let input = format!(
        "type = \"serial\"\nport = {:?}\ninterval = \"every\"",
        meter.port
    );
    let config = server.configure(folder.path(), &input, "interval = \"every\"")?;
    let daemon = Daemon::start(folder.path(), &config)?;

    let warm_up = send(&mut meter, WARM_UP, pace).await?;
    let before = daemon.processor_time()?;
    let mut sent = send(&mut meter, arguments.telegrams, pace).await?;
    let used = daemon.processor_time()?.saturating_sub(before);
    sent.splice(0..0, warm_up);
    server.wait_for(sent.len(), Duration::from_secs(3)).await;
    let memory = daemon.peak_memory()?;
    let end = daemon.stop()?;

    let arrived = server.arrived();
    let lost = sent.len().saturating_sub(different(&arrived).len());
    let mut latencies = latencies(&sent, &arrived);
    latencies.sort_unstable();
    println!(
        "{} telegrams, {} a second, over a pty to an HTTPS server, journal on",
        arguments.telegrams, arguments.rate
    );
    println!(
        "processor time per telegram  {:8.3} ms",
        milliseconds(used / arguments.telegrams.max(1))
    );
    println!(
        "peak memory                  {:8.1} MiB",
        memory as f64 / 1024.0
    );
    println!(
        "last byte to POST, median    {:8.2} ms",
        milliseconds(quantile(&latencies, 0.5))
    );
    println!(
        "last byte to POST, 99 %      {:8.2} ms",
        milliseconds(quantile(&latencies, 0.99))
    );
    println!("end after SIGTERM            {:8.1} ms", milliseconds(end));
    println!("readings lost                {lost:8}");
    Ok(if lost == 0 {
        Verdict::AsItMustBe
    } else {
        Verdict::Not
    })
}

/// Sends telegrams, the next one `pace` after the last one was due.
pub async fn send(meter: &mut Source, count: u32, pace: Duration) -> Result<Vec<Sent>, Failure> {
    let start = Instant::now();
    let mut sent = Vec::new();
    for number in 1..=count {
        sent.push(meter.send()?);
        let due = start + pace * number;
        sleep(due.saturating_duration_since(Instant::now())).await;
    }
    Ok(sent)
}

/// From the last byte to the request. Readings arrive in the order of their telegrams, unless
/// some are lost or doubled: then there is nothing to pair.
fn latencies(sent: &[Sent], arrived: &[Arrived]) -> Vec<Duration> {
    let paired = sent.iter().zip(arrived);
    paired
        .filter(|(sent, arrived)| sent.import == arrived.import)
        .map(|(sent, arrived)| arrived.at.saturating_duration_since(sent.at))
        .collect()
}

fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let index = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
