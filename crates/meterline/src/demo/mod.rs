//! `meterline demo`: the whole way from simulated meters to any output, in one process.
//!
//! Only the meters are made up, and the HTTPS server unless another output is chosen. Between them works
//! what `meterline run` works with: serial ports (pseudo-terminals), the journal, verified TLS.

mod goal;
mod ledger;
mod scene;
mod show;
mod witness;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time;

use meter_gateway::config::Duration;
use meter_sim::Model;

use crate::event_loop::block_on;
use crate::failure::{Exit, Failure};
use crate::logging;
use crate::paint::{Paint, When};
use crate::screen::Screen;
use crate::sim;
use goal::{Kind, Login};
use ledger::Balance;
use scene::{Plan, Scene};

/// Name of the only output.
const OUTPUT: &str = "demo";

/// See it all work: simulated meters, any output, and the real way between them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline demo
  meterline demo --outage 20s            the server goes away; nothing is lost
  meterline demo --for 30s --outage 10s | cat
  meterline demo --model dvs74 --model mt175
  meterline demo --output jsonl --to .   files in this directory
  meterline demo --output mqtt           the broker on this machine
  meterline demo --output mqtt --to mqtt://homeassistant.local --username me --password file:pw

Every telegram that the meters send is compared with what arrived, digit by digit. At influx and
postgres nobody looks: there the server's acknowledgements are counted. In the end the configuration
of the output is shown, to be copied.

Readings go to topics below `meterline-demo`, and to a database `meterline_demo` unless --to names
another one.

Exit status:
  0  every reading arrived, with exactly its values
  1  a reading is missing or wrong")]
pub struct Arguments {
    /// Which output to show
    #[arg(long, value_name = "OUTPUT", default_value = "rest")]
    output: Kind,

    /// Where it sends: a broker, a server, a database, or a directory; without it on this machine,
    /// and files for as long as the demo runs
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,

    /// Who logs in there
    #[arg(long, value_name = "NAME")]
    username: Option<String>,

    /// Where the password for it is: `file:PATH` or `env:NAME`
    #[arg(long, value_name = "WHERE")]
    password: Option<String>,

    /// End after this time, and say what arrived; without it, `q` ends it
    #[arg(long = "for", value_name = "DURATION")]
    time: Option<Duration>,

    /// Take the server away for so long: after a third of the time, or after 10 s
    #[arg(long, value_name = "DURATION")]
    outage: Option<Duration>,

    /// A meter to simulate; may be given several times
    #[arg(long = "model", value_name = "MODEL", value_parser = sim::find_model)]
    models: Vec<Arc<Model>>,

    /// The same seed gives the same households
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// For tests: the server refuses every Nth reading for good
    #[arg(long, value_name = "N", hide = true)]
    refuse_every: Option<u64>,

    #[command(flatten)]
    log: logging::LogArguments,
}

