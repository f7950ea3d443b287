//! `meterline run` without a configuration: find the meters that are plugged in and show them.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};

use meter_core::ServerId;
use meter_gateway::config::{self, Config};
use meter_gateway::ports::{DataBits, Heard, Line, Parity, Report, Roots};
use tokio::sync::mpsc;

use crate::event_loop::{block_on, interrupted};
use crate::failure::{Exit, Failure};
use crate::gateway::Watched;
use crate::live;
use crate::logging;
use crate::paint::{Paint, When};
use crate::ports::{NoPorts, listen_to_all};
use crate::screen::{Screen, View, Wish};

/// How long each port is listened to with each setting.
const LISTEN: Duration = Duration::from_secs(5);

/// How often the screen is brought up to date.
const FRAME: Duration = Duration::from_millis(250);

/// How meters are looked for without a configuration.
#[derive(Debug, clap::Args)]
pub struct LookArguments {
    /// Without a configuration: take every entry of this directory for a port, too
    #[arg(long = "dir", value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: Vec<PathBuf>,

    /// Without a configuration: end after this time
    #[arg(long = "for", value_name = "DURATION")]
    time: Option<config::Duration>,
}

impl LookArguments {
    /// Finds the meters, shows them, and says how to go on.
    pub fn run(&self, log: &logging::LogArguments, color: When) -> Result<Exit, Failure> {
        let paint = Paint::new(color, &io::stderr());
        let roots = Roots {
            also: self.dir.clone(),
            ..Roots::default()
        };
        let reports = block_on(search(&roots))?;
        let configuration = configuration(&reports, "");
        if configuration.is_empty() {
            tell(&explain(&reports, &roots, paint))?;
            return Ok(Exit::NoMeter);
        }
        let every = self::configuration(&reports, "interval = \"every\"\n");
        let config = Config::parse("what was found", &every)
            .map_err(|faults| Failure::Configuration(faults.into()))?;
        let state = tempfile::tempdir().map_err(Failure::Scratch)?;
        block_on(self.show(config, state.path(), log, color))??;
        tell(&advice(&configuration, paint))?;
        Ok(Exit::Success)
    }

    async fn show(
        &self,
        config: Config,
        state: &Path,
        log: &logging::LogArguments,
        color: When,
    ) -> Result<(), Failure> {
        let end = self.time.map(|time| Instant::now() + time.get());
        if Screen::is_possible() {
            let lines = log.to_view()?;
            let gateway = Watched::start(config, state.to_owned());
            let paint = Paint::new(color, &io::stdout());
            let shown = on_screen(&gateway, lines, end, paint).await;
            gateway.stop().await?;
            shown.map_err(Failure::output)
        } else {
            let _ = log.to_stderr(color)?;
            let gateway = Watched::start(config, state.to_owned());
            let shown = as_lines(&gateway, end).await;
            gateway.stop().await?;
            shown.map_err(Failure::output)
        }
    }
}

async fn search(roots: &Roots) -> Vec<Report> {
    let candidates = meter_gateway::ports::list(roots);
    let names: Vec<_> = candidates.iter().map(ToString::to_string).collect();
    if !names.is_empty() {
        // Nothing is lost when nobody reads this.
        let _ = writeln!(io::stderr(), "listening on {} …", names.join(", "));
    }
    let found = listen_to_all(candidates, LISTEN).await;
    found.into_iter().filter_map(|found| found.report).collect()
}

/// The configuration that reads the meters that were found, each with `keys` too; empty if there
/// is none.
fn configuration(reports: &[Report], keys: &str) -> String {
    let mut inputs = BTreeMap::new();
    for report in reports {
        let Heard::Meter { server_id } = &report.heard else {
            continue;
        };
        let id = ServerId(server_id).meter_id();
        let name = if inputs.is_empty() {
            "house".to_owned()
        } else {
            format!("meter-{}", inputs.len() + 1)
        };
        let port = toml::Value::from(report.path.display().to_string());
        let mut text = format!("[input.{name}]\ntype = \"serial\"\nport = {port}  # {id}\n{keys}");
        if report.line != Line::SML {
            text.push_str(&line_keys(report.line));
        }
        inputs.insert(name, text);
    }
    inputs.into_values().collect::<Vec<_>>().join("\n")
}

