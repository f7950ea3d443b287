//! `meterline demo`: the whole way from simulated meters to a real HTTPS server, in one process.
//!
//! Only the meters and the server are made up. Between them works what `meterline run` works with:
//! serial ports (pseudo-terminals), the journal, verified TLS.

mod ledger;
mod scene;
mod show;

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
use ledger::Balance;
use scene::{Plan, Scene};

/// See it all work: simulated meters, a real HTTPS server, and the real way between them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline demo
  meterline demo --outage 20s            the server goes away; nothing is lost
  meterline demo --for 30s --outage 10s | cat
  meterline demo --model dvs74 --model mt175

Every telegram that the meters send is compared with what arrived at the server, digit by digit.

Exit status:
  0  every reading arrived, with exactly its values
  1  a reading is missing or wrong")]
pub struct Arguments {
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
        let paint = Paint::new(color, &io::stdout());
        let on_screen = Screen::is_possible();
        let log = if on_screen {
            Ok(self.log.to_view()?)
        } else {
            Err(self.log.to_stderr(color)?)
        };
        let plan = Plan {
            models: if self.models.is_empty() {
                default_models()?
            } else {
                self.models
            },
            seed: self.seed,
            time: self.time.map(Duration::get),
            outage: self.outage.map(Duration::get),
            refuse_every: self.refuse_every,
        };
        let (balance, away) = block_on(async {
            let mut scene = Scene::open(&plan)?;
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
            scene.close().await
        })??;
        let text = summary(balance, away, &plan, paint);
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
}

/// Three different ones: an old one with a solar roof, one that sends its power in a wrong type, and
/// a new one.
fn default_models() -> Result<Vec<Arc<Model>>, Failure> {
    let names = ["easymeter-q3a", "dzg-dvs74", "emh-mme40"];
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
    let verdict = if balance.is_even() {
        paint.good("Every reading arrived with exactly its values.")
    } else {
        paint.bad("Not every reading arrived with exactly its values.")
    };
    format!(
        "{} sent {sent} readings{away}\narrived {arrived}, missing {}, wrong {wrong}, duplicates {duplicates}\n\
         {verdict}\n",
        plan.meters(),
        balance.missing(),
    )
}
