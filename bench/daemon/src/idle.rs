//! What it costs to do nothing but the job: to HTTPS, and by MQTT beside a peer.

use std::collections::VecDeque;
use std::fs;
use std::time::Duration;

use rig::Head;
use rig::server::{Hearing, Message, Mosquitto};
use serde_json::Value;

use crate::meter::{Sent, head, input, send};
use crate::server::{Server, different};
use crate::sml2mqtt::Sml2mqtt;
use crate::usage::{peak_memory, processor_time};
use crate::{Failure, Verdict, configure, start};

/// What is measured.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many telegrams.
    #[arg(long, default_value_t = 300)]
    telegrams: u32,
    /// How many of them a second.
    #[arg(long, default_value_t = 5)]
    rate: u32,
    /// Only the way to a server by HTTPS, or by MQTT beside the peer. Both unless set.
    #[arg(long)]
    output: Option<Output>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Rest,
    Mqtt,
}

/// Telegrams before the measurement: connections are made and caches are warm.
const WARM_UP: u32 = 10;

/// How long the last message may take.
const LATE: Duration = Duration::from_secs(3);

/// How long a peer may take until it reads.
const START: Duration = Duration::from_secs(20);

/// What a program took for its telegrams.
struct Measured {
    who: &'static str,
    /// Processor time per telegram, in ms.
    processor: f64,
    /// Peak memory, in MiB.
    memory: f64,
    /// From the last byte to the other side, in ms: the median and what 99 % stay below.
    median: f64,
    most: f64,
    lost: usize,
}

/// What vzlogger 0.8.10 took by MQTT, of the same telegrams on this class of machine: to be stayed below.
const WANTED: Measured = Measured {
    who: "wanted: less than vzlogger's",
    processor: 0.5,
    memory: 12.5,
    median: 0.7,
    most: f64::INFINITY,
    lost: 0,
};

/// Sends telegrams at an even pace and prints what the daemon took for them.
pub async fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    println!(
        "{} telegrams, {} a second, over a pty, journal on\n",
        arguments.telegrams, arguments.rate
    );
    println!(
        "|  | processor time per telegram | peak memory | last byte to server, median | 99 % | lost |"
    );
    println!("|---|---|---|---|---|---|");
    let mut lost = 0;
    if arguments.output != Some(Output::Mqtt) {
        let measured = rest(arguments).await?;
        measured.print();
        lost += measured.lost;
    }
    if arguments.output != Some(Output::Rest) {
        let ours = mqtt(arguments).await?;
        ours.print();
        lost += ours.lost;
        match peer(arguments).await {
            Ok(peer) => {
                peer.print();
                WANTED.print();
                compare(&ours, &peer);
            }
            Err(why) => {
                WANTED.print();
                println!("\nsml2mqtt was not measured: {why}");
            }
        }
        compare(&ours, &WANTED);
    }
    Ok(if lost == 0 {
        Verdict::AsItMustBe
    } else {
        Verdict::Not
    })
}

async fn rest(arguments: &Arguments) -> Result<Measured, Failure> {
    let folder = tempfile::tempdir()?;
    let pace = arguments.pace();
    let mut meter = head(pace)?;
    let server = Server::start()?;
    let config = server.configure(folder.path(), &input(&meter), "interval = \"every\"")?;
    let daemon = start(folder.path(), &config)?;

    let warm_up = send(&mut meter, WARM_UP, pace).await?;
    let before = processor_time(daemon.id())?;
    let mut sent = send(&mut meter, arguments.telegrams, pace).await?;
    let used = processor_time(daemon.id())?.saturating_sub(before);
    sent.splice(0..0, warm_up);
    server.wait_for(sent.len(), LATE).await;
    let memory = peak_memory(daemon.id())?;
    daemon.stop()?;

    let arrived = server.arrived();
    // Readings arrive in the order of their telegrams, unless some are lost or doubled: then there is nothing to pair.
    let latencies = sent
        .iter()
        .zip(&arrived)
        .filter(|(sent, arrived)| sent.import == arrived.import)
        .map(|(sent, arrived)| arrived.at.saturating_duration_since(sent.at));
    Ok(Measured::new(
        "meterline, HTTPS",
        used / arguments.telegrams.max(1),
        memory,
        latencies.collect(),
        sent.len().saturating_sub(different(&arrived).len()),
    ))
}

async fn mqtt(arguments: &Arguments) -> Result<Measured, Failure> {
    let folder = tempfile::tempdir()?;
    let broker = Mosquitto::start(folder.path())?;
    let hearing = broker.hear()?;
    let mut meter = head(arguments.pace())?;
    let output = format!(
        "type = \"mqtt\"\nurl = \"mqtt://localhost:{}\"\nallow_insecure = true\ninterval = \"every\"",
        broker.port()
    );
    let config = configure(folder.path(), &input(&meter), &output)?;
    let daemon = start(folder.path(), &config)?;
    let measured = heard(
        arguments,
        &mut meter,
        daemon.id(),
        &hearing,
        &Source::METERLINE,
    )
    .await?;
    daemon.stop()?;
    Ok(measured)
}