impl Arguments {
    /// Shows it, and says whether everything arrived.
    pub fn run(self, color: When) -> Result<Exit, Failure> {
        self.refuse_what_does_not_go()?;
        let paint = Paint::new(color, &io::stdout());
        let on_screen = Screen::is_possible();
        let log = if on_screen {
            Ok(self.log.to_view()?)
        } else {
            Err(self.log.to_stderr(color)?)
        };
        let plan = Plan {
            output: self.output,
            to: self.to,
            login: Login {
                username: self.username,
                password: self.password,
            },
            models: if self.models.is_empty() {
                default_models(self.output)?
            } else {
                self.models
            },
            seed: self.seed,
            time: self.time.map(Duration::get),
            outage: self.outage.map(Duration::get),
            refuse_every: self.refuse_every,
        };
        let (balance, away, table) = block_on(async {
            let mut scene = Scene::open(&plan).await?;
            match log {
                Ok(lines) => show::on_screen(&mut scene, &plan, lines, paint).await,
                Err(hush) => {
                    let shown = show::as_lines(&mut scene, &plan).await;
                    // The gateway misses the meters that go away now.
                    hush.now();
                    shown
                }
            }
            .map_err(Failure::output)?;
            if scene.balance().missing() > 0 {
                writeln!(io::stdout(), "waiting for the last readings to arrive …")
                    .map_err(Failure::output)?;
            }
            let table = scene.goal().table.clone();
            let (balance, away) = scene.close().await?;
            Ok::<_, Failure>((balance, away, table))
        })??;
        let mut text = summary(balance, away, &plan, paint);
        let gone = if plan.output.is_brought_along() {
            " The server has gone with the demo."
        } else {
            ""
        };
        let said = paint.dim(format!("The output was configured like this.{gone}"));
        // Writing into a string cannot fail.
        let _ = write!(text, "\n{said}\n\n{table}");
        io::stdout()
            .lock()
            .write_all(text.as_bytes())
            .map_err(Failure::output)?;
        Ok(if balance.is_even() {
            Exit::Success
        } else {
            Exit::Failed
        })
    }

    /// Refuses options that mean nothing together.
    fn refuse_what_does_not_go(&self) -> Result<(), Failure> {
        let own = self.output.is_brought_along();
        let is_file = matches!(self.output, Kind::Csv | Kind::Jsonl);
        let logs_in = self.username.is_some() || self.password.is_some();
        let why = if own && self.to.is_some() {
            "--to is for outputs whose server the demo does not bring along"
        } else if logs_in && (own || is_file) {
            "--username and --password are for mqtt, influx and postgres"
        } else if self.password.as_deref().is_some_and(is_password) {
            "--password says where the password is, with file:PATH or env:NAME, because other users see \
             command lines"
        } else if !own && (self.outage.is_some() || self.refuse_every.is_some()) {
            "--outage takes away a server that the demo brings along: rest, volkszaehler"
        } else if self.output == Kind::Volkszaehler && self.models.len() > 1 {
            "volkszaehler is shown with one meter, because a channel belongs to one: give --model once"
        } else {
            return Ok(());
        };
        Err(Failure::Demo(why))
    }
}

/// Whether this is a password rather than the place of one.
fn is_password(text: &str) -> bool {
    !text.starts_with("file:") && !text.starts_with("env:")
}

/// Three different ones: an old one with a solar roof, one that sends its power in a wrong type, and
/// a new one. A channel of volkszaehler is one meter's.
fn default_models(output: Kind) -> Result<Vec<Arc<Model>>, Failure> {
    let mut names = vec!["easymeter-q3a", "dzg-dvs74", "emh-mme40"];
    if output == Kind::Volkszaehler {
        names.truncate(1);
    }
    names
        .into_iter()
        .map(|name| meter_sim::model::find(name).map_err(Failure::Model))
        .collect()
}

fn summary(balance: Balance, away: time::Duration, plan: &Plan, paint: Paint) -> String {
    let Balance {
        sent,
        arrived,
        duplicates,
        wrong,
    } = balance;
    let away = if away.is_zero() {
        String::new()
    } else {
        format!("; the server was away for {:.0} s", away.as_secs_f32())
    };
    let missing = balance.missing();
    let (sums, good, bad) = if plan.output.is_watched() {
        (
            format!("arrived {arrived}, missing {missing}, wrong {wrong}, duplicates {duplicates}"),
            "Every reading arrived with exactly its values.",
            "Not every reading arrived with exactly its values.",
        )
    } else {
        (
            format!("acknowledged {arrived}, missing {missing}, duplicates {duplicates}"),
            "The server has acknowledged every reading.",
            "The server has not acknowledged every reading.",
        )
    };
    let verdict = if balance.is_even() {
        paint.good(good)
    } else {
        paint.bad(bad)
    };
    format!(
        "{} sent {sent} readings{away}\n{sums}\n{verdict}\n",
        plan.meters(),
    )
}
