//! A journal, a directory, and outputs between them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use meter_core::{Reading, UnixMillis};
use meter_gateway::config;
use meter_gateway::journal::{Journal, Options, Record, Start};
use meter_gateway::output::files::Config;
use meter_gateway::output::{self, State, Status};
use meter_gateway::run::Snapshot;
use sml_wire::{GetListRes, Integer, ListEntry, Value};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// 2026-05-28T20:26:40Z.
pub const START: i64 = 1_780_000_000_000;
/// Longer than any test should need for anything.
pub const LIMIT: Duration = Duration::from_secs(30);

pub const HOUSE: [u8; 10] = [0x0a, 0x01, b'E', b'M', b'H', 0x00, 0x00, 0xbc, 0x61, 0x4e];
/// A name of an input, as a meter without an id has it, and one that CSV has to quote.
pub const NAMED: &[u8] = b"shed, \"left\"";

/// The output's name in all tests.
pub const NAME: &str = "house";

pub struct Setup {
    pub journal: Journal,
    pub config: Config,
    _state: TempDir,
    _files: TempDir,
}

/// Settings without patience.
pub fn config(directory: &Path) -> Config {
    let mut config = Config::new(directory.to_owned());
    config.sync_interval = millis(100);
    config.compress_after = config::Duration::from_days(36_500);
    config.delivery.retry_first = millis(100);
    config.delivery.retry_max = millis(100);
    config.delivery.recheck = config::Duration::from_secs(1);
    config
}

impl Setup {
    pub async fn new() -> Result<Self> {
        let state = TempDir::new()?;
        let files = TempDir::new()?;
        let journal = Journal::open(Options::in_directory(state.path()))?;
        // Who waits for readings keeps them, however old they are.
        journal.cursor(NAME, Start::Beginning).await?;
        journal.cursor("audit", Start::Beginning).await?;
        Ok(Self {
            journal,
            config: config(files.path()),
            _state: state,
            _files: files,
        })
    }

    /// Reading number `index`, taken that many seconds after [`START`].
    pub async fn append(&self, index: i64) -> Result {
        append(&self.journal, &HOUSE, START + index * 1000, index).await
    }

    pub async fn append_all(&self, indices: std::ops::Range<i64>) -> Result {
        for index in indices {
            self.append(index).await?;
        }
        Ok(())
    }

    pub async fn start(&self, kind: Kind) -> Result<Running> {
        start(&self.journal, kind(self.config.clone())).await
    }

    /// Runs the output until everything is written.
    pub async fn deliver_all(&self, kind: Kind) -> Result {
        let running = self.start(kind).await?;
        running.until_delivered().await?;
        running.stop().await
    }

    /// What the journal holds.
    pub async fn records(&self) -> Result<Vec<Record>> {
        records(&self.journal).await
    }

    pub fn directory(&self) -> &Path {
        &self.config.directory
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory().join(name)
    }
}

pub type Kind = fn(Config) -> output::Config;
pub const CSV: Kind = output::Config::Csv;
pub const JSONL: Kind = output::Config::Jsonl;

pub async fn records(journal: &Journal) -> Result<Vec<Record>> {
    let mut all = journal.cursor("audit", Start::Beginning).await?;
    let mut found = Vec::new();
    loop {
        let records = all.next(1000).await?;
        let Some(last) = records.last() else {
            return Ok(found);
        };
        all.ack(last.seq).await?;
        found.extend(records);
    }
}

pub async fn append(journal: &Journal, meter: &[u8], time: i64, index: i64) -> Result {
    let body = body(meter, index)?;
    journal.append(meter, UnixMillis(time), body).await?;
    Ok(())
}

pub async fn start(journal: &Journal, output: output::Config) -> Result<Running> {
    output.validate()?;
    let (sender, status) = watch::channel(Status::default());
    let (_, view) = watch::channel(Snapshot::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let cursor = journal.cursor(NAME, Start::Beginning).await?;
    let task = tokio::spawn(async move {
        let shutdown = async { drop(stopped.await) };
        output
            .run(cursor, sender, view, shutdown)
            .await
            .map_err(|error| error.to_string())
    });
    Ok(Running { status, stop, task })
}

/// An output at work.
pub struct Running {
    status: watch::Receiver<Status>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::result::Result<(), String>>,
}

impl Running {
    pub async fn until(&self, what: &str, done: impl FnMut(&Status) -> bool) -> Result<Status> {
        let mut status = self.status.clone();
        let waiting = tokio::time::timeout(LIMIT, status.wait_for(done)).await;
        let Ok(found) = waiting else {
            return Err(format!("never {what}: {:?}", *self.status.borrow()).into());
        };
        Ok(found?.clone())
    }

    pub async fn until_delivered(&self) -> Result<Status> {
        self.until("idle", |status| {
            status.state == State::Idle && status.backlog == 0
        })
        .await
    }

    pub async fn stop(self) -> Result {
        // It may have ended by itself.
        let _ = self.stop.send(());
        tokio::time::timeout(LIMIT, self.task).await???;
        Ok(())
    }
}

/// A small `GetList.Res` with `index` in its counter.
pub fn body(meter: &[u8], index: i64) -> Result<Vec<u8>> {
    let entry = |name, unit, value| ListEntry {
        name,
        status: None,
        time: None,
        unit: Some(Integer::unsigned(unit)),
        scaler: Some(Integer::signed(-1)),
        value: Value::Integer(value),
        signature: None,
    };
    let counter = Integer::unsigned(10_000_000 + index.unsigned_abs());
    let entries = [
        ListEntry {
            status: Some(Integer::unsigned(386)),
            ..entry(&[1, 0, 1, 8, 0, 255], 30, counter)
        },
        entry(&[1, 0, 16, 7, 0, 255], 27, Integer::signed(-1055)),
        entry(&[1, 0, 1, 7, 0, 255], 27, Integer::signed(5)),
        ListEntry {
            unit: None,
            scaler: None,
            value: Value::Octets(b"a \"b\", c"),
            ..entry(&[1, 0, 96, 50, 1, 1], 0, Integer::signed(0))
        },
    ];
    let list = GetListRes {
        entries: entries.as_slice().into(),
        ..GetListRes::of(meter)
    };
    let mut buffer = [0; 512];
    Ok(Reading::new(list)
        .emit(&mut buffer)
        .map_err(|_| "too long")?
        .to_vec())
}

/// The output's files by their names, compressed ones unpacked.
pub fn files(directory: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or("a name")?.to_owned();
        if !name.starts_with(NAME) {
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
    let deadline = std::time::Instant::now() + LIMIT;
    loop {
        // A file may go while it is looked at.
        let found = names(directory).unwrap_or_default();
        if found == wanted {
            return Ok(());
        }
        if std::time::Instant::now() > deadline {
            return Err(format!("there is {found:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
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

pub fn millis(millis: u64) -> config::Duration {
    config::Duration::from_millis(millis)
}

pub fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}
