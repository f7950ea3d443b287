//! `meterline ports`: what is plugged in, and what speaks SML on it.

use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;

use meter_core::ServerId;
use meter_core::payload::Hex;
use meter_gateway::config::Duration;
use meter_gateway::ports::{Candidate, Heard, Report, Roots, list, probe};
use serde_json::json;
use tokio::task::JoinSet;

use crate::event_loop::block_on;
use crate::failure::{Exit, Failure};
use crate::paint::{Paint, When};

/// Show which serial ports there are, and which meter speaks on each
///
/// Listens to all ports at once, first as SML meters speak (9600 baud, 8N1), then at the speeds of
/// other protocols, so that it can say what a silent or garbled port really is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline ports
  meterline ports --no-listen            only list them
  meterline ports --json | jq -r '.[] | select(.server_id) | .path'

Exit status:
  0  a meter speaks on at least one port (with --no-listen: there is a port)
  4  there is none")]
pub struct Arguments {
    /// Print a JSON array
    #[arg(long)]
    json: bool,

    /// How long to listen with each setting; meters send every one to four seconds
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    listen: Duration,

    /// Do not open the ports
    #[arg(long)]
    no_listen: bool,

    /// Take every entry of this directory for a port, too
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: Vec<PathBuf>,
}

/// One port with what was heard on it, if anybody listened.
pub struct Found {
    /// The port.
    pub candidate: Candidate,
    /// What was heard.
    pub report: Option<Report>,
}

impl Arguments {
    /// Lists the ports, listens, and prints.
    pub fn run(&self, color: When) -> Result<Exit, Failure> {
        let roots = Roots {
            also: self.dir.clone(),
            ..Roots::default()
        };
        let candidates = list(&roots);
        let found = if self.no_listen {
            candidates
                .into_iter()
                .map(|candidate| Found {
                    candidate,
                    report: None,
                })
                .collect()
        } else {
            block_on(listen_to_all(candidates, self.listen.get()))?
        };
        let mut text = Vec::new();
        if self.json {
            print_json(&mut text, &found)
        } else {
            print_text(&mut text, &found, &roots, Paint::new(color, &io::stdout()))
        }
        .and_then(|()| io::stdout().lock().write_all(&text))
        .map_err(Failure::output)?;
        let good = found
            .iter()
            .any(|found| self.no_listen || meter(found).is_some());
        Ok(if good { Exit::Success } else { Exit::NoMeter })
    }
}

/// Listens on all ports at once.
pub async fn listen_to_all(candidates: Vec<Candidate>, time: std::time::Duration) -> Vec<Found> {
    let mut probes = JoinSet::new();
    for candidate in candidates {
        probes.spawn(async move {
            let report = Some(probe(&candidate, time).await);
            Found { candidate, report }
        });
    }
    let mut found = probes.join_all().await;
    found.sort_by(|one, other| one.candidate.device.cmp(&other.candidate.device));
    found
}

/// The server id of the meter on a port.
fn meter(found: &Found) -> Option<&[u8]> {
    match found.report.as_ref()?.heard {
        Heard::Meter { ref server_id } => Some(server_id),
        _ => None,
    }
}

fn print_json(out: &mut Vec<u8>, found: &[Found]) -> io::Result<()> {
    let ports: Vec<_> = found
        .iter()
        .map(|found| {
            let Candidate {
                device,
                by_id,
                by_path,
                usb,
            } = &found.candidate;
            json!({
                "device": device,
                "path": found.candidate.stable_name(),
                "by_id": by_id,
                "by_path": by_path,
                "usb": usb.as_ref().map(ToString::to_string),
                "heard": found.report.as_ref().map(|report| report.heard.to_string()),
                "line": found.report.as_ref().map(|report| report.line.to_string()),
                "server_id": meter(found).map(|id| Hex(id).to_string()),
                "meter_id": meter(found).map(|id| ServerId(id).meter_id().to_string()),
            })
        })
        .collect();
    writeln!(out, "{}", serde_json::Value::from(ports))
}

fn print_text(out: &mut Vec<u8>, found: &[Found], roots: &Roots, paint: Paint) -> io::Result<()> {
    for found in found {
        writeln!(out, "{}", paint.heading(&found.candidate))?;
        let stable = found.candidate.stable_name();
        if stable != found.candidate.device {
            writeln!(out, "  name to configure: {}", stable.display())?;
        }
        let Some(report) = &found.report else {
            continue;
        };
        let heard = format!("{} at {}", report.heard, report.line);
        match report.heard {
            Heard::Meter { .. } => writeln!(out, "  {}", paint.good(heard))?,
            Heard::Other(_) => writeln!(out, "  {}", paint.warn(heard))?,
            Heard::Closed(_) | Heard::Gone => writeln!(out, "  {}", paint.bad(&report.heard))?,
        }
    }
    if found.is_empty() {
        writeln!(out, "{}", NoPorts(roots))?;
    }
    Ok(())
}

/// What was looked for in vain, and what to do.
pub struct NoPorts<'r>(pub &'r Roots);

impl fmt::Display for NoPorts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dev = self.0.dev.display();
        writeln!(
            f,
            "no serial port was found: looked for {dev}/ttyUSB*, {dev}/ttyACM*, {dev}/ttyAMA*,"
        )?;
        writeln!(f, "{dev}/serial0 and {dev}/serial/by-id/*")?;
        for folder in &self.0.also {
            let missing = if folder.is_dir() {
                ""
            } else {
                ", which is no directory"
            };
            writeln!(f, "and in {}{missing}", folder.display())?;
        }
        write!(
            f,
            "Plug the read head in; `dmesg | tail` shows whether the system sees it. In a container the\n\
             device has to be passed in (--device /dev/ttyUSB0). Without hardware, `meterline demo` shows\n\
             how it all works."
        )
    }
}
