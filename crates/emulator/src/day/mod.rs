//! A day of the device's life in the part of an hour, with everything that goes wrong in a year.
//!
//! The clocks of the device, of its meter and of the time servers go `pace` times as fast. The processor
//! does not, nor do the servers: to the device they seem slow. A handshake of a third of a second takes
//! thirteen seconds at a pace of 40, and the device's limits (30 s for an answer, 90 s for the watchdog)
//! hold all the same. On a host that is busy with other things they do not: then a lower pace helps.
//!
//! The meter sends a telegram every ten seconds and the device keeps each one, so that every single one
//! has to be accounted for. What goes wrong is drawn from a seed: see [`plan`].

pub mod house;
pub mod ledger;
pub mod plan;
mod watch;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use meter_sim::{Faults, Line, Meter, MeterConfig, model};

use crate::{Board, Result};
use house::House;
use ledger::{Balance, Ledger, Passage};
use plan::{Fault, Plan, Planned};
pub use watch::Watch;

/// Bytes that the meter sends in a second.
const LINE: u32 = 960;

/// Between two telegrams.
const STEP: Duration = Duration::from_secs(10);

/// Between two looks at the device; on a short day less.
const LOOK: Duration = Duration::from_mins(2);

/// At the end, so long the device may take for what waits.
const LAST: Duration = Duration::from_mins(20);

/// What kind of day it is.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long it is, on its own clock.
    pub length: Duration,
    /// What chance goes by.
    pub seed: u64,
    /// How many times as fast its clocks go.
    pub pace: u32,
    /// Whether to say on the way how it goes.
    pub talks: bool,
    /// A file for all that the device says.
    pub transcript: Option<PathBuf>,
}

/// How the day was.
#[derive(Debug)]
pub struct Report {
    config: Config,
    /// What became of each telegram.
    pub balance: Balance,
    /// What the device said of itself.
    pub watch: Watch,
    /// How often each thing went wrong.
    pub faults: BTreeMap<String, u32>,
    /// Connections and requests that the server took.
    pub served: [u64; 2],
    /// What must not be; empty after a good day.
    pub wrong: Vec<String>,
}

/// Lives through a day. `None`, which is said, without firmware.
pub fn run(config: Config) -> Result<Option<Report>> {
    // A second that the host gives to others is most of a minute to the device, whose watchdog bites after
    // one and a half. Not everybody may ask for it.
    let _ = rustix::process::nice(-15);
    let Some(house) = House::start(config.pace)? else {
        return Ok(None);
    };
    let mut day = Day::new(config, house)?;
    while day.house.now() < day.plan.end {
        day.step()?;
    }
    day.finish().map(Some)
}

struct Day {
    config: Config,
    plan: Plan,
    next_fault: usize,
    lasting: Vec<Planned>,
    house: House,
    ledger: Ledger,
    watch: Watch,
    transcript: Option<File>,
    meter: Meter,
    line: Line,
    bad_line: Line,
    next_telegram: Duration,
    next_look: Duration,
    next_word: Duration,
    faults: BTreeMap<String, u32>,
}

impl Day {
    fn new(config: Config, house: House) -> Result<Self> {
        let began = house.began_ms.unsigned_abs().div_ceil(1000);
        let meter = MeterConfig {
            seed: config.seed,
            start: began,
            step_ms: u64::try_from(STEP.as_millis()).ok(),
            pv_peak_w: 9_900,
            ..MeterConfig::default()
        };
        Ok(Self {
            plan: Plan::new(config.length, config.seed),
            next_fault: 0,
            lasting: Vec::new(),
            ledger: Ledger::new(house.began_ms),
            watch: Watch::new(2),
            meter: Meter::new(model::find("emh-mme40")?, &meter),
            line: Line::new(Faults::NONE, config.seed),
            bad_line: Line::new(Faults::POOR, config.seed),
            next_telegram: house.now(),
            next_look: Duration::ZERO,
            next_word: Duration::ZERO,
            faults: BTreeMap::new(),
            transcript: config.transcript.as_ref().map(File::create).transpose()?,
            house,
            config,
        })
    }

    /// Does what is due.
    fn step(&mut self) -> Result {
        self.end_faults()?;
        self.begin_faults()?;
        self.send()?;
        self.look()?;
        thread::sleep(Duration::from_millis(3));
        Ok(())
    }

    fn begin_faults(&mut self) -> Result {
        let now = self.house.now();
        while let Some(planned) = self.plan.faults.get(self.next_fault).cloned() {
            if planned.span.from > now {
                break;
            }
            self.next_fault += 1;
            let name = planned.fault.name();
            *self.faults.entry(name.to_owned()).or_default() += 1;
            if let Fault::PowerCut | Fault::Reset = planned.fault {
                if self.house.board.is_none() {
                    continue;
                }
                self.hear()?;
                self.ledger.cut(now);
                self.watch.expect_start();
            }
            self.note(&format!("{planned:?}"))?;
            self.house.begin(planned.fault)?;
            self.lasting.push(planned);
        }
        Ok(())
    }

