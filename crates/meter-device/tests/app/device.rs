//! The device in its world: switched on and off, with a meter that sends.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use meter_device::app::{self, Parts};
use meter_device::board::Start;
use meter_device::settings::Settings;
use meter_device::settings::{SCRATCH, Store};
use meter_sim::{Meter, MeterConfig, Telegram, model};
use serde_json::Value;
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, WriteHalf, duplex, split,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep_until};

use crate::flash::Flash;
use crate::world::{Air, BUILT, Canvas, Display, Net, Silicon, Simulated, Time, World};

/// Sectors of the outbox in these tests.
pub const SECTORS: usize = 88;

/// A device that outlives its power.
pub struct Device {
    pub world: Rc<World>,
    pub settings: Flash,
    pub ring: Flash,
    pub outbox: Flash,
    pub meter: Meter,
    /// What the meter counted, by the time of its telegram in seconds since the beginning.
    pub sent: BTreeMap<u64, Telegram>,
    pub running: Option<Running>,
}

/// One run of the device.
pub struct Running {
    application: JoinHandle<()>,
    head: DuplexStream,
    console: Console,
}

/// Whoever sits at the console.
struct Console {
    typed: WriteHalf<DuplexStream>,
    answers: UnboundedReceiver<Value>,
    log: JoinHandle<String>,
}

impl Console {
    fn new(line: DuplexStream) -> Self {
        let (printed, typed) = split(line);
        let (sender, answers) = unbounded_channel();
        let log = spawn_local(async move {
            let mut lines = BufReader::new(printed).lines();
            let mut log = String::new();
            while let Ok(Some(line)) = lines.next_line().await {
                if line.starts_with('{') {
                    // Nobody may wait for it.
                    let _ = sender.send(serde_json::from_str(&line).unwrap());
                } else {
                    log.push_str(&line);
                    log.push('\n');
                }
            }
            log
        });
        Self {
            typed,
            answers,
            log,
        }
    }
}

impl Device {
    /// With settings, switched off.
    pub async fn new(settings: &str) -> Self {
        let flash = Flash::new(4);
        let settings = Settings::from_json(settings.as_bytes()).unwrap();
        Store::new(flash.clone())
            .unwrap()
            .save(&settings, &mut [0; SCRATCH])
            .await
            .unwrap();
        Self {
            world: World::new(),
            settings: flash,
            ring: Flash::new(4),
            outbox: Flash::new(SECTORS),
            meter: Meter::new(model::find("iskra-mt691").unwrap(), &MeterConfig::default()),
            sent: BTreeMap::new(),
            running: None,
        }
    }

    /// With settings of a REST output.
    pub async fn rest() -> Self {
        Self::asking(&["first.example", "second.example"]).await
    }

    /// The same with other time servers.
    pub async fn asking(servers: &[&str]) -> Self {
        Self::new(&format!(
            r#"{{"version":1,"name":"cellar","wifi":[{{"ssid":"cellar","password":"eight or more"}}],
                "time":{{"servers":{servers:?}}},
                "output":{{"rest":{{"url":"https://example.org/api/v1/token/telemetry"}}}}}}"#,
        ))
        .await
    }

    pub fn switch_on(&mut self, started: Start, words: Option<&'static str>) {
        let clock = Instant::now();
        let (head, line) = duplex(4096);
        let (console, operator) = duplex(64 * 1024);
        let (keyboard, paper) = split(console);
        let world = &self.world;
        let parts = Parts::<Simulated> {
            time: Time(clock),
            radio: Air(Rc::clone(world)),
            network: Net(Rc::clone(world)),
            settings: self.settings.clone(),
            ring: self.ring.clone(),
            outbox: self.outbox.clone(),
            head: FromTokio::new(line),
            keyboard: FromTokio::new(keyboard),
            paper: FromTokio::new(paper),
            screen: Display {
                world: Rc::clone(world),
                canvas: Canvas::new(),
            },
            chip: Silicon {
                world: Rc::clone(world),
                started,
                words,
                random: 7,
            },
            built: BUILT,
            version: "0.0.0",
        };
        let application = spawn_local(app::run::<_, SECTORS>(parts));
        self.running = Some(Running {
            application,
            head,
            console: Console::new(operator),
        });
    }

    /// Cuts the power, and returns what the console said.
    pub async fn switch_off(&mut self) -> String {
        let Some(running) = self.running.take() else {
            return String::new();
        };
        running.application.abort();
        // It is aborted, which is what was asked for.
        let _ = running.application.await;
        drop(running.console.typed);
        running.console.log.await.unwrap()
    }

    /// Types a line into the console, and returns the answer.
    pub async fn ask(&mut self, line: &str) -> Value {
        let console = &mut self.running.as_mut().unwrap().console;
        let line = format!("{line}\n");
        console.typed.write_all(line.as_bytes()).await.unwrap();
        console.answers.recv().await.unwrap()
    }

    /// Lets the meter send each second for so long.
    pub async fn run(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            let telegram = self.meter.telegram();
            let second = self.world.start.elapsed().as_secs();
            if let Some(running) = &mut self.running {
                // As fast as a line of 9600 baud.
                for piece in telegram.bytes.chunks(96) {
                    running.head.write_all(piece).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                self.sent.insert(second, telegram);
            }
            let next = self.world.start + Duration::from_secs(second + 1);
            sleep_until(next).await;
        }
    }

    /// Readings that servers have acknowledged, with their times in seconds since the beginning, each
    /// compared with what the meter had counted then.
    pub fn arrived(&self) -> Vec<u64> {
        self.taken(true)
    }

    /// Readings that servers have, acknowledged or not.
    pub fn taken(&self, only_acknowledged: bool) -> Vec<u64> {
        let received = self.world.received.borrow();
        let posts = received
            .iter()
            .filter(|post| post.acknowledged || !only_acknowledged);
        posts.flat_map(|post| self.check(&post.body)).collect()
    }

    fn check(&self, body: &str) -> Vec<u64> {
        let value: Value = serde_json::from_str(body).unwrap();
        let readings = match value {
            Value::Array(readings) => readings,
            one => vec![one],
        };
        readings
            .iter()
            .map(|reading| self.compare(reading))
            .collect()
    }

    /// The second at which the meter had counted what the reading says.
    fn compare(&self, reading: &Value) -> u64 {
        let said = reading["values"]["1.8.0_Wh"].to_string();
        let time = reading["ts"].as_i64().unwrap();
        let at = time - crate::world::BEGIN.0;
        let second = u64::try_from(at / 1000).unwrap();
        // A telegram takes up to a second to arrive.
        let counted = (second.saturating_sub(1)..=second).find(|second| {
            self.sent.get(second).is_some_and(|telegram| {
                let register = telegram.register("1-0:1.8.0*255".parse().unwrap());
                register.unwrap().value.to_string() == said
            })
        });
        counted.unwrap_or_else(|| panic!("nothing was counted like {reading} at {second} s"))
    }
}
