//! The stage of the demo: meters, gateway, the other end, and the books over all of it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meter_gateway::config::Config;
use meter_gateway::output;
use meter_gateway::run::Snapshot;
use meter_sim::backend::{Answer, Behaviour};
use meter_sim::serve::{self, Feed, Running, Sent, Timing};
use meter_sim::{Faults, Line, Meter, MeterConfig, Model};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

use super::OUTPUT;
use super::goal::{Goal, Kind, Login};
use super::ledger::{Balance, Ledger, Posting};
use super::witness::Witness;
use super::witness::middleware::CHANNELS;
use crate::failure::Failure;
use crate::gateway::Watched;
use crate::sim::serial;

/// Without `--for` the outage begins after this.
const OUTAGE_AFTER: Duration = Duration::from_secs(10);

/// How long the backlog may take to arrive once the meters have stopped.
const PATIENCE: Duration = Duration::from_secs(30);

/// Peak power of the solar roof over the first meter, in watts.
const PV_PEAK: u32 = 9800;

/// What is to happen.
#[derive(Debug)]
pub struct Plan {
    /// Which output.
    pub output: Kind,
    /// Where it sends, unless where one would look first.
    pub to: Option<String>,
    /// Who logs in there.
    pub login: Login,
    /// The meters.
    pub models: Vec<Arc<Model>>,
    /// For the households.
    pub seed: u64,
    /// When it ends by itself.
    pub time: Option<Duration>,
    /// How long the server is away.
    pub outage: Option<Duration>,
    /// Which readings the server refuses.
    pub refuse_every: Option<u64>,
}

impl Plan {
    /// How many meters there are, in words.
    pub fn meters(&self) -> String {
        match self.models.len() {
            1 => "1 meter".to_owned(),
            several => format!("{several} meters"),
        }
    }
}

/// Everything that runs.
pub struct Scene {
    meters: Vec<(Running, UnboundedReceiver<Sent>)>,
    goal: Goal,
    witness: Witness,
    gateway: Watched,
    ledger: Ledger,
    titles: HashMap<Vec<u8>, String>,
    started: Instant,
    outage: Option<(Duration, Duration)>,
    away: bool,
    away_since: Instant,
    /// How long the server was away, all in all.
    away_time: Duration,
    /// Holds configuration and journal; the directory goes with it.
    _scratch: TempDir,
}

/// What has happened since the last look.
#[derive(Debug, Default)]
pub struct News {
    /// The server has been taken away (`true`) or brought back.
    pub server: Option<bool>,
    /// What arrived: how many readings of which meters.
    pub arrivals: Vec<(usize, Vec<String>)>,
    /// How many the server has acknowledged, where nobody sees them arrive.
    pub acknowledged: u64,
    /// Readings that arrived a second time.
    pub duplicates: usize,
    /// What arrived and was never sent.
    pub wrong: usize,
}

impl Scene {
    /// Sets everything up and lets it run.
    pub async fn open(plan: &Plan) -> Result<Self, Failure> {
        let scratch = tempfile::Builder::new()
            .prefix("meterline-demo-")
            .tempdir()
            .map_err(Failure::Scratch)?;
        let mut meters = Vec::new();
        let mut titles = HashMap::new();
        for (index, model) in plan.models.iter().enumerate() {
            let meter = meter(plan, index, model);
            titles.insert(meter.server_id().to_vec(), model.title.clone());
            let timing = Timing::real(&meter);
            let mut feed = Feed::new(meter, Line::new(Faults::NONE, plan.seed));
            let sent = feed.watch();
            // When the meters have gone, the gateway must not find the next one to have their terminal.
            let link = scratch.path().join(format!("meter-{}", index + 1));
            let running = serve::pty(feed, timing, Some(&link)).map_err(Failure::Serve)?;
            meters.push((running, sent));
        }
        let (goal, witness, config) = set_up(plan, scratch.path(), &meters).await?;
        let gateway = Watched::start(config, scratch.path().join("state"));
        let ledger = match plan.output {
            Kind::Volkszaehler => {
                let codes = CHANNELS.map(|(register, _)| format!("1-0:{register}*255"));
                Ledger::of_registers(codes.into())
            }
            _ => Ledger::default(),
        };
        Ok(Self {
            meters,
            goal,
            witness,
            gateway,
            ledger,
            titles,
            started: Instant::now(),
            outage: plan.outage.map(|outage| {
                let begin = plan.time.map_or(OUTAGE_AFTER, |time| time / 3);
                (begin, begin + outage)
            }),
            away: false,
            away_since: Instant::now(),
            away_time: Duration::ZERO,
            _scratch: scratch,
        })
    }

