//! Simulated meters, served where their readers look for them.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use meter_core::ServerId;
use meter_sim::serve::{self, Feed, PulseConfig, Running, Timing};
use meter_sim::{Line, Meter, MeterConfig};

use super::model::serial;
use super::{Arguments, Speed};
use crate::event_loop::{block_on, interrupted};
use crate::failure::{Exit, Failure};
use crate::progress::Progress;

/// Where the bytes go.
enum Goal {
    /// Where readers find the meters.
    Place(Place),
    /// Into a file; `-` is standard output.
    Out(PathBuf),
}

/// Where readers find the meters.
enum Place {
    Pty(Option<PathBuf>),
    Tcp(SocketAddr),
    Tibber(SocketAddr),
}

/// Serves the meters until they have sent what they were to send, or until Ctrl-C.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let goal = goal(arguments);
    let all = 0..arguments.models.len();
    let mut meters: Vec<Simulated> = all
        .filter_map(|index| simulated(arguments, &goal, index))
        .collect();
    let place = match goal {
        Goal::Out(path) => return write(&mut meters, &path, arguments),
        Goal::Place(place) => place,
    };
    block_on(async {
        let mut running = Vec::new();
        for (index, meter) in meters.into_iter().enumerate() {
            let id = ServerId(&meter.server_id).meter_id().to_string();
            let served = serve(&place, index, meter).await.map_err(Failure::Serve)?;
            let model = arguments
                .models
                .get(index)
                .map_or("", |model| model.title.as_str());
            writeln!(io::stdout(), "{id} ({model}) on {}", served.address())
                .map_err(Failure::output)?;
            running.push(served);
        }
        if let Place::Tibber(_) = place {
            let PulseConfig {
                node_id, password, ..
            } = PulseConfig::default();
            let line = format!("user admin, password {password}, node {node_id}");
            writeln!(io::stdout(), "{line}").map_err(Failure::output)?;
        }
        let mut interrupted = pin!(interrupted());
        for meter in running {
            tokio::select! {
                ended = meter.finished() => drop(ended.map_err(Failure::Serve)?),
                () = &mut interrupted => return Ok(Exit::Success),
            }
        }
        Ok(Exit::Success)
    })?
}

/// A meter with its line and its pace.
struct Simulated {
    server_id: Vec<u8>,
    feed: Feed,
    timing: Timing,
}

fn simulated(arguments: &Arguments, goal: &Goal, index: usize) -> Option<Simulated> {
    let model = arguments.models.get(index)?;
    let settings = &arguments.meter;
    let interval = settings.interval.map(meter_gateway::config::Duration::get);
    let config = MeterConfig {
        seed: settings.seed.wrapping_add(index as u64),
        pin_entered: !settings.no_pin,
        step_ms: interval.and_then(|interval| u64::try_from(interval.as_millis()).ok()),
        pv_peak_w: settings.pv,
        serial: serial(&arguments.models, index),
        ..MeterConfig::default()
    };
    let meter = Meter::new(model.clone(), &config);
    let real = Timing::real(&meter);
    let timing = match speed(arguments, goal) {
        Speed::Realtime => Timing {
            interval: interval.or(real.interval),
            ..real
        },
        Speed::Max => Timing {
            baud: None,
            interval: None,
            telegrams: None,
        },
    };
    Some(Simulated {
        server_id: meter.server_id().to_vec(),
        feed: Feed::new(meter, Line::new(arguments.faults.0, config.seed)),
        timing: Timing {
            telegrams: arguments.count,
            ..timing
        },
    })
}

/// A reader of a line expects a meter's pace; one of a file does not want to wait.
fn speed(arguments: &Arguments, goal: &Goal) -> Speed {
    arguments.speed.unwrap_or(if matches!(goal, Goal::Out(_)) {
        Speed::Max
    } else {
        Speed::Realtime
    })
}

fn goal(arguments: &Arguments) -> Goal {
    let destination = &arguments.destination;
    if let Some(address) = destination.tcp {
        Goal::Place(Place::Tcp(address))
    } else if let Some(address) = destination.tibber {
        Goal::Place(Place::Tibber(address))
    } else if let Some(path) = &destination.out {
        Goal::Out(path.clone())
    } else if destination.pty || destination.link.is_some() || io::stdout().is_terminal() {
        Goal::Place(Place::Pty(destination.link.clone()))
    } else {
        Goal::Out(PathBuf::from("-"))
    }
}

async fn serve(
    place: &Place,
    index: usize,
    meter: Simulated,
) -> Result<Running, serve::ServeError> {
    let Simulated { feed, timing, .. } = meter;
    match place {
        Place::Pty(link) => {
            let link = link.as_deref().map(|link| numbered(link, index));
            if let Some(directory) = link.as_deref().and_then(Path::parent) {
                // The link says what is wrong when this fails.
                let _ = std::fs::create_dir_all(directory);
            }
            serve::pty(feed, timing, link.as_deref())
        }
        Place::Tcp(address) => serve::tcp(feed, timing, next_port(*address, index)).await,
        Place::Tibber(address) => {
            let config = PulseConfig {
                listen: next_port(*address, index),
                ..PulseConfig::default()
            };
            serve::pulse(feed, timing, config)
                .await
                .map(|(running, _)| running)
        }
    }
}

/// The second meter's link is `NAME-2`.
fn numbered(link: &Path, index: usize) -> PathBuf {
    if index == 0 {
        return link.to_owned();
    }
    let mut name = link.as_os_str().to_owned();
    name.push(format!("-{}", index + 1));
    PathBuf::from(name)
}

/// The second meter's port is the next one, unless any will do.
fn next_port(mut address: SocketAddr, index: usize) -> SocketAddr {
    if address.port() != 0 {
        let further = u16::try_from(index).unwrap_or(u16::MAX);
        address.set_port(address.port().saturating_add(further));
    }
    address
}

/// Writes the telegrams of all meters by turns: whole ones, as on lines of their own.
fn write(meters: &mut [Simulated], path: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::Unwritable {
            path: path.to_owned(),
            source,
        },
    };
    let mut out: Box<dyn Write> = if path == Path::new("-") {
        Box::new(io::stdout().lock())
    } else {
        Box::new(BufWriter::new(File::create(path).map_err(failed)?))
    };
    let pause = match arguments.speed.unwrap_or(Speed::Max) {
        Speed::Max => Duration::ZERO,
        Speed::Realtime => meters
            .iter()
            .filter_map(|meter| meter.timing.interval)
            .max()
            .unwrap_or_default(),
    };
    let telegrams = arguments
        .count
        .map(|count| count.saturating_mul(meters.len() as u64));
    let progress = if path == Path::new("-") {
        Progress::none()
    } else {
        Progress::writing(telegrams, !pause.is_zero())
    };
    let (mut round, mut telegrams, mut bytes) = (0, 0, 0);
    while arguments.count.is_none_or(|count| round < count) {
        if round > 0 && !pause.is_zero() {
            std::thread::sleep(pause);
        }
        for meter in &mut *meters {
            let (_, passed) = meter.feed.telegram();
            out.write_all(&passed.bytes).map_err(failed)?;
            telegrams += 1;
            bytes += passed.bytes.len() as u64;
        }
        progress.written(telegrams, bytes);
        if !pause.is_zero() {
            out.flush().map_err(failed)?;
        }
        round += 1;
    }
    out.flush().map_err(failed)?;
    Ok(Exit::Success)
}
