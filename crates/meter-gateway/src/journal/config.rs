//! The journal's table in the configuration file.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::options::Options;
use crate::config::{Duration, Size};

/// How much the journal keeps, and how safe it is from a power cut.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long readings are kept after every output has delivered them. Readings that are not
    /// delivered do not age.
    pub max_age: Duration,
    /// How much of the disk the journal's files may take together, at least 512 KiB. When it is
    /// used up, delivered readings go first; then undelivered ones are thinned to one of each quarter-hour.
    pub max_size: Size,
    /// What a power cut may cost: the readings of this long. Shorter means more writing to the disk.
    pub sync_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_age: Duration::from_days(31),
            max_size: Size::from_mib(1024),
            sync_interval: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// The options for a journal in the state directory.
    #[must_use]
    pub fn options(&self, directory: &Path) -> Options {
        Options {
            max_age: self.max_age.get(),
            max_size: self.max_size.bytes(),
            sync_interval: self.sync_interval.get(),
            ..Options::in_directory(directory)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_options() {
        let directory = Path::new("/var/lib/meterline");
        assert_eq!(
            Config::default().options(directory),
            Options::in_directory(directory)
        );
    }
}