    /// How long it has been running.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Where readings go.
    pub fn goal(&self) -> &Goal {
        &self.goal
    }

    /// Whether the server is away, and for how much longer.
    pub fn away_for(&self) -> Option<Duration> {
        let (_, end) = self.outage.filter(|_| self.away)?;
        Some(end.saturating_sub(self.elapsed()))
    }

    /// What the gateway says of itself.
    pub fn snapshot(&self) -> Snapshot {
        self.gateway.snapshots.borrow().clone()
    }

    /// Maker and model of a meter.
    pub fn title(&self, server_id: &[u8]) -> Option<String> {
        self.titles.get(server_id).cloned()
    }

    /// The books.
    pub fn balance(&self) -> Balance {
        self.ledger.balance()
    }

    /// Whether the gateway has ended, which it never should.
    pub fn has_failed(&self) -> bool {
        self.gateway.has_ended()
    }

    /// Lets happen what is due, and takes down what has happened.
    pub async fn step(&mut self) -> News {
        let mut news = News::default();
        if let Some((begin, end)) = self.outage {
            let wanted = (begin..end).contains(&self.elapsed());
            if wanted != self.away {
                self.set_away(wanted).await;
                news.server = Some(wanted);
            }
        }
        self.take_down(&mut news);
        news
    }

    async fn set_away(&mut self, away: bool) {
        if let Some(server) = self.witness.server() {
            server.outage(away).await;
        }
        self.away = away;
        if away {
            self.away_since = Instant::now();
        } else {
            self.away_time += self.away_since.elapsed();
        }
    }

    fn take_down(&mut self, news: &mut News) {
        // What was sent first: nothing can arrive before.
        for (_, sent) in &mut self.meters {
            while let Ok(sent) = sent.try_recv() {
                self.ledger.sent(&sent.telegram);
            }
        }
        let Some(arrivals) = self.witness.arrivals() else {
            let delivered = self.delivered(|output| output.delivered);
            let before = self.ledger.balance();
            news.acknowledged = delivered - (before.arrived + before.duplicates).min(delivered);
            self.ledger.acknowledged(delivered);
            return;
        };
        for readings in arrivals.iter().filter(|readings| !readings.is_empty()) {
            for reading in readings {
                match self.ledger.arrived(reading) {
                    Posting::Right => {}
                    Posting::Duplicate => news.duplicates += 1,
                    Posting::Wrong => news.wrong += 1,
                }
            }
            news.arrivals.push((readings.len(), who(readings)));
        }
    }

    /// A number of the output's status.
    fn delivered(&self, number: impl FnOnce(&output::Status) -> u64) -> u64 {
        let snapshot = self.gateway.snapshots.borrow();
        snapshot.outputs.get(OUTPUT).map_or(0, number)
    }

