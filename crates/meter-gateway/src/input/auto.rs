//! Finds the port on which a meter speaks.

use meter_core::ServerId;
use tokio::task::JoinSet;

use super::Fault;
use super::serial::Config;
use crate::ports::{Candidate, Heard, Listened, Port, Report, list, listen};

/// How long each port is listened to. Meters send every one to four seconds.
const LISTEN: std::time::Duration = std::time::Duration::from_secs(5);

/// Listens to all ports at once and takes the one on which the meter speaks that `config` names, or
/// else the `last` one, or else the only one. Gives the bytes that came from it, too.
pub(super) async fn find(config: &Config, last: Option<&[u8]>) -> Result<(Port, Vec<u8>), Fault> {
    let ports = list(&config.roots());
    if ports.is_empty() {
        return Err(Fault::NoPorts);
    }
    let is_sure = |meter: &[u8]| match &config.meter {
        Some(name) => name.is(meter),
        None => last == Some(meter) || ports.len() == 1,
    };
    let mut probes = JoinSet::new();
    for port in &ports {
        probes.spawn(hear(port.clone(), config.clone()));
    }
    let mut speaking = Vec::new();
    let mut reports = Vec::new();
    while let Some(probe) = probes.join_next().await {
        let Ok((candidate, listened)) = probe else {
            continue;
        };
        if let Some((port, heard)) = listened.port
            && let Heard::Meter { server_id } = &listened.heard
        {
            if is_sure(server_id) {
                return Ok((port, heard));
            }
            speaking.push((server_id.clone(), port, heard));
        }
        reports.push(Report {
            path: candidate.stable_name().to_owned(),
            line: config.line(),
            heard: listened.heard,
        });
    }
    reports.sort_by(|one, other| one.path.cmp(&other.path));
    if config.meter.is_some() || speaking.is_empty() {
        return Err(Fault::NoMeter {
            wanted: config.meter.clone(),
            heard: reports,
        });
    }
    if speaking.len() > 1 {
        let mut meters: Vec<_> = speaking
            .iter()
            .map(|(id, _, _)| ServerId(id).meter_id().to_string())
            .collect();
        meters.sort();
        return Err(Fault::Ambiguous { meters });
    }
    let only = speaking.pop().map(|(_, port, heard)| (port, heard));
    only.ok_or(Fault::NoPorts)
}

async fn hear(candidate: Candidate, config: Config) -> (Candidate, Listened) {
    let listened = match Port::open(&candidate.device, config.line()) {
        Ok(port) => listen(port, LISTEN, &[]).await,
        Err(error) => Listened {
            port: None,
            heard: Heard::Closed(error),
        },
    };
    (candidate, listened)
}
