//! A house with a meter of every model, and the program that reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::process::Stdio;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use meter_sim::{Meter, MeterConfig, model};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::control::{control, entities};
use crate::expected::{self, Expected};
use crate::head::Head;
use crate::program::{Outcome, Running, meterline};
use crate::say;

/// Home Assistant takes some seconds to start, and says so after some more.
const LIMIT: Duration = Duration::from_mins(2);
/// As in a house, the next reading is never far.
const NEXT: Duration = Duration::from_secs(3);
/// What is asked again and again.
const POLL: Duration = Duration::from_millis(300);
/// More than there are meters, and less than twice as many.
const RATE: usize = 20;
/// What is said of each try to reach the broker, at DEBUG but for the first.
const TRIED: &str = "next try in";
/// What is said when the broker is away, and nothing else may be.
const AWAY: &str = "readings are kept, next try in";

/// How the program ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Asked,
    Killed,
}

pub struct House {
    heads: Vec<Head>,
    program: Option<Running>,
    expected: BTreeMap<String, Expected>,
    /// The rules that were told of in the end.
    corrections: BTreeSet<String>,
    folder: TempDir,
}

impl House {
    pub fn new() -> Result<Self, Box<dyn Error>> {
        let settings = MeterConfig {
            pv_peak_w: 9_900,
            ..MeterConfig::default()
        };
        let mut heads = vec![Head::new(locked(false)?)?];
        for name in model::names() {
            heads.push(Head::new(Meter::new(model::find(name)?, &settings))?);
        }
        let house = Self {
            heads,
            program: None,
            expected: BTreeMap::new(),
            corrections: BTreeSet::new(),
            folder: tempfile::tempdir()?,
        };
        house.configure("")?;
        Ok(house)
    }

    /// Writes the configuration, with `more` about the output.
    fn configure(&self, more: &str) -> Outcome {
        let mut text = format!(
            "state_dir = \"{}\"\n[output.home]\ntype = \"mqtt\"\nurl = \"mqtt://127.0.0.1:{}\"\n\
             allow_insecure = true\nclient_id = \"house\"\ndiscovery = \"homeassistant\"\n\
             newest_first = true\nmax_rate = {RATE}\nretry_max = \"1s\"\n{more}\n",
            self.folder.path().join("state").display(),
            env::var("BROKER_PORT")?
        );
        for head in &self.heads {
            writeln!(
                text,
                "[input.m{}]\ntype = \"tcp\"\naddress = \"{}\"\ninterval = \"every\"\nsilence = \"10m\"",
                head.id(),
                head.address()?
            )?;
        }
        Ok(fs::write(self.folder.path().join("meterline.toml"), text)?)
    }

    pub fn start(&mut self) -> Outcome {
        let log = self.folder.path().join("log");
        let log: File = OpenOptions::new().create(true).append(true).open(log)?;
        let program = meterline(&["run", "--config"])
            .arg(self.folder.path().join("meterline.toml"))
            .env("METERLINE_LOG", "info,meter_gateway::output=debug")
            .stderr(Stdio::from(log))
            .spawn()?;
        self.program = Some(Running(program));
        Ok(())
    }

    pub fn end(&mut self, how: End) -> Outcome {
        let mut program = self.program.take().ok_or("the program does not run")?;
        match how {
            End::Asked => {
                signal(&program, Signal::TERM)?;
                assert!(program.0.wait()?.success());
            }
            End::Killed => {
                program.0.kill()?;
                program.0.wait()?;
            }
        }
        for head in &mut self.heads {
            head.hang_up();
        }
        Ok(())
    }

    /// A new reading of each meter, and what Home Assistant has to make of it.
    fn read(&mut self) -> Outcome {
        self.expected.clear();
        for head in &mut self.heads {
            let telegram = head.speak()?;
            self.expected
                .extend(expected::registers(&head.id(), &telegram)?);
        }
        for head in &self.heads {
            self.expected.extend(expected::line(head));
        }
        Ok(())
    }

    /// The meters send until something else has ended.
    pub fn goes_on<T>(&mut self, until: &JoinHandle<T>) -> Outcome {
        while !until.is_finished() {
            self.read()?;
            sleep(NEXT);
        }
        Ok(())
    }

    /// New readings show up, every register of every meter and what is said of its line.
    pub fn all_is_there(&mut self, when: &str) -> Outcome {
        let began = Instant::now();
        self.read()?;
        let mut again = began + NEXT;
        loop {
            let entities = entities();
            let missing: Vec<String> = misfits(&self.expected, &entities).collect();
            if missing.is_empty() {
                let (all, meters) = (self.expected.len(), self.heads.len());
                let seconds = began.elapsed().as_secs();
                say(&format!(
                    "{when}: {all} entities of {meters} meters, after {seconds} s"
                ));
                let corrections = entities
                    .iter()
                    .filter(|(id, _)| id.ends_with("_correction"))
                    .filter_map(|(_, entity)| Some(entity["state"].as_str()?.to_owned()));
                self.corrections.extend(corrections);
                return Ok(());
            }
            if began.elapsed() > LIMIT {
                return Err(format!("{when}: {missing:#?}\n{}", self.log()).into());
            }
            if Instant::now() > again {
                again = Instant::now() + NEXT;
                self.read()?;
            }
            sleep(POLL);
        }
    }

