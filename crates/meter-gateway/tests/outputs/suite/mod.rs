//! What every output has to pass with its real server: whatever happens to the server, to the way to it, or to
//! the output itself, the server holds in the end what the journal has.
//!
//! A new output joins with a type that is a [`Server`] and a line `suite!(name: Type);` beside its other tests.

mod rows;
pub mod scenarios;

use meter_gateway::output::{self, State};
use tokio::time::Instant;

pub use rows::{Row, of_json, of_millis, of_records, row};

use crate::gate::Gate;
use crate::stage::{LIMIT, Result, Running, Stage, impatient, millis, soon};

/// What an output is tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// The server cannot be reached, at the start and later.
    Outage,
    /// It is killed, and comes back.
    Killed,
    /// The output ends without a word at any point, and starts again.
    Restart,
    /// One reading is refused among others.
    Refused,
    /// Somebody has to mend a password or a right.
    Forbidden,
    /// The certificate is another one's, or of another authority.
    Mistrusted,
    /// The server is slow, and then too slow.
    Slow,
    /// It takes what it is sent, and says nothing.
    Silent,
    /// It drops connections, at once and after some words.
    Drops,
}

/// So many readings go together, so that there are many ways to be in the middle of them.
pub const BATCH: u32 = 10;

/// Settings that do not work, and parts of what is said about them.
pub type Wrong = (output::Config, &'static [&'static str]);

/// A real server, or one that answers as it does, and how an output is told to write to it.
pub trait Server: Sized {
    /// What cannot happen with it, and why.
    const CANNOT: &'static [(Scenario, &'static str)] = &[];
    /// The state of an output while the server is away.
    const AWAY: State = State::Retrying;
    /// Whether all that it has acknowledged outlives a kill.
    const OUTLIVES_A_KILL: bool = true;
    /// So many readings may come again for each connection that breaks; none where the server can tell.
    const AGAIN: usize = 0;
    /// What no log may show.
    const SECRET: &'static str;

    /// Starts it. `None`, which is said, where it is not installed.
    async fn start() -> Result<Option<Self>>;

    /// Where it listens, unless it is none on a network.
    fn port(&self) -> Option<u16>;

    /// The right settings, with the server on this port of `localhost`.
    fn output(&self, port: u16) -> output::Config;

    /// Everything that it holds.
    async fn rows(&mut self) -> Result<Vec<Row>>;

    /// Ends it with no time to save anything.
    async fn kill(&mut self) -> Result;

    /// Starts it again with what it had.
    async fn again(&mut self) -> Result;

    /// Appends reading `index`, which the server will not take, and says what it answers.
    async fn refuse(&mut self, _: &Stage, _: i64) -> Result<&'static [&'static str]> {
        Err("not for this server".into())
    }

    /// What the output may not do.
    async fn forbid(&mut self, _: u16) -> Result<Wrong> {
        Err("not for this server".into())
    }

    /// What was forbidden is allowed again, unless it lay in the settings alone.
    async fn allow(&mut self) -> Result {
        Ok(())
    }

    /// Settings with which the server is not to be trusted. It speaks TLS from now on.
    async fn mistrust(&mut self, _: u16) -> Result<Vec<Wrong>> {
        Err("not for this server".into())
    }
}

/// A server, the way to it, and a journal.
pub struct Scene<S> {
    stage: Stage,
    server: S,
    gate: Option<Gate>,
}

impl<S: Server> Scene<S> {
    /// `None` where the scenario cannot be, or the server is not there; both are said.
    async fn set(scenario: Scenario) -> Result<Option<Self>> {
        if let Some((_, why)) = S::CANNOT.iter().find(|(cannot, _)| *cannot == scenario) {
            say(&format!("{scenario:?} cannot be: {why}"));
            return Ok(None);
        }
        let Some(server) = S::start().await? else {
            return Ok(None);
        };
        let gate = match server.port() {
            Some(port) => Some(Gate::new(port).await?),
            None => None,
        };
        // Some servers take no old readings.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let stage = Stage::beginning(i64::try_from(now.as_secs())? * 1000 - 3_600_000).await?;
        Ok(Some(Self {
            stage,
            server,
            gate,
        }))
    }