    /// Stops the meters, waits until everything has arrived, stops the rest, and gives the books,
    /// and how long the server was away.
    pub async fn close(mut self) -> Result<(Balance, Duration), Failure> {
        if self.away {
            self.set_away(false).await;
        }
        for (meter, sent) in std::mem::take(&mut self.meters) {
            meter.stop().await.map_err(Failure::Serve)?;
            let mut sent = sent;
            while let Ok(sent) = sent.try_recv() {
                self.ledger.sent(&sent.telegram);
            }
        }
        let patience = Instant::now() + PATIENCE;
        while !self.is_done() && Instant::now() < patience && !self.gateway.has_ended() {
            self.take_down(&mut News::default());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.gateway.stop().await?;
        Ok((self.ledger.balance(), self.away_time))
    }

    /// Nothing more will arrive: everything has, or has been refused for good.
    fn is_done(&self) -> bool {
        self.balance().missing() <= self.delivered(|output| output.rejected)
    }
}

/// Of which meters readings are.
fn who(readings: &[Value]) -> Vec<String> {
    let id = |reading: &Value| Some(reading.get("meter_id")?.as_str()?.to_owned());
    let mut ids: Vec<String> = readings.iter().filter_map(id).collect();
    ids.sort();
    ids.dedup();
    ids
}

fn meter(plan: &Plan, index: usize, model: &Arc<Model>) -> Meter {
    let config = MeterConfig {
        seed: plan.seed.wrapping_add(index as u64),
        pv_peak_w: if index == 0 { PV_PEAK } else { 0 },
        serial: serial(&plan.models, index),
        ..MeterConfig::default()
    };
    Meter::new(Arc::clone(model), &config)
}

/// Refuses every Nth reading that it sees for the first time.
fn refusing(every: u64) -> Behaviour {
    let seen = std::sync::Mutex::new((0, HashMap::new()));
    Behaviour::refusing(move |reading| {
        let mut seen = seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (count, verdicts) = &mut *seen;
        let refused = *verdicts.entry(reading.to_string()).or_insert_with(|| {
            *count += 1;
            *count % every.max(1) == 0
        });
        refused.then(|| Answer::status(422).body("refused, as --refuse-every asks"))
    })
}

/// Makes the other end and the configuration for it.
async fn set_up(
    plan: &Plan,
    scratch: &Path,
    meters: &[(Running, UnboundedReceiver<Sent>)],
) -> Result<(Goal, Witness, Config), Failure> {
    let (kind, to) = (plan.output, plan.to.as_deref());
    if kind.is_brought_along() {
        let first = plan.models.first().map(|model| meter(plan, 0, model));
        let witness = Witness::bring_along(kind, first.as_ref().map_or(&[], Meter::server_id))?;
        let goal = brought_along(plan, &witness, scratch)?;
        let config = configure(scratch, meters, &goal)?;
        return Ok((goal, witness, config));
    }
    let goal = match kind {
        Kind::Csv | Kind::Jsonl => Goal::files(kind, to, scratch)?,
        _ => Goal::server(kind, to, &plan.login),
    };
    goal.is_right()?;
    let config = configure(scratch, meters, &goal)?;
    goal.is_ready(&config).await?;
    let witness = Witness::of(&goal, &config).await?;
    Ok((goal, witness, config))
}

fn brought_along(plan: &Plan, witness: &Witness, scratch: &Path) -> Result<Goal, Failure> {
    let (mut address, ca_file) = (String::new(), scratch.join("ca.pem"));
    if let Some(server) = witness.server() {
        write(&ca_file, &server.ca_pem())?;
        address = server.url(path(plan.output));
        if let Some(every) = plan.refuse_every {
            server.set_behaviour(refusing(every));
        }
    }
    Ok(Goal::brought_along(plan.output, address, &ca_file))
}

fn path(kind: Kind) -> &'static str {
    match kind {
        Kind::Volkszaehler => "/middleware.php",
        _ => "/readings",
    }
}

/// Writes the configuration as a person would, and reads it as the program does.
fn configure(
    scratch: &Path,
    meters: &[(Running, UnboundedReceiver<Sent>)],
    goal: &Goal,
) -> Result<Config, Failure> {
    let inputs = meters.iter().enumerate().map(|(index, (meter, _))| {
        let (number, port) = (index + 1, meter.address());
        format!(
            "[input.meter-{number}]\ntype = \"serial\"\nport = \"{port}\"\ninterval = \"every\"\n\n"
        )
    });
    let text = inputs.collect::<Vec<_>>().concat() + &goal.table;
    let path = scratch.join("meterline.toml");
    write(&path, &text)?;
    meter_gateway::config::load(&path).map_err(Failure::Configuration)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|source| Failure::Unwritable {
        path: path.to_owned(),
        source,
    })
}