/// The settings of a line that is not the usual one.
fn line_keys(line: Line) -> String {
    let parity = match line.parity {
        Parity::None => "none",
        Parity::Even => "even",
        Parity::Odd => "odd",
    };
    let data_bits = match line.data_bits {
        DataBits::Seven => 7,
        DataBits::Eight => 8,
    };
    format!(
        "baud = {}\ndata_bits = {data_bits}\nparity = \"{parity}\"\n",
        line.baud
    )
}

fn explain(reports: &[Report], roots: &Roots, paint: Paint) -> String {
    if reports.is_empty() {
        return format!("{}\n", NoPorts(roots));
    }
    let heard: Vec<String> = reports
        .iter()
        .map(|report| format!("  {report}\n"))
        .collect();
    // Where no port could be opened, the head is not what is wrong.
    let advice = if reports.iter().any(was_heard) {
        "Is the head on the meter's optical interface, the right way round?\n"
    } else {
        ""
    };
    format!(
        "{}\n{}{advice}`meterline ports` listens again.\n",
        paint.bad("no meter speaks on any port:"),
        heard.concat(),
    )
}

fn was_heard(report: &Report) -> bool {
    !matches!(report.heard, Heard::Closed(_) | Heard::Gone)
}

fn advice(configuration: &str, paint: Paint) -> String {
    format!(
        "\n{}\n\n{configuration}\n[output.backend]\ntype = \"rest\"\nurl = \"https://…\"\n\n{}\n",
        paint.heading("To deliver these readings, write into meterline.toml:"),
        "`meterline check --config meterline.toml` tries it out,\n\
         `meterline run --config meterline.toml` starts it,\n\
         `meterline config example` shows all there is."
    )
}

fn tell(text: &str) -> Result<(), Failure> {
    io::stderr()
        .lock()
        .write_all(text.as_bytes())
        .map_err(Failure::output)
}

/// Until `end`, for ever if there is none.
async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end.into()).await,
        None => std::future::pending().await,
    }
}

async fn on_screen(
    gateway: &Watched,
    mut log: mpsc::UnboundedReceiver<logging::Line>,
    end: Option<Instant>,
    paint: Paint,
) -> io::Result<()> {
    let started = Instant::now();
    let mut screen = Screen::open(paint)?;
    let mut frames = tokio::time::interval(FRAME);
    let mut interrupt = pin!(interrupted());
    let mut view = View {
        title: "meterline: what your meter says".to_owned(),
        arrivals_title: "log, times in UTC".to_owned(),
        footer: "q quits and prints a configuration to go on with; nothing is stored now"
            .to_owned(),
        ..View::default()
    };
    loop {
        view.clock = live::elapsed(started.elapsed());
        live::meters(&mut view, &gateway.snapshots.borrow(), |_| None);
        screen.show(&view)?;
        tokio::select! {
            _ = frames.tick() => {}
            Some(line) = log.recv() => view.push_arrival(live::log_line(line)),
            wish = screen.wish() => if wish == Wish::Quit { return Ok(()) },
            () = until(end) => return Ok(()),
            () = &mut interrupt => return Ok(()),
        }
        if gateway.has_ended() {
            return Ok(());
        }
    }
}

/// A line for each reading: for logs, pipes and people without a terminal.
async fn as_lines(gateway: &Watched, end: Option<Instant>) -> io::Result<()> {
    let mut snapshots = gateway.snapshots.clone();
    let mut interrupt = pin!(interrupted());
    let mut view = View::default();
    loop {
        tokio::select! {
            changed = snapshots.changed() => if changed.is_err() { return Ok(()) },
            () = until(end) => return Ok(()),
            () = &mut interrupt => return Ok(()),
        }
        let before: Vec<u64> = view.meters.iter().map(|meter| meter.readings).collect();
        live::meters(&mut view, &snapshots.borrow_and_update(), |_| None);
        let mut stdout = io::stdout().lock();
        for (index, meter) in view.meters.iter().enumerate() {
            if before.get(index) != Some(&meter.readings) {
                writeln!(stdout, "{}", live::line(meter))?;
            }
        }
        stdout.flush()?;
    }
}
