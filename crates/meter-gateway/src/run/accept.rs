//! The way out for a meter that was really replaced.
//!
//! `meterline suspects --accept METER` cannot change the journal while the daemon has it, so it leaves
//! an empty file in the state directory, named after the meter. The daemon looks there every few seconds,
//! takes the meter's suspects into the journal, lets the guard begin anew for this meter, and removes
//! the file. When no daemon runs, the file waits for the next one.

use std::io;
use std::path::{Path, PathBuf};

use crate::input::MeterName;

/// What the names begin with. The files stand in the state directory itself, because there the daemon
/// may remove what root has left.
const PREFIX: &str = "accept-";

/// Asks the daemon, now or at its next start, to accept what this meter says. The file that is
/// returned is gone as soon as that is done.
pub fn request(state_dir: &Path, meter: &MeterName) -> io::Result<PathBuf> {
    let path = place(state_dir, meter);
    std::fs::write(&path, "")?;
    Ok(path)
}

/// The meters that are asked for.
pub(super) fn requests(state_dir: &Path) -> Vec<MeterName> {
    let Ok(entries) = std::fs::read_dir(state_dir) else {
        return Vec::new();
    };
    let meter = |name: &str| name.strip_prefix(PREFIX)?.parse().ok();
    entries
        .filter_map(|entry| meter(entry.ok()?.file_name().to_str()?))
        .collect()
}

/// The request was carried out.
pub(super) fn done(state_dir: &Path, meter: &MeterName) {
    let path = place(state_dir, meter);
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::warn!(
            "{}: {error}; remove it by hand, or this meter is accepted again and again",
            path.display()
        );
    }
}

fn place(state_dir: &Path, meter: &MeterName) -> PathBuf {
    state_dir.join(format!("{PREFIX}{}", meter.plain()))
}

#[cfg(test)]
mod tests {
    use meter_core::ServerId;

    use super::*;

    /// Every form of a server id, in every way that it is written.
    #[test]
    fn a_request_finds_its_meter_and_is_found_once() -> Result<(), Box<dyn std::error::Error>> {
        let state = tempfile::tempdir()?;
        let forms: [&[u8]; 5] = [
            &[0x0a, 1, b'E', b'M', b'H', 0, 0x00, 0xa1, 0xbd, 0x34],
            &[6, b'E', b'M', b'H', 1, 2, 0x71, 0x56, 0xcd, 0x45],
            &[1, 0xa8, 0x15, 0x98, 0x64, 0x80, 2, 1, 2],
            b"02280816",
            &[0xff, 0, 0x12],
        ];
        for server_id in forms {
            let id = ServerId(server_id);
            let written = [
                id.meter_id().to_string(),
                id.meter_id().compact().to_string(),
                id.to_string(),
                id.to_string().to_uppercase(),
            ];
            for name in written {
                assert!(requests(state.path()).is_empty());
                let path = request(state.path(), &name.parse()?)?;
                let found = requests(state.path());
                assert!(found.len() == 1 && found[0].is(server_id), "{name}");
                for other in forms.into_iter().filter(|other| *other != server_id) {
                    assert!(!found[0].is(other), "{name}");
                }
                done(state.path(), &found[0]);
                assert!(!path.exists(), "{name}");
            }
        }
        Ok(())
    }
}