async fn peer(arguments: &Arguments) -> Result<Measured, Failure> {
    let folder = tempfile::tempdir()?;
    let broker = Mosquitto::start(folder.path())?;
    let hearing = broker.hear()?;
    let mut meter = head(arguments.pace())?;
    let id: String = meter
        .meter()
        .server_id()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let mut program = Sml2mqtt::start(folder.path(), meter.port(), &id, broker.port())?;
    if !begins(&mut program, &mut meter, &hearing).await? {
        let said = fs::read_to_string(folder.path().join("sml2mqtt.out"))?;
        return Err(format!("it publishes nothing; it says:\n{said}").into());
    }
    heard(
        arguments,
        &mut meter,
        program.id(),
        &hearing,
        &Source::SML2MQTT,
    )
    .await
}

/// It says nothing when it is ready, so it gets telegrams until something of them is heard.
async fn begins(
    program: &mut Sml2mqtt,
    meter: &mut Head,
    hearing: &Hearing,
) -> Result<bool, Failure> {
    let pace = Duration::from_millis(200);
    for _ in 0..START.as_millis() / pace.as_millis() {
        if !program.runs() {
            return Ok(false);
        }
        send(meter, 1, pace).await?;
        let mut heard = std::iter::from_fn(|| hearing.next(Duration::ZERO));
        if heard.any(|it| it.topic == Source::SML2MQTT.topic) {
            // What is still on its way.
            while hearing.next(Duration::from_secs(1)).is_some() {}
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where a program says a telegram's counter of imported energy.
struct Source {
    who: &'static str,
    topic: &'static str,
    import: fn(&str) -> Option<String>,
}

impl Source {
    const METERLINE: Self = Self {
        who: "meterline, MQTT QoS 1",
        topic: "meterline/",
        import: |payload| {
            let reading: Value = serde_json::from_str(payload).ok()?;
            let mut registers = reading.get("registers")?.as_array()?.iter();
            let import = registers.find(|it| it["obis"] == "1-0:1.8.0*255")?;
            Some(import["value"].to_string())
        },
    };
    const SML2MQTT: Self = Self {
        who: "sml2mqtt 3.7.0, MQTT QoS 1",
        topic: "sml2mqtt/meter/import",
        import: |payload| Some(payload.to_owned()),
    };
}

async fn heard(
    arguments: &Arguments,
    meter: &mut Head,
    process: u32,
    hearing: &Hearing,
    source: &Source,
) -> Result<Measured, Failure> {
    let pace = arguments.pace();
    let warm_up = send(meter, WARM_UP, pace).await?;
    let before = processor_time(process)?;
    let mut sent = send(meter, arguments.telegrams, pace).await?;
    let used = processor_time(process)?.saturating_sub(before);
    sent.splice(0..0, warm_up);
    let messages = std::iter::from_fn(|| hearing.next(LATE));
    let arrived: Vec<_> = messages
        .filter(|message| message.topic.starts_with(source.topic))
        .filter_map(|message| Some(((source.import)(&message.payload)?, message)))
        .collect();
    let (latencies, lost) = pair(&sent, arrived.into());
    Ok(Measured::new(
        source.who,
        used / arguments.telegrams.max(1),
        peak_memory(process)?,
        latencies,
        lost,
    ))
}

/// How long each telegram took until its counter was heard, and how many never were.
fn pair(sent: &[Sent], mut arrived: VecDeque<(String, Message)>) -> (Vec<Duration>, usize) {
    let mut latencies = Vec::new();
    for telegram in sent {
        let number: Option<f64> = telegram.import.parse().ok();
        let is_same = |(import, _): &(String, Message)| import.parse().ok() == number;
        let Some(index) = arrived.iter().position(is_same) else {
            continue;
        };
        if let Some((_, message)) = arrived.drain(..=index).next_back() {
            latencies.push(message.at.saturating_duration_since(telegram.at));
        }
    }
    let lost = sent.len() - latencies.len();
    (latencies, lost)
}

impl Arguments {
    fn pace(&self) -> Duration {
        Duration::from_secs(1) / self.rate.max(1)
    }
}

impl Measured {
    fn new(
        who: &'static str,
        processor: Duration,
        memory: f64,
        mut latencies: Vec<Duration>,
        lost: usize,
    ) -> Self {
        latencies.sort_unstable();
        Self {
            who,
            processor: milliseconds(processor),
            memory,
            median: milliseconds(quantile(&latencies, 0.5)),
            most: milliseconds(quantile(&latencies, 0.99)),
            lost,
        }
    }

    fn print(&self) {
        let Self {
            who,
            processor,
            memory,
            median,
            most,
            lost,
        } = self;
        let most = if most.is_finite() {
            format!("{most:.2} ms")
        } else {
            String::new()
        };
        println!(
            "| {who} | {processor:.3} ms | {memory:.1} MiB | {median:.2} ms | {most} | {lost} |"
        );
    }
}

/// Says what part the first one takes of what the other does.
fn compare(ours: &Measured, theirs: &Measured) {
    println!(
        "\n{} / {}: processor time {:.2}, memory {:.2}, latency {:.2}",
        ours.who,
        theirs.who,
        ours.processor / theirs.processor,
        ours.memory / theirs.memory,
        ours.median / theirs.median
    );
}

fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let index = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
