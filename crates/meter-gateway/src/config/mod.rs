//! The configuration: one TOML file, and the value types that its tables share.
//!
//! Every part of the program keeps its own `Config` beside its code; this module holds what several
//! of them need, and reads the file.
//!
//! # For those who write a part's `Config`
//!
//! Derive `Deserialize`, `JsonSchema`, `Debug`, `Clone` and `PartialEq` (a reload restarts only what
//! differs), with `#[serde(deny_unknown_fields)]`, and `#[serde(default)]` where every key has a
//! default. Doc comments become the comments of `meterline config example` and the descriptions of
//! the JSON Schema. An enum that is chosen by a `type` key has one newtype variant per kind and is
//! written `#[derive(Deserialize, JsonSchema)] #[serde(rename_all = "lowercase")]
//! #[schemars(tag = "type")]`: without `#[serde(tag = "type")]`, because serde then loses the
//! positions in the file, and our own deserializer reads `type` by itself. Instead of
//! `#[serde(flatten)]`, for the same reason, one field written `#[serde(rename = "*")]
//! #[schemars(flatten)]` takes all keys that the struct itself does not have.

mod document;
mod duration;
mod example;
mod fault;
mod file;
mod guard;
mod interval;
mod read;
mod secret;
mod size;
mod value;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{input, journal, output, serve};
use fault::Fault;

pub use document::{Document, Given};
pub use duration::{BadDuration, Duration};
pub(crate) use duration::{a_second_or_more, a_tenth_or_more};
pub use example::{example, schema};
pub use file::{Environment, Error, candidates, default_state_dir, environment, find, load};
pub use guard::Guard;
pub use interval::Interval;
pub use read::Faults;
pub use secret::{BadSecret, Secret};
pub use size::{BadSize, Size};

/// The configuration file.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the journal is kept. Without it: systemd's `StateDirectory`, `/var/lib/meterline` for
    /// root, `~/.local/state/meterline` for anybody else.
    #[schemars(extend("examples" = ["/var/lib/meterline"]))]
    pub state_dir: Option<PathBuf>,
    /// Where meters are read: one table `[input.NAME]` for each. A meter that sends no id is called
    /// by the name of its input everywhere: renaming that input makes another meter of it.
    pub input: BTreeMap<String, input::Config>,
    /// Where readings go: one table `[output.NAME]` for each. The name is also that of the output's
    /// place in the journal: renaming it begins with the newest reading.
    pub output: BTreeMap<String, output::Config>,
    /// What other programs may read by HTTP: metrics for Prometheus, readings as
    /// JSON, and what they would ask vzlogger, Tasmota, an `EcoTracker` or a Shelly. Without this table there is no
    /// server. It asks for no password, so let it be reached only from where everybody may know what
    /// your meters say.
    pub http: Option<serve::Config>,
    /// How readings are kept until every output has delivered them.
    pub journal: journal::Config,
    /// Which readings are too strange to be true.
    pub guard: Guard,
}

impl Config {
    /// Reads the text of a file that is called `file` in what is said about it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        let unnamed = read::unnamed(text, &["input", "output"]);
        if !unnamed.is_empty() {
            return Err(Faults::new(file, text, unnamed));
        }
        read::read(file, text, |config: &Self| config.faults(text))
    }

    /// What is right and yet hardly meant: nothing is read, nothing is sent, or all of it twice.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        let input = "there is no [input.NAME] in the configuration, so no meter is read \
                     (`meterline ports` shows what is plugged in)";
        let output = "there is no [output.NAME] in the configuration, so readings are kept in the \
                      journal and sent nowhere";
        let http = "[http] turns everything off, so its server answers nothing";
        let mute = |http: &serve::Config| http.shows_nothing();
        let gaps = [
            self.input.is_empty().then_some(input),
            // Those who only want to be asked have no output.
            (self.output.is_empty() && self.http.is_none()).then_some(output),
            self.http.as_ref().is_some_and(mute).then_some(http),
        ];
        let gaps = gaps.into_iter().flatten().map(str::to_owned);
        gaps.chain(self.twins()).collect()
    }

    /// Outputs that differ in nothing but their names.
    fn twins(&self) -> impl Iterator<Item = String> {
        let outputs = self.output.iter().enumerate();
        outputs.filter_map(|(index, (name, output))| {
            let mut before = self.output.iter().take(index);
            let (twin, _) = before.find(|(_, other)| *other == output)?;
            Some(format!(
                "[output.{name}] is the same as [output.{twin}], so every reading is sent there twice"
            ))
        })
    }

    /// Inputs whose serial port another one reads: two readers steal each other's bytes.
    fn shared_ports(&self) -> Vec<(&str, String)> {
        let mut first = BTreeMap::new();
        let mut shared = Vec::new();
        for (name, input) in &self.input {
            let Some(port) = input.fixed_port() else {
                continue;
            };
            match first.entry(port) {
                Entry::Vacant(entry) => {
                    entry.insert(name);
                }
                Entry::Occupied(entry) => shared.push((
                    name.as_str(),
                    format!("this port is already read by [input.{}]", entry.get()),
                )),
            }
        }
        shared
    }

    /// What fits its type and is wrong all the same.
    fn faults(&self, text: &str) -> Vec<Fault> {
        let refuse =
            |path: &[&str], message: String| Fault::refused(path, read::place(text, path), message);
        let mut faults = Vec::new();
        if self
            .state_dir
            .as_ref()
            .is_some_and(|dir| !dir.is_absolute())
        {
            let message = "state_dir must be an absolute path, so that it does not depend on where \
                           the program is started";
            faults.push(refuse(&["state_dir"], message.to_owned()));
        }
        let names = self.input.keys().map(|name| ("input", name));
        for (table, name) in names.chain(self.output.keys().map(|name| ("output", name))) {
            if !is_name(name) {
                let message =
                    format!("`{name}` is no name: use letters, digits, `-` and `_`, 64 at most");
                faults.push(refuse(&[table, name], message));
            }
        }
        for (name, output) in &self.output {
            if let Err(error) = output.validate() {
                let key = error.key();
                let path: Vec<&str> = ["output", name].into_iter().chain(key).collect();
                faults.push(refuse(&path, error.to_string()));
            }
        }
        if let Some((key, message)) = self.http.as_ref().and_then(serve::Config::fault) {
            faults.push(refuse(&["http", key], message.to_owned()));
        }
        let mut stdin = self.input.iter().filter(|(_, config)| config.is_stdin());
        if let (Some((first, _)), Some((second, _))) = (stdin.next(), stdin.next()) {
            let message = format!("standard input is already read by [input.{first}]");
            faults.push(refuse(&["input", second, "path"], message));
        }
        for (name, message) in self.shared_ports() {
            faults.push(refuse(&["input", name, "port"], message));
        }
        faults
    }
}

/// Names go into logs, into file names and into the journal.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
