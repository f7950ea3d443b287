//! The stage of the demo: meters, server, gateway, and the books over all of it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meter_gateway::config::Config;
use meter_gateway::run::Snapshot;
use meter_sim::backend::{self, Answer, Backend, Behaviour, Received};
use meter_sim::serve::{self, Feed, Running, Sent, Timing};
use meter_sim::{Faults, Line, Meter, MeterConfig, Model};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

use super::ledger::{Balance, Ledger, Posting};
use crate::failure::Failure;
use crate::gateway::Watched;
use crate::sim::serial;

/// Without `--for` the outage begins after this.
const OUTAGE_AFTER: Duration = Duration::from_secs(10);

/// How long the backlog may take to arrive once the meters have stopped.
const PATIENCE: Duration = Duration::from_secs(30);

/// Name of the only output.
pub const OUTPUT: &str = "demo";

/// Peak power of the solar roof over the first meter, in watts.
const PV_PEAK: u32 = 9800;

/// What is to happen.
#[derive(Debug)]
pub struct Plan {
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
    backend: Backend,
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
    /// Readings that arrived a second time.
    pub duplicates: usize,
    /// What arrived and was never sent.
    pub wrong: usize,
}

impl Scene {
    /// Sets everything up and lets it run.
    pub fn open(plan: &Plan) -> Result<Self, Failure> {
        let scratch = tempfile::Builder::new()
            .prefix("meterline-demo-")
            .tempdir()
            .map_err(Failure::Scratch)?;
        let backend = Backend::start(backend::Config::default()).map_err(Failure::Backend)?;
        if let Some(every) = plan.refuse_every {
            backend.set_behaviour(refusing(every));
        }
        let mut meters = Vec::new();
        let mut titles = HashMap::new();
        for (index, model) in plan.models.iter().enumerate() {
            let meter = meter(plan, index, model);
            titles.insert(meter.server_id().to_vec(), model.title.clone());
            let timing = Timing::real(&meter);
            let mut feed = Feed::new(meter, Line::new(Faults::NONE, plan.seed));
            let sent = feed.watch();
            meters.push((
                serve::pty(feed, timing, None).map_err(Failure::Serve)?,
                sent,
            ));
        }
        let config = configure(scratch.path(), &meters, &backend)?;
        let gateway = Watched::start(config, scratch.path().join("state"));
        Ok(Self {
            meters,
            backend,
            gateway,
            ledger: Ledger::default(),
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

    /// The address of the server.
    pub fn address(&self) -> String {
        self.backend.url("")
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
        self.backend.outage(away).await;
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
        for request in self
            .backend
            .take_received()
            .iter()
            .filter(|request| request.accepted())
        {
            for reading in request.readings() {
                match self.ledger.arrived(reading) {
                    Posting::Right => {}
                    Posting::Duplicate => news.duplicates += 1,
                    Posting::Wrong => news.wrong += 1,
                }
            }
            news.arrivals.push(who(request));
        }
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
        let rejected = self
            .gateway
            .snapshots
            .borrow()
            .outputs
            .get(OUTPUT)
            .map_or(0, |output| output.rejected);
        self.balance().missing() <= rejected
    }
}

/// How many readings, of which meters.
fn who(request: &Received) -> (usize, Vec<String>) {
    let readings = request.readings();
    let id = |reading: &serde_json::Value| Some(reading.get("meter_id")?.as_str()?.to_owned());
    let mut ids: Vec<String> = readings.iter().filter_map(id).collect();
    ids.sort();
    ids.dedup();
    (readings.len(), ids)
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

/// Writes the configuration as a person would, and reads it as the program does.
fn configure(
    scratch: &Path,
    meters: &[(Running, UnboundedReceiver<Sent>)],
    backend: &Backend,
) -> Result<Config, Failure> {
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |source| Failure::Unwritable { path, source }
    };
    let ca_file = scratch.join("ca.pem");
    std::fs::write(&ca_file, backend.ca_pem()).map_err(unwritable(&ca_file))?;
    let inputs = meters.iter().enumerate().map(|(index, (meter, _))| {
        let (number, port) = (index + 1, meter.address());
        format!(
            "[input.meter-{number}]\ntype = \"serial\"\nport = \"{port}\"\ninterval = \"every\"\n\n"
        )
    });
    let output = format!(
        "[output.{OUTPUT}]\ntype = \"rest\"\nurl = {:?}\nformat = \"json\"\nca_file = {:?}\n\
         retry_first = \"500ms\"\nretry_max = \"2s\"\n",
        backend.url("/readings"),
        ca_file.display().to_string(),
    );
    let text = inputs.collect::<Vec<_>>().concat() + &output;
    let path = scratch.join("meterline.toml");
    std::fs::write(&path, text).map_err(unwritable(&path))?;
    meter_gateway::config::load(&path).map_err(Failure::Configuration)
}
