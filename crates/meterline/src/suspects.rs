//! `meterline suspects`: readings that were kept apart, and the way out for a meter that was replaced.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use meter_core::ServerId;
use meter_gateway::config::{self, Config};
use meter_gateway::input::MeterName;
use meter_gateway::journal::{Journal, Suspect};
use meter_gateway::run::request_accept;

use crate::event_loop::runtime;
use crate::failure::{Exit, Failure};

/// How many are listed.
const LIMIT: usize = 1000;

/// Show readings that were not plausible and are kept apart, or accept them
///
/// A counter that falls or jumps is kept apart, so that one bad reading does not spoil a statistic.
/// When a meter was really replaced or reset, `--accept` takes it as it is now. That works while
/// meterline runs, too; the list can only be shown while it does not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meterline suspects
  meterline suspects --accept '1 EMH00 1059 9732'")]
pub struct Arguments {
    /// Accept this meter as it is now; its number as printed on it, or its server id in hex
    #[arg(long, value_name = "METER")]
    accept: Option<MeterName>,

    /// The configuration file; otherwise the one that `meterline config where` shows
    #[arg(long, short, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    config: Option<PathBuf>,
}

impl Arguments {
    /// Lists, or accepts.
    pub fn run(&self) -> Result<Exit, Failure> {
        let config = crate::config::load(self.config.as_deref())?
            .map(|(_, config)| config)
            .unwrap_or_default();
        let is_root = rustix::process::geteuid().is_root();
        let default = config::default_state_dir(&config::environment, is_root);
        let state_dir = config.state_dir.clone().unwrap_or(default);
        let text = match &self.accept {
            Some(meter) => accept(meter, &state_dir)?,
            None => list(&config, &state_dir)?,
        };
        io::stdout()
            .lock()
            .write_all(text.as_bytes())
            .map_err(Failure::output)?;
        Ok(Exit::Success)
    }
}

fn accept(meter: &MeterName, state_dir: &Path) -> Result<String, Failure> {
    let mut server_ids = server_ids(&meter.to_string());
    server_ids.retain(|server_id| meter.is(server_id));
    if server_ids.is_empty() {
        return Err(Failure::NoMeterNumber(meter.to_string()));
    }
    for server_id in &server_ids {
        request_accept(state_dir, server_id).map_err(|source| Failure::Unwritable {
            path: state_dir.to_owned(),
            source,
        })?;
    }
    Ok(format!(
        "meter {meter} is accepted as it is now: at once if meterline runs, else when it starts again\n"
    ))
}

/// The server ids that a meter of this number may have (DIN 43863-5 leaves the first octet open).
fn server_ids(name: &str) -> Vec<Vec<u8>> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut found = vec![name.trim().as_bytes().to_vec()];
    found.extend(octets(&plain));
    if let (Some(medium), Some(maker), Some(block), Some(number)) = (
        plain.get(..1),
        plain.get(1..4),
        plain.get(4..6),
        plain.get(6..),
    ) && let (Some(medium), Some(block), Ok(number)) = (
        octets(&format!("0{medium}")),
        octets(block),
        number.parse::<u32>(),
    ) {
        let maker = maker.to_ascii_uppercase();
        found.extend([0x09, 0x0a].map(|first| {
            [
                &[first][..],
                &medium,
                maker.as_bytes(),
                &block,
                &number.to_be_bytes(),
            ]
            .concat()
        }));
    }
    found
}

/// Octets from hex digits.
fn octets(hex: &str) -> Option<Vec<u8>> {
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if hex.len().is_multiple_of(2) {
        hex.as_bytes().chunks(2).map(octet).collect()
    } else {
        None
    }
}

fn list(config: &Config, state_dir: &Path) -> Result<String, Failure> {
    let options = config.journal.options(state_dir);
    if !options.path.exists() {
        return Ok(format!(
            "there is no journal in {} yet\n",
            state_dir.display()
        ));
    }
    let suspects = runtime()?.block_on(async {
        let journal = Journal::open(options).map_err(Failure::Journal)?;
        let suspects = journal.suspects(LIMIT).await.map_err(Failure::Ask)?;
        journal.close().await;
        Ok::<_, Failure>(suspects)
    })?;
    if suspects.is_empty() {
        return Ok("no reading is kept apart\n".to_owned());
    }
    Ok(suspects.iter().map(line).collect::<Vec<_>>().concat())
}

fn line(suspect: &Suspect) -> String {
    format!(
        "{}  {}  {}\n",
        suspect.time,
        ServerId(&suspect.meter).meter_id(),
        suspect.reason
    )
}

#[cfg(test)]
mod tests {
    use meter_gateway::input::MeterName;

    use super::server_ids;

    #[test]
    fn a_number_as_printed_leads_to_its_server_id() {
        let ids = |name: &str| {
            let meter: MeterName = name.parse().unwrap_or_else(|error| panic!("{error}"));
            let mut ids = server_ids(name);
            ids.retain(|id| meter.is(id));
            ids
        };
        let emh = [0x0a, 0x01, b'E', b'M', b'H', 0x00, 0x00, 0xa1, 0xbd, 0x34];
        for name in [
            "1 EMH00 1059 9732",
            "1emh0010599732",
            "0a01454d480000a1bd34",
        ] {
            assert!(ids(name).contains(&emh.to_vec()), "{name}");
        }
        assert!(ids("02280816").contains(&b"02280816".to_vec()));
        assert!(ids("nonsense!").len() <= 1);
    }
}
