//! The way out for a meter that was really replaced.
//!
//! `meterline suspects --accept METER` cannot touch the journal while the daemon has it, so it leaves
//! a file in the state directory, named after the octets of the server id. The daemon looks there
//! every few seconds, takes the meter's suspects into the journal, lets the guard begin anew for this
//! meter, and removes the file. When no daemon runs, the file waits for the next one.

use std::io;
use std::path::{Path, PathBuf};

use meter_core::ServerId;

/// What the names begin with. The files stand in the state directory itself, because there the daemon
/// may remove what root has left.
const PREFIX: &str = "accept-";

/// Asks the daemon, now or at its next start, to accept what the meter with this server id says.
pub fn request(state_dir: &Path, server_id: &[u8]) -> io::Result<PathBuf> {
    let path = place(state_dir, server_id);
    std::fs::write(&path, "")?;
    Ok(path)
}

/// The server ids that are asked for.
pub(super) fn requests(state_dir: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(state_dir) else {
        return Vec::new();
    };
    let server_id = |name: &str| unhex(name.strip_prefix(PREFIX)?);
    entries
        .filter_map(|entry| server_id(entry.ok()?.file_name().to_str()?))
        .collect()
}

/// The request was carried out.
pub(super) fn done(state_dir: &Path, server_id: &[u8]) {
    let path = place(state_dir, server_id);
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::warn!(
            "{}: {error}; remove it by hand, or this meter is accepted again and again",
            path.display()
        );
    }
}

fn place(state_dir: &Path, server_id: &[u8]) -> PathBuf {
    state_dir.join(format!("{PREFIX}{}", ServerId(server_id)))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if text.is_empty() || !text.len().is_multiple_of(2) {
        return None;
    }
    digits.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_found_once() {
        let state = tempfile::tempdir().unwrap();
        assert!(requests(state.path()).is_empty());
        request(state.path(), &[0x0a, 1, 0x45]).unwrap();
        std::fs::write(state.path().join("accept-me"), "").unwrap();
        assert_eq!(requests(state.path()), [vec![0x0a, 1, 0x45]]);
        done(state.path(), &[0x0a, 1, 0x45]);
        assert!(requests(state.path()).is_empty());
    }
}
