//! A journal, a directory, and outputs between them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use meter_core::Reading;
use meter_gateway::config;
use meter_gateway::journal::Record;
use meter_gateway::output;
use meter_gateway::output::files::Config;
use tempfile::TempDir;

pub use crate::stage::*;

/// A name of an input, as a meter without an id has it, and one that CSV has to quote.
pub const NAMED: &[u8] = b"shed, \"left\"";

pub struct Setup {
    pub config: Config,
    stage: Stage,
    _files: TempDir,
}

impl Deref for Setup {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

/// Settings without patience.
pub fn config(directory: &Path) -> Config {
    let mut config = Config::new(directory.to_owned());
    config.sync_interval = millis(100);
    config.compress_after = config::Duration::from_days(36_500);
    soon(&mut config.delivery);
    config
}

/// A journal whose readings have registers of each kind.
pub async fn stage() -> Result<Stage> {
    let mut stage = Stage::new().await?;
    stage.further = all_kinds().into();
    Ok(stage)
}

impl Setup {
    pub async fn new() -> Result<Self> {
        let files = TempDir::new()?;
        Ok(Self {
            config: config(files.path()),
            stage: stage().await?,
            _files: files,
        })
    }

    pub async fn start(&self, kind: Kind) -> Result<Running> {
        self.stage.start(kind(self.config.clone())).await
    }

    /// Runs the output until everything is written.
    pub async fn deliver_all(&self, kind: Kind) -> Result {
        self.stage.deliver_all(kind(self.config.clone())).await?;
        Ok(())
    }

    pub fn directory(&self) -> &Path {
        &self.config.directory
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }
}

pub type Kind = fn(Config) -> output::Config;
pub const CSV: Kind = output::Config::Csv;
pub const JSONL: Kind = output::Config::Jsonl;

/// The output's files by their names, compressed ones unpacked.
pub fn files(directory: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or("a name")?.to_owned();
        if !name.starts_with(OUTPUT) {
            continue;
        }
        let bytes = fs::read(&path)?;
        let mut text = String::new();
        if path.extension().is_some_and(|extension| extension == "gz") {
            flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
        } else {
            text = String::from_utf8(bytes)?;
        }
        files.insert(name, text);
    }
    Ok(files)
}

pub fn names(directory: &Path) -> Result<Vec<String>> {
    Ok(files(directory)?.into_keys().collect())
}

/// Waits until the directory has files of these names and no others.
pub async fn until_there(directory: &Path, wanted: &[&str]) -> Result {
    // A file may go while it is looked at.
    let there = async || Ok(names(directory).unwrap_or_default() == wanted);
    wait_for(&format!("{wanted:?}"), there).await
}

/// What must stand in CSV files, sorted: worked out from the meters' bytes.
pub fn expected_rows(records: &[Record]) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    for record in records {
        let reading = Reading::from_bytes(&record.body)?;
        for register in reading.registers() {
            let text = |value: Option<String>| value.unwrap_or_default();
            let value = register.number().map(|number| number.to_string());
            rows.push(vec![
                record.time.to_string(),
                reading.meter_id().to_string(),
                register.obis.to_string(),
                text(register.description().map(|it| it.name.to_owned())),
                text(value.or(register.text().map(str::to_owned))),
                text(
                    register
                        .unit
                        .and_then(|unit| Some(unit.symbol()?.to_owned())),
                ),
                text(register.status.map(|status| status.to_string())),
            ]);
        }
    }
    rows.sort();
    Ok(rows)
}

/// What stands in CSV files, sorted. Each file has the header once, and whole lines only.
pub fn rows(directory: &Path) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    for (name, text) in files(directory)? {
        let text = text.strip_prefix("time,meter,obis,name,value,unit,status\r\n");
        let text = text.ok_or_else(|| format!("{name} has no header"))?;
        assert!(text.is_empty() || text.ends_with("\r\n"), "{name}");
        rows.extend(text.split_terminator("\r\n").map(fields));
    }
    rows.sort();
    Ok(rows)
}

/// The fields of a line, as RFC 4180 has them.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let Some(field) = fields.last_mut() else {
            break;
        };
        match (character, quoted) {
            ('"', true) if characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', false) => fields.push(String::new()),
            (character, _) => field.push(character),
        }
    }
    fields
}