    /// Waits until these look as they must, and goes on with something else.
    fn until(
        &mut self,
        what: &str,
        expected: &BTreeMap<String, Expected>,
        mut meanwhile: impl FnMut(&mut Self) -> Outcome,
    ) -> Outcome {
        let began = Instant::now();
        loop {
            let wrong: Vec<String> = misfits(expected, &entities()).collect();
            if wrong.is_empty() {
                say(&format!("{what}, after {} s", began.elapsed().as_secs()));
                return Ok(());
            }
            if began.elapsed() > LIMIT {
                return Err(format!("never {what}: {wrong:#?}\n{}", self.log()).into());
            }
            meanwhile(self)?;
            sleep(POLL);
        }
    }

    /// A head is moved, and telegrams are damaged.
    pub fn a_line_gets_bad(&mut self) -> Outcome {
        let head = self.heads.last_mut().ok_or("no meter")?;
        for _ in 0..10 {
            head.speak_badly()?;
        }
        self.all_is_there("with damaged telegrams on a line")
    }

    /// Nobody can be sure of a missing PIN at once; the PIN that was entered shows at once.
    pub fn a_pin_is_entered(&mut self) -> Outcome {
        let id = self.heads.first().ok_or("no meter")?.id();
        let is = |state: &str| {
            let told = Expected::diagnostic(None, Some(state.to_owned())).of_class("problem");
            BTreeMap::from([(format!("meterline_{id}_pin_locked"), told)])
        };
        self.until("the PIN is missing", &is("on"), |house| {
            let head = house.heads.first_mut().ok_or("no meter")?;
            head.speak().map(drop)
        })?;
        let head = self.heads.first_mut().ok_or("no meter")?;
        head.meter = locked(true)?;
        self.all_is_there("with the PIN")?;
        self.until("the PIN is there", &is("off"), |_| Ok(()))
    }

    /// The newest readings go first when it is back, and tell that others wait.
    pub fn the_broker_is_away(&mut self) -> Outcome {
        control("broker-stop")?;
        for _ in 0..3 {
            self.read()?;
        }
        // What waits is counted after each try.
        let tries = |house: &Self| house.log().matches(TRIED).count();
        let (began, before) = (Instant::now(), tries(self));
        while tries(self) < before + 2 {
            assert!(began.elapsed() < LIMIT, "{}", self.log());
            sleep(POLL);
        }
        let some = 1..=2 * self.heads.len();
        let backlog = |head: &Head| {
            let some = some.clone().map(|readings| readings.to_string());
            let waiting = Expected::diagnostic(Some("measurement"), some);
            (format!("meterline_{}_backlog", head.id()), waiting)
        };
        let expected = self.heads.iter().map(backlog).collect();
        // It has kept nothing.
        control("broker-start")?;
        self.until("readings wait", &expected, |_| Ok(()))
    }

    /// A meter is taken out of the configuration.
    pub fn a_meter_goes(&mut self) -> Outcome {
        let gone = self.heads.pop().ok_or("no meter")?;
        let names: Vec<String> = self.heads.iter().map(Head::id).collect();
        self.configure(&format!("meters = {names:?}"))?;
        signal(
            self.program.as_ref().ok_or("the program does not run")?,
            Signal::HUP,
        )?;
        let began = Instant::now();
        let prefix = format!("meterline_{}_", gone.id());
        loop {
            let entities = entities();
            let stays = entities.keys().any(|id| id.starts_with(&prefix));
            if !(stays || entities.is_empty()) {
                return Ok(());
            }
            if began.elapsed() > LIMIT {
                return Err(format!("meter {} stays\n{}", gone.id(), self.log()).into());
            }
            sleep(POLL);
        }
    }

    /// Nothing but the broker that was away was worth a warning, and a correction was seen to be told.
    pub fn nothing_is_to_worry_about(&self) {
        let log = self.log();
        let loud = |line: &&str| line.contains("WARN") || line.contains("ERROR");
        let unexpected: Vec<&str> = log
            .lines()
            .filter(loud)
            .filter(|line| !line.contains(AWAY))
            .collect();
        assert_eq!(unexpected, [""; 0]);
        assert!(self.corrections.contains("none"), "{:?}", self.corrections);
        assert!(self.corrections.len() > 1, "{:?}", self.corrections);
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// A meter that hides most of what it measures until its PIN is entered, and one in addition to those of
/// every model.
fn locked(pin_entered: bool) -> Result<Meter, Box<dyn Error>> {
    let settings = MeterConfig {
        pin_entered,
        import_wh: Some(5_000_100),
        serial: Some(20_000_001),
        ..MeterConfig::default()
    };
    Ok(Meter::new(model::find("emh-mme40")?, &settings))
}

fn misfits(
    expected: &BTreeMap<String, Expected>,
    entities: &BTreeMap<String, Json>,
) -> impl Iterator<Item = String> {
    expected.iter().filter_map(|(id, expected)| {
        let why = expected.misfit(entities.get(id))?;
        Some(format!("{id}: {why}"))
    })
}

fn signal(program: &Running, signal: Signal) -> Outcome {
    let pid = Pid::from_raw(i32::try_from(program.0.id())?).ok_or("no process id")?;
    Ok(kill_process(pid, signal)?)
}
