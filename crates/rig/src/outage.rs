//! Servers go away and come back, the program is killed; then every server is asked what it holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use meter_sim::Telegram;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::until;
use crate::rows::{Outcome, Wanted};
use crate::server::{self, Server};
use crate::{Failure, Head, Program, Result, journal};

/// Readings of each meter before and after what happens.
const AROUND: u32 = 5;

/// After everything is delivered, whatever would come once more has the time to.
const SETTLE: Duration = Duration::from_secs(1);

/// What is tried.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The built program.
    pub program: PathBuf,
    /// The models of the meters, one of each.
    pub models: Vec<&'static str>,
    /// How many readings of each meter the servers miss.
    pub readings: u32,
    /// Between two readings of a meter.
    pub pace: Duration,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// All servers are away.
    Away,
    /// All servers are away, and the program is killed in the middle and started again.
    AwayAndKilled,
    /// One server after the other is killed and comes back, and the program is killed each time, also while it
    /// delivers a backlog to all of them.
    AllKilled,
    /// Those servers are killed that do not have on their disk what they acknowledge.
    Forgetful,
}

impl Case {
    /// What a person calls it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::AwayAndKilled => "away, program killed",
            Self::AllKilled => "servers and program killed in turn",
            Self::Forgetful => "servers killed that forget",
        }
    }
}

/// Lets it happen, and says of each output what became of the readings. The first is the journal itself.
pub fn run(plan: &Plan, case: Case) -> Result<Vec<Outcome>> {
    let folder = TempDir::new()?;
    // The server of PostgreSQL runs as somebody else.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), open)?;
    let trial = Trial::start(plan, folder.path());
    let outcomes = trial.and_then(|mut trial| trial.go_through(case));
    outcomes.map_err(|failure| {
        let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let end = lines.len().saturating_sub(40);
        let end = lines.get(end..).unwrap_or_default().join("\n");
        Failure::from(format!("{failure}; the program's log ends with:\n{end}"))
    })
}

/// Meters, program and servers.
struct Trial<'a> {
    plan: &'a Plan,
    folder: &'a Path,
    config: PathBuf,
    port: u16,
    program: Option<Program>,
    heads: Vec<Head>,
    servers: Vec<Box<dyn Server>>,
    /// By head.
    sent: Vec<Vec<Telegram>>,
    /// What the program must have stored since it was started.
    stored: u64,
}

impl<'a> Trial<'a> {
    fn start(plan: &'a Plan, folder: &'a Path) -> Result<Self> {
        let heads: Vec<_> = plan
            .models
            .iter()
            .zip(10_001..)
            .map(|(model, serial)| Head::new(model, Some(serial), plan.pace))
            .collect::<Result<_>>()?;
        let mut trial = Self {
            plan,
            folder,
            config: folder.join("meterline.toml"),
            port: fixtures::free_port()?,
            program: None,
            servers: server::start_all(folder, &heads)?,
            sent: heads.iter().map(|_| Vec::new()).collect(),
            heads,
            stored: 0,
        };
        fs::write(&trial.config, trial.configuration())?;
        trial.start_program()?;
        Ok(trial)
    }

    fn configuration(&self) -> String {
        let general = format!(
            "state_dir = \"{}\"\n[http]\nlisten = \"127.0.0.1:{}\"\n",
            self.folder.join("state").display(),
            self.port
        );
        let inputs = self.heads.iter().enumerate().map(|(number, head)| {
            let port = head.port();
            format!(
                "[input.meter{number}]\ntype = \"serial\"\nport = {port:?}\ninterval = \"every\"\n"
            )
        });
        let outputs = self.servers.iter().map(|it| it.outputs(&self.heads));
        std::iter::once(general)
            .chain(inputs)
            .chain(outputs)
            .collect()
    }

    /// Returns when it listens to every meter.
    fn start_program(&mut self) -> Result {
        let program = Program::start(&self.plan.program, self.folder, &self.config)?;
        self.program = Some(program);
        self.stored = 0;
        until("listening to every meter", || {
            let health = journal::health(self.port);
            let inputs = health
                .as_ref()
                .ok()
                .and_then(|it| it.get("inputs")?.as_object());
            let listens = |input: &Value| {
                matches!(
                    input.get("state").and_then(Value::as_str),
                    Some("listening" | "reading")
                )
            };
            Ok(inputs.is_some_and(|inputs| inputs.values().all(listens)))
        })
    }

    fn kill_program(&mut self) -> Result {
        self.program.take().map_or(Ok(()), Program::kill)
    }

