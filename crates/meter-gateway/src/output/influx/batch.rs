//! From journal records to lines.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use meter_core::payload::influx::Line;

use super::config::Config;
use crate::output::shape::Shaped;

/// A body is not filled up beyond this before it is compressed. Servers take some megabytes
/// (`InfluxDB` 25 MB, and 10 MB from version 3 on), but nginx in front of one takes 1 MiB.
const FULL_BODY: usize = 1_000_000;

/// Lines, and which readings they are of.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) text: String,
    /// For each line the index of its reading.
    pub(super) of: Vec<usize>,
    /// How many readings, from the first on, are in it or have nothing to write.
    pub(super) readings: usize,
}

impl Batch {
    /// Writes as many of the readings as fit, and at least one.
    pub(super) fn write(config: &Config, readings: &[Shaped<'_>]) -> Self {
        let tags: Vec<(&str, &str)> = config
            .tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let line = Line {
            measurement: &config.measurement,
            tags: &tags,
            texts: config.texts,
        };
        let most = usize::try_from(config.batch_size.get()).unwrap_or(usize::MAX);
        let mut batch = Self::default();
        for (index, shaped) in readings.iter().take(most).enumerate() {
            let before = batch.text.len();
            // Writing into a string cannot fail.
            let written = line.write(shaped, &mut batch.text).unwrap_or_default();
            if index > 0 && batch.text.len() > FULL_BODY {
                batch.text.truncate(before);
                break;
            }
            if written {
                batch.of.push(index);
            }
            batch.readings = index + 1;
        }
        batch
    }
}

/// Compresses a body.
pub(super) fn gzip(text: &str) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    Ok(encoder.finish()?.into())
}
