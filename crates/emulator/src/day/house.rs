//! A house with a device: a board that can be switched off, servers, and a meter, all at one pace.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use meter_sim::backend::{Answer, Backend, Behaviour, Config, Connection, Step};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::plan::Fault;
use crate::servers::TimeServer;
use crate::{Board, Result, Setup};

/// The device's simulated Wi-Fi: `SSID` and `PASSWORD` in `firmware/qemu-virt/src/radio.rs`.
const WIFI: [&str; 2] = ["qemu", "let me in 1234"];

/// How late a late answer is, on the house's clock.
const LATE: Duration = Duration::from_secs(12);

/// Beyond what the device waits for.
const FOREVER: Duration = Duration::from_secs(45);

/// The house.
#[derive(Debug)]
pub struct House {
    pace: u32,
    began: Instant,
    /// When the day began by the time servers' clock, in milliseconds since 1970.
    pub began_ms: i64,
    /// The device, while it is switched on.
    pub board: Option<Board>,
    /// Where readings arrive.
    pub server: Server,
    times: [TimeServer; 2],
    plugged_in: bool,
    flash: PathBuf,
    _folder: TempDir,
}

/// The REST server with the threads that it runs on.
pub struct Server {
    runtime: Runtime,
    backend: Backend,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("port", &self.backend.port())
            .finish_non_exhaustive()
    }
}

impl Server {
    fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let config = Config {
            host: "10.0.2.2".to_owned(),
            ..Config::default()
        };
        let backend = runtime.block_on(async { Backend::start(config) })?;
        Ok(Self { runtime, backend })
    }

    /// Its readings that were accepted since the last call.
    pub fn accepted(&self) -> Vec<serde_json::Value> {
        let received = self.backend.take_received();
        let accepted = received.iter().filter(|request| request.accepted());
        accepted
            .flat_map(|request| request.readings().iter().cloned())
            .collect()
    }

    /// How many connections it took.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.backend.connection_count()
    }

    /// How many requests it took.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.backend.request_count()
    }

    fn behave(&self, fault: Fault, pace: u32) {
        let each = |then| Behaviour {
            then,
            ..Behaviour::default()
        };
        let wait = |status| Answer::status(status).header("Retry-After", "20");
        let behaviour = match fault {
            Fault::ServerStalls => Behaviour {
                connection: Connection::Stall,
                then: Step::Stall,
                ..Behaviour::default()
            },
            Fault::ServerCloses => each(Step::Close),
            Fault::ServerResets => each(Step::Reset),
            // Once: who takes readings and never says so, is sent them for ever.
            Fault::AnswerCut => Behaviour::first([Step::CutAnswer]),
            Fault::AnswerLate => Behaviour::first([
                Step::Late(LATE / pace, Answer::status(200)),
                Step::Late(FOREVER / pace, Answer::status(200)),
            ]),
            Fault::Status(status) => Behaviour::always(wait(status)),
            Fault::NoTls => Behaviour::connecting(Connection::GarbageForTls),
            Fault::NoHttp => Behaviour::connecting(Connection::GarbageForHttp),
            _ => Behaviour::accept(),
        };
        self.backend.set_behaviour(behaviour);
    }

    fn go_away(&self, away: bool) {
        self.runtime.block_on(self.backend.outage(away));
    }
}

impl House {
    /// Switches everything on, and sets the device up. `None`, which is said, without firmware.
    pub fn start(pace: u32) -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let flash = folder.path().join("flash");
        let server = Server::start()?;
        let times = [TimeServer::start(pace)?, TimeServer::start(pace)?];
        let mut house = Self {
            pace,
            began: Instant::now(),
            began_ms: times[0].true_time_ms(),
            board: None,
            server,
            times,
            plugged_in: true,
            flash,
            _folder: folder,
        };
        if !house.switch_on()? {
            return Ok(None);
        }
        let settings = house.settings();
        if let Some(board) = &mut house.board {
            board.enter(&format!("configure {settings}"))?;
            board.until("stored")?;
            board.until("start ")?;
        }
        Ok(Some(house))
    }

    fn settings(&self) -> serde_json::Value {
        let pem = self.server.backend.ca_pem();
        let authority: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let [ssid, password] = WIFI;
        json!({
            "version": 1,
            "wifi": [{ "ssid": ssid, "password": password }],
            "interval": "0s",
            "time": { "servers": self.times.each_ref().map(TimeServer::address) },
            "output": { "rest": {
                "url": self.server.backend.url("/readings"),
                "format": "json",
                "ca": authority,
            } },
        })
    }

    /// What the clocks of the house say since its day began.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.began.elapsed() * self.pace
    }

    /// How long something takes that takes so long on the clocks of the house.
    #[must_use]
    pub fn real(&self, span: Duration) -> Duration {
        span / self.pace
    }

    /// Gives the device power. Its flash is as it was.
    pub fn switch_on(&mut self) -> Result<bool> {
        let setup = Setup {
            flash: Some(&self.flash),
            pace: self.pace,
            ..Setup::default()
        };
        self.board = setup.start()?;
        // QEMU forgets it at each start.
        self.plug(self.plugged_in)?;
        Ok(self.board.is_some())
    }

    /// Lets a fault begin.
    pub fn begin(&mut self, fault: Fault) -> Result {
        match fault {
            Fault::ServerAway => self.server.go_away(true),
            Fault::ServerRestart => {
                self.server.go_away(true);
                self.server.go_away(false);
            }
            Fault::LinkDown => self.plug(false)?,
            Fault::TimeSilent => self.times.iter().for_each(|time| time.silence(true)),
            Fault::TimeLies(which, seconds) => self.times[which].lie(i64::from(seconds) * 1000),
            Fault::PowerCut => self.board = None,
            Fault::Reset => {
                if let Some(board) = &mut self.board {
                    board.reset()?;
                    board.until("on qemu-virt")?;
                }
            }
            Fault::Noise => {}
            other => self.server.behave(other, self.pace),
        }
        Ok(())
    }

    /// Ends a fault. After a power cut the device has to be [switched on](Self::switch_on).
    pub fn end(&mut self, fault: Fault) -> Result {
        match fault {
            Fault::ServerAway => self.server.go_away(false),
            Fault::LinkDown => self.plug(true)?,
            Fault::TimeSilent => self.times.iter().for_each(|time| time.silence(false)),
            Fault::TimeLies(which, _) => self.times[which].lie(0),
            Fault::PowerCut | Fault::Reset | Fault::Noise => {}
            other => {
                self.server.behave(Fault::ServerRestart, self.pace);
                if matches!(other, Fault::ServerStalls | Fault::NoHttp) {
                    self.server.go_away(true);
                    self.server.go_away(false);
                }
            }
        }
        Ok(())
    }

    fn plug(&mut self, plugged_in: bool) -> Result {
        self.plugged_in = plugged_in;
        match &mut self.board {
            Some(board) => board.plug(plugged_in),
            None => Ok(()),
        }
    }
}