    fn port(&self) -> u16 {
        self.gate.as_ref().map_or(0, |gate| gate.port)
    }

    fn gate(&self) -> Result<&Gate> {
        Ok(self.gate.as_ref().ok_or("no network")?)
    }

    async fn start(&self) -> Result<Running> {
        self.start_with(self.server.output(self.port()), 5000).await
    }

    /// With so many milliseconds of patience.
    async fn start_with(&self, mut config: output::Config, patience: u64) -> Result<Running> {
        let remote = match &mut config {
            output::Config::Rest(config) => {
                config.batch_size = BATCH.try_into()?;
                Some(&mut config.remote)
            }
            output::Config::Mqtt(config) => Some(&mut config.remote),
            output::Config::Influx(config) => {
                config.batch_size = BATCH.try_into()?;
                Some(&mut config.remote)
            }
            output::Config::Volkszaehler(config) => {
                config.batch_size = BATCH.try_into()?;
                Some(&mut config.remote)
            }
            output::Config::Postgres(config) => {
                config.batch_size = BATCH.try_into()?;
                Some(&mut config.remote)
            }
            output::Config::Csv(config) | output::Config::Jsonl(config) => {
                soon(&mut config.delivery);
                config.sync_interval = millis(100);
                None
            }
        };
        if let Some(remote) = remote {
            impatient(remote);
            remote.timeout = millis(patience);
        }
        self.stage.start(config).await
    }

    /// The server cannot be reached.
    async fn leave(&mut self) -> Result {
        match &mut self.gate {
            Some(gate) => gate.close().await,
            None => self.server.kill().await?,
        }
        Ok(())
    }

    /// No connection is left.
    async fn cut(&mut self) {
        if let Some(gate) = &mut self.gate {
            gate.close().await;
        }
    }

    async fn come_back(&mut self) -> Result {
        match &mut self.gate {
            Some(gate) => gate.open().await,
            None => self.server.again().await,
        }
    }

    /// Ends with the comparison, row by row. Connections broke so often.
    async fn end(mut self, running: Running, breaks: usize) -> Result {
        running.until_delivered().await?;
        running.stop().await?;
        self.compare(breaks, &[]).await
    }

    /// All of the journal's readings but these are there. Connections broke so often.
    async fn compare(&mut self, breaks: usize, but: &[i64]) -> Result {
        let mut records = self.stage.records().await?;
        let start = self.stage.start;
        records.retain(|record| !but.contains(&((record.time.0 - start) / 1000)));
        let wanted = of_records(&records)?;
        let found = self.server.rows().await?;
        rows::compare(&found, &wanted, S::AGAIN * breaks);
        let rejected = self.stage.rejected_indices().await?;
        assert_eq!(rejected, but);
        assert!(!self.stage.log().contains(S::SECRET), "a secret in the log");
        Ok(())
    }
}

/// Waits for trouble of this kind, which must be told in time.
async fn trouble(running: &Running, state: State, words: &[&str]) -> Result {
    let began = Instant::now();
    let told = running.complaint(state).await?;
    crate::stage::assert_says(&told, words);
    assert!(began.elapsed() < LIMIT / 2, "{:?}", began.elapsed());
    Ok(())
}

#[expect(clippy::print_stderr, reason = "what is not tried must be said")]
fn say(what: &str) {
    eprintln!("{what}");
}

/// A test of each scenario, in a module of this name.
macro_rules! suite {
    ($name:ident: $server:ty) => {
        mod $name {
            use super::*;

            $crate::suite::suite!(@ $server: outage, killed, restart, refused, forbidden, mistrusted,
                slow, silent, drops);
        }
    };
    (@ $server:ty: $($scenario:ident),+) => {
        $(
            #[tokio::test]
            async fn $scenario() -> $crate::stage::Result {
                $crate::suite::scenarios::$scenario::<$server>().await
            }
        )+
    };
}
pub(crate) use suite;
