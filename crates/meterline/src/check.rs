//! `meterline check`: would it work?

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use meter_gateway::config::{self, Config};
use meter_gateway::{input, output};
use tokio::sync::{mpsc, watch};

use crate::event_loop::block_on;
use crate::failure::{Exit, Failure};
use crate::paint::{Paint, When};

/// How long a reading may take. Meters send every one to four seconds, and an input says after ten
/// why none comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Try a configuration out: is the file right, do the meters speak, do the servers answer?
///
/// Reads no journal and sends no reading. A port that a running meterline reads is in use; stop that
/// first to check it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline check
  meterline check --config meterline.toml
  meterline check --offline --config /etc/meterline/meterline.toml && systemctl reload meterline

Exit status:
  0  everything is right
  1  something does not work; each line says what and how to mend it
  3  the configuration is missing or wrong")]
pub struct Arguments {
    /// The configuration file; otherwise the one that `meterline config where` shows
    #[arg(long, short, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    config: Option<PathBuf>,

    /// Only read the file; open no port and call no server
    #[arg(long)]
    offline: bool,
}

impl Arguments {
    /// Checks one thing after the other, and tells of each.
    pub fn run(&self, color: When) -> Result<Exit, Failure> {
        let mut report = Report {
            paint: Paint::new(color, &io::stdout()),
            wrong: 0,
        };
        let Some((path, config)) = crate::config::load(self.config.as_deref())? else {
            return Err(Failure::NoConfiguration);
        };
        report.tell(&path.display(), Ok::<_, String>("is right".to_owned()))?;
        for gap in config.gaps() {
            report.tell(&path.display(), Err(gap))?;
        }
        if !self.offline {
            block_on(check(&config, &mut report))??;
        }
        Ok(if report.wrong == 0 {
            Exit::Success
        } else {
            Exit::Failed
        })
    }
}

/// A line for each thing.
struct Report {
    paint: Paint,
    wrong: u32,
}

impl Report {
    fn tell(
        &mut self,
        what: &impl Display,
        outcome: Result<String, impl Display>,
    ) -> Result<(), Failure> {
        let line = match outcome {
            Ok(text) => format!("{}  {what}: {text}", self.paint.good("ok   ")),
            Err(text) => {
                self.wrong += 1;
                format!("{}  {what}: {text}", self.paint.bad("wrong"))
            }
        };
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{line}")
            .and_then(|()| stdout.flush())
            .map_err(Failure::output)
    }
}

async fn check(config: &Config, report: &mut Report) -> Result<(), Failure> {
    let is_root = rustix::process::geteuid().is_root();
    let state_dir = config.state_dir.clone();
    let state_dir =
        state_dir.unwrap_or_else(|| config::default_state_dir(&config::environment, is_root));
    report.tell(&"state_dir", may_be_written(&state_dir))?;
    for (name, input) in &config.input {
        report.tell(&format!("[input.{name}]"), check_input(input).await)?;
    }
    for (name, output) in &config.output {
        report.tell(&format!("[output.{name}]"), check_output(output).await)?;
    }
    if let Some(http) = &config.http {
        report.tell(&"[http]", http.probe().await)?;
    }
    Ok(())
}

/// The directory, or the nearest one above it that there is, may be written.
fn may_be_written(directory: &Path) -> Result<String, String> {
    let there = directory
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(directory);
    let shown = directory.display();
    if !there.is_dir() {
        return Err(format!(
            "{} is no directory; set state_dir to one",
            there.display()
        ));
    }
    match rustix::fs::access(there, rustix::fs::Access::WRITE_OK) {
        Ok(()) if there == directory => Ok(format!("{shown} may be written")),
        Ok(()) => Ok(format!("{shown} will be made")),
        Err(errno) => Err(format!(
            "{} may not be written: {errno}; run as the user it belongs to, or set state_dir",
            there.display()
        )),
    }
}

async fn check_input(config: &input::Config) -> Result<String, String> {
    match config {
        // Nothing is gained by replaying a recording.
        input::Config::File(_) if config.is_stdin() => Ok("standard input".to_owned()),
        input::Config::File(file) => match std::fs::File::open(&file.path) {
            Ok(_) if file.path.is_dir() => Err(format!(
                "{} is a directory; name a file in it",
                file.path.display()
            )),
            Ok(_) => Ok(format!("{} can be read", file.path.display())),
            Err(error) => Err(format!("{}: {error}; check the path", file.path.display())),
        },
        _ => listen(config).await,
    }
}

/// Others publish when they like, Tasmota every five minutes: to be allowed to listen is enough.
fn is_good_enough(config: &input::Config, state: &input::State) -> bool {
    matches!(config, input::Config::Mqtt(_)) && *state == input::State::Listening
}

/// Reads the input as `run` does, until there is a reading or something is wrong.
async fn listen(config: &input::Config) -> Result<String, String> {
    let (readings, _taken) = mpsc::channel(8);
    let (status, mut seen) = watch::channel(input::Status::default());
    let last = seen.clone();
    let running = input::run("check".into(), config.clone(), readings, status);
    let told = async {
        let is_clear = |status: &input::Status| {
            status.readings > 0 || matches!(status.state, input::State::Trouble(_))
        };
        seen.wait_for(is_clear)
            .await
            .ok()
            .map(|status| status.clone())
    };
    let status = tokio::select! {
        _ = running => None,
        status = told => status,
        () = tokio::time::sleep(PATIENCE) => None,
    };
    let status = status.or_else(|| Some(last.borrow().clone()));
    match status.map(|status| (status.state, status.meter, status.source)) {
        Some((input::State::Trouble(trouble), ..)) => Err(trouble.text),
        Some((_, Some(meter), source)) => Ok(format!(
            "{} speaks on {}",
            input::called(&meter),
            source.unwrap_or_default()
        )),
        Some((state, _, Some(source))) if is_good_enough(config, &state) => Ok(format!(
            "{source} can be listened to; no reading has come within {} s",
            PATIENCE.as_secs()
        )),
        _ => Err(format!(
            "no reading has come within {} s",
            PATIENCE.as_secs()
        )),
    }
}

async fn check_output(config: &output::Config) -> Result<String, String> {
    config.validate().map_err(|error| error.to_string())?;
    config.probe().await.map_err(|error| error.to_string())
}
