//! What is decoded.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use meter_sim::{Meter, MeterConfig, model};
use sml_wire::{Decoder, Event};

/// Telegrams of each simulated meter.
const SIMULATED: usize = 20;

/// Bytes to decode.
pub struct Input {
    /// What they are.
    pub name: &'static str,
    /// The bytes, once.
    pub bytes: Vec<u8>,
}

/// The recordings, as they are and the good telegrams of them; without recordings, telegrams of
/// simulated meters.
pub fn all(captures: Option<&Path>) -> Result<Vec<Input>, Box<dyn Error>> {
    let folder = captures.map_or_else(default_folder, Path::to_path_buf);
    let recordings = if folder.is_dir() || captures.is_some() {
        recordings(&folder)?
    } else {
        Vec::new()
    };
    if recordings.is_empty() {
        println!(
            "No recordings in {}: telegrams of simulated meters instead.",
            folder.display()
        );
        return Ok(vec![Input {
            name: "simulated telegrams",
            bytes: simulated()?,
        }]);
    }
    println!("{} recordings in {}.", recordings.len(), folder.display());
    Ok(vec![
        Input {
            name: "good telegrams",
            bytes: recordings.iter().flat_map(|bytes| good(bytes)).collect(),
        },
        Input {
            name: "raw recordings",
            bytes: recordings.concat(),
        },
    ])
}

fn default_folder() -> PathBuf {
    let shared = std::env::var_os("METERLINE_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    shared.join("captures")
}

fn recordings(folder: &Path) -> Result<Vec<Vec<u8>>, std::io::Error> {
    let mut paths = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "bin"));
    paths.sort();
    paths.into_iter().map(fs::read).collect()
}

/// The frames in a recording that are right.
fn good(recording: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(vec![0; 16 * 1024]);
    let mut rest = recording;
    let mut good = Vec::new();
    while let Some(event) = decoder.next(&mut rest) {
        if let Event::Frame(frame) = event {
            let bytes = usize::try_from(frame.offset)
                .ok()
                .and_then(|start| recording.get(start..start + frame.length));
            good.extend_from_slice(bytes.unwrap_or_default());
        }
    }
    good
}

/// Telegrams of those models that every contender can read: sml-rs takes no Kermit checksum and no
/// more than three fill bytes.
fn simulated() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Vec::new();
    for model in model::all()? {
        if model.crc == model::Crc::X25 && model.fill == model::Fill::ZeroToThree {
            let meter = Meter::new(model, &MeterConfig::default());
            bytes.extend(meter.take(SIMULATED).flat_map(|telegram| telegram.bytes));
        }
    }
    Ok(bytes)
}
