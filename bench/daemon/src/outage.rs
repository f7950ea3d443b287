//! A server that is away, and a daemon that is killed at the worst moments.

use std::path::Path;
use std::time::Duration;

use meter_sim::backend::{Behaviour, Step};
use tokio::task::block_in_place;
use tokio::time::sleep;

use rig::Program;

use crate::meter::{head, input, send};
use crate::server::{Server, different};
use crate::{Failure, Verdict, all_outputs, start};

/// What is measured.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many readings the server misses.
    #[arg(long, default_value_t = 100)]
    pub readings: u32,
    /// How many of them the meter sends a second.
    #[arg(long, default_value_t = 5)]
    pub rate: u32,
    /// With every output at once, each with its real server.
    #[arg(long)]
    all_outputs: bool,
}

/// What happens while the server is away.
#[derive(Clone, Copy)]
enum Case {
    /// Nothing else.
    Plain,
    /// The daemon is killed in the middle and started again.
    Restart,
    /// As before; and when the server is back and has taken the first readings, the daemon is
    /// killed before the server's answer reaches it.
    KillBeforeRecord,
}

/// What became of the readings.
struct Outcome {
    sent: usize,
    lost: usize,
    doubled: usize,
}

/// Goes through the cases and prints what was lost and what came twice.
pub async fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    if arguments.all_outputs {
        return block_in_place(|| all_outputs::run(arguments));
    }
    println!(
        "{} readings while the server is away, {} a second\n",
        arguments.readings, arguments.rate
    );
    println!("| while it is away | sent | lost | twice |");
    println!("|---|---|---|---|");
    let mut lost = 0;
    for case in [Case::Plain, Case::Restart, Case::KillBeforeRecord] {
        let result = measure(arguments, case).await?;
        println!(
            "| {} | {} | {} | {} |",
            case.title(),
            result.sent,
            result.lost,
            result.doubled
        );
        lost += result.lost;
    }
    println!(
        "\nA reading comes twice when the server had it and its answer did not get through: the \
         daemon cannot know, and rather sends it again.\nBoth have the same meter and time, so \
         a database that stores by them has it once."
    );
    Ok(if lost == 0 {
        Verdict::AsItMustBe
    } else {
        Verdict::Not
    })
}

async fn measure(arguments: &Arguments, case: Case) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir()?;
    let pace = Duration::from_secs(1) / arguments.rate.max(1);
    let mut meter = head(pace)?;
    let server = Server::start()?;
    let output = "interval = \"every\"\nretry_first = \"200ms\"\nretry_max = \"1s\"";
    let config = server.configure(folder.path(), &input(&meter), output)?;
    let daemon = start(folder.path(), &config)?;

    let mut sent = send(&mut meter, 5, pace).await?.len();
    server.backend.outage(true).await;
    sent += send(&mut meter, arguments.readings / 2, pace).await?.len();
    let daemon = match case {
        Case::Plain => daemon,
        Case::Restart | Case::KillBeforeRecord => restart(daemon, folder.path(), &config)?,
    };
    let rest = arguments.readings - arguments.readings / 2;
    sent += send(&mut meter, rest, pace).await?.len();
    let daemon = match case {
        Case::Plain | Case::Restart => {
            server.backend.outage(false).await;
            daemon
        }
        Case::KillBeforeRecord => {
            kill_before_record(&server, daemon, folder.path(), &config).await?
        }
    };
    sent += send(&mut meter, 5, pace).await?.len();
    server.wait_for(sent, Duration::from_secs(10)).await;
    // Whatever would come once more has the time to.
    sleep(Duration::from_secs(2)).await;
    daemon.stop()?;

    let arrived = server.arrived();
    let different = different(&arrived).len();
    Ok(Outcome {
        sent,
        lost: sent.saturating_sub(different),
        doubled: arrived.len() - different,
    })
}

fn restart(daemon: Program, folder: &Path, config: &Path) -> Result<Program, Failure> {
    daemon.kill()?;
    start(folder, config)
}

/// The server reads the first request of the backlog and says nothing; then the daemon dies.
async fn kill_before_record(
    server: &Server,
    daemon: Program,
    folder: &Path,
    config: &Path,
) -> Result<Program, Failure> {
    server
        .backend
        .set_behaviour(Behaviour::first([Step::Stall]));
    let before = server.backend.request_count();
    server.backend.outage(false).await;
    let there = server
        .backend
        .wait_until(Duration::from_secs(10), |backend| {
            backend.request_count() > before
        })
        .await;
    if !there {
        return Err("the backlog did not begin to arrive".into());
    }
    daemon.kill()?;
    server.backend.set_behaviour(Behaviour::accept());
    start(folder, config)
}

impl Case {
    fn title(self) -> &'static str {
        match self {
            Self::Plain => "nothing else",
            Self::Restart => "kill -9 and restart",
            Self::KillBeforeRecord => "kill -9 and restart, also between delivery and its record",
        }
    }
}