    fn end_faults(&mut self) -> Result {
        let now = self.house.now();
        let (over, lasting) = std::mem::take(&mut self.lasting)
            .into_iter()
            .partition(|planned| planned.span.until <= now);
        self.lasting = lasting;
        for planned in over {
            self.house.end(planned.fault)?;
            if planned.fault == Fault::PowerCut {
                self.house.switch_on()?;
            }
        }
        Ok(())
    }

    /// Lets the meter send, as fast as its line is.
    fn send(&mut self) -> Result {
        let now = self.house.now();
        if now < self.next_telegram {
            return Ok(());
        }
        self.next_telegram += STEP;
        let telegram = self.meter.telegram();
        let is_bad = self
            .lasting
            .iter()
            .any(|planned| planned.fault == Fault::Noise);
        let line = if is_bad {
            &mut self.bad_line
        } else {
            &mut self.line
        };
        let passed = line.pass(&telegram.bytes);
        let passage = match &mut self.house.board {
            // The device was busy starting when it was due: it comes with the next.
            _ if now > self.next_telegram => Passage::Unheard,
            None => Passage::Unheard,
            Some(board) => {
                board.send_at(LINE * self.config.pace, &passed.bytes)?;
                if passed.intact {
                    Passage::Whole
                } else {
                    Passage::Damaged
                }
            }
        };
        self.ledger.sent(now, &telegram, passage);
        Ok(())
    }

    /// Looks what the device says and what has arrived.
    fn look(&mut self) -> Result {
        self.hear()?;
        for reading in self.house.server.accepted() {
            self.ledger.arrived(&reading);
        }
        let now = self.house.now();
        if now >= self.next_look
            && let Some(board) = &mut self.house.board
        {
            self.next_look = now + LOOK.min(self.plan.end / 100);
            board.enter("info")?;
        }
        if now >= self.next_word && self.config.talks {
            self.next_word = now + self.plan.end / 48;
            self.talk(now);
        }
        Ok(())
    }

    fn hear(&mut self) -> Result {
        let now = self.house.now();
        let lines = self.house.board.as_mut().map(Board::hear);
        for line in lines.unwrap_or_default() {
            self.note(&line)?;
            self.watch.hear(now, &line, &self.plan.quiet);
        }
        Ok(())
    }

    fn note(&mut self, line: &str) -> Result {
        if let Some(file) = &mut self.transcript {
            writeln!(file, "{:>9.1} {line}", self.house.now().as_secs_f64())?;
        }
        Ok(())
    }

    #[expect(clippy::print_stdout, reason = "somebody waits for most of an hour")]
    fn talk(&self, now: Duration) {
        let (balance, wrong) = self.ledger.balance();
        println!(
            "{:>5.1} h: {} sent, {} once, {} twice, {} lost at {} cuts, {} wrong or on their way; {}",
            now.as_secs_f64() / 3600.0,
            balance.sent,
            balance.once,
            balance.twice,
            balance.lost,
            balance.cuts,
            wrong.len(),
            self.watch
        );
    }

    /// Waits until everything has arrived, and draws the line.
    fn finish(mut self) -> Result<Report> {
        let last = self.plan.end + LAST;
        self.watch.forget_outbox();
        while self.house.now() < last && !self.watch.is_empty() {
            self.next_look = self.next_look.min(self.house.now() + STEP);
            self.look()?;
            thread::sleep(Duration::from_millis(10));
        }
        self.look()?;
        let (balance, mut wrong) = self.ledger.balance();
        if !self.watch.is_empty() {
            wrong.push("readings still wait in the device".to_owned());
        }
        wrong.extend(self.watch.wrong());
        Ok(Report {
            served: [
                self.house.server.connections(),
                self.house.server.requests(),
            ],
            config: self.config,
            balance,
            watch: self.watch,
            faults: self.faults,
            wrong,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config {
            length, seed, pace, ..
        } = &self.config;
        let hours = length.as_secs_f64() / 3600.0;
        writeln!(f, "{hours:.2} hours, seed {seed}, pace {pace}")?;
        for (name, count) in &self.faults {
            writeln!(f, "{count:>6} x {name}")?;
        }
        let Balance {
            sent,
            damaged,
            unheard,
            once,
            twice,
            more,
            lost,
            most_lost,
            cuts,
            worst_ms,
        } = self.balance;
        writeln!(
            f,
            "telegrams: {sent} sent, {damaged} damaged on the line, {unheard} while the device was off"
        )?;
        writeln!(
            f,
            "readings: {once} arrived once, {twice} twice, {more} more often; {lost} lost at {cuts} cuts and resets, {most_lost} at one"
        )?;
        writeln!(
            f,
            "times: {:.1} s off at most",
            worst_ms_in_seconds(worst_ms)
        )?;
        let [connections, requests] = self.served;
        writeln!(f, "server: {connections} connections, {requests} requests")?;
        writeln!(f, "{}", self.watch.summary())?;
        for wrong in &self.wrong {
            writeln!(f, "WRONG: {wrong}")?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a day has 86 400 000 ms")]
fn worst_ms_in_seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