    /// Lets each meter send so many telegrams, and returns when all of them are stored.
    fn send(&mut self, count: u32) -> Result {
        let start = Instant::now();
        for number in 1..=count {
            for (head, sent) in self.heads.iter_mut().zip(&mut self.sent) {
                sent.push(head.send()?);
                self.stored += 1;
            }
            let due = start + self.plan.pace * number;
            sleep(due.saturating_duration_since(Instant::now()));
        }
        until("stored what the meters sent", || {
            let stored = journal::health(self.port)?;
            Ok(stored.get("stored").and_then(Value::as_u64) == Some(self.stored))
        })
    }

    /// What the outputs say of themselves: `backlog`, `delivered` and the like, added up.
    fn total(&self, what: &str) -> Result<u64> {
        let health = journal::health(self.port)?;
        let outputs = health.get("outputs").and_then(Value::as_object);
        let outputs = outputs.ok_or("no outputs")?.values();
        Ok(outputs
            .filter_map(|output| output.get(what)?.as_u64())
            .sum())
    }

    fn go_through(&mut self, case: Case) -> Result<Vec<Outcome>> {
        self.send(AROUND)?;
        match case {
            Case::Away => self.all_away(false)?,
            Case::AwayAndKilled => self.all_away(true)?,
            Case::AllKilled => self.all_killed()?,
            Case::Forgetful => self.forgetful_killed()?,
        }
        self.send(AROUND)?;
        self.until_delivered()?;
        self.outcomes(case)
    }

    fn all_away(&mut self, and_killed: bool) -> Result {
        for server in &mut self.servers {
            server.away(Signal::TERM);
        }
        self.send(self.plan.readings / 2)?;
        if and_killed {
            self.kill_program()?;
            self.start_program()?;
        }
        self.send(self.plan.readings - self.plan.readings / 2)?;
        for server in &mut self.servers {
            server.back()?;
        }
        Ok(())
    }

    fn all_killed(&mut self) -> Result {
        let each = self
            .plan
            .readings
            .div_ceil(2 * u32::try_from(self.servers.len())?);
        for index in 0..self.servers.len() {
            kill(self.server(index)?);
            self.send(each)?;
            self.kill_program()?;
            self.server(index)?.back()?;
            self.start_program()?;
            self.send(each)?;
        }
        for server in &mut self.servers {
            kill(server.as_mut());
        }
        self.send(each)?;
        for server in &mut self.servers {
            server.back()?;
        }
        until("delivered anything", || Ok(self.total("delivered")? > 0))?;
        self.kill_program()?;
        self.start_program()
    }

    fn forgetful_killed(&mut self) -> Result {
        self.send(self.plan.readings)?;
        self.until_delivered()?;
        for server in &mut self.servers {
            if !server.survives_a_kill() {
                server.away(Signal::KILL);
                server.back()?;
            }
        }
        Ok(())
    }

    fn server(&mut self, index: usize) -> Result<&mut dyn Server> {
        let server = self.servers.get_mut(index).ok_or("no such server")?;
        Ok(server.as_mut())
    }

    fn until_delivered(&self) -> Result {
        until("delivered everything", || Ok(self.total("backlog")? == 0))
    }

    /// Compares what is there, once the subscriber has caught up and nothing comes any more.
    fn outcomes(&mut self, case: Case) -> Result<Vec<Outcome>> {
        let (wanted, of_journal) = journal::read(self.port, &self.heads, &self.sent)?;
        if case != Case::Forgetful {
            // What is not there after this shows as lost.
            let _ = until("everywhere", || {
                let outcomes = self.compared(&wanted)?;
                Ok(outcomes.iter().all(|outcome| outcome.lost == 0))
            });
        }
        sleep(SETTLE);
        let mut outcomes = vec![of_journal];
        outcomes.extend(self.compared(&wanted)?);
        if let Some(program) = self.program.take() {
            program.stop()?;
        }
        Ok(outcomes)
    }

    fn compared(&self, wanted: &Wanted) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for server in &self.servers {
            for (output, registers, held) in server.held()? {
                let mut outcome = wanted.compare(output, registers, &held);
                outcome.stored_by_key = server.stores_by_key();
                outcomes.push(outcome);
            }
        }
        Ok(outcomes)
    }
}

/// The end that it may meet without losing what it acknowledged.
fn kill(server: &mut dyn Server) {
    let how = if server.survives_a_kill() {
        Signal::KILL
    } else {
        Signal::TERM
    };
    server.away(how);
}
