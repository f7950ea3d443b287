//! A meter on a TCP port, and the program that reads it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use meter_core::UnixMillis;
use meter_core::clock::Now;
use meter_gateway::config::{self, Config};
use meter_gateway::input::monotonic;
use meter_gateway::journal::{Journal, Options, Record, Start};
use meter_gateway::notify::Notify;
use meter_gateway::run::{Clocks, Error, Setup, Signal, Snapshot, run};
use meter_sim::{Meter, MeterConfig, Telegram, model};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

#[path = "../log/mod.rs"]
mod log;

pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A serial server with a meter behind it, which speaks when it is told to.
pub struct Head {
    listener: TcpListener,
    meter: Meter,
    reader: Option<TcpStream>,
    /// How often somebody connected.
    pub connections: usize,
}

impl Head {
    pub async fn new(config: &MeterConfig) -> Result<Self> {
        Self::of("emh-mme40", config).await
    }

    /// With a meter of another model.
    pub async fn of(model: &str, config: &MeterConfig) -> Result<Self> {
        Ok(Self {
            listener: TcpListener::bind("127.0.0.1:0").await?,
            meter: Meter::new(model::find(model)?, config),
            reader: None,
            connections: 0,
        })
    }

    /// Another meter is screwed on in its place.
    pub fn replace(&mut self, config: &MeterConfig) -> Result {
        self.meter = Meter::new(model::find("emh-mme40")?, config);
        Ok(())
    }

    pub fn server_id(&self) -> &[u8] {
        self.meter.server_id()
    }

    /// The table of an input that takes every reading of this meter.
    pub fn table(&self, name: &str) -> Result<String> {
        let address = self.listener.local_addr()?;
        Ok(format!(
            "[input.{name}]\ntype = \"tcp\"\naddress = \"{address}\"\ninterval = \"every\"\n"
        ))
    }

    /// Waits until the program has connected.
    pub async fn connected(&mut self) -> Result<&mut TcpStream> {
        if self.reader.is_none() {
            let (stream, _) = timeout(PATIENCE, self.listener.accept()).await??;
            self.reader = Some(stream);
            self.connections += 1;
        }
        self.reader.as_mut().ok_or_else(|| "no connection".into())
    }

    /// Sends so many telegrams at once.
    pub async fn send(&mut self, telegrams: usize) -> Result {
        for _ in 0..telegrams {
            self.speak().await?;
        }
        Ok(())
    }

    /// Sends one telegram and says what is in it.
    pub async fn speak(&mut self) -> Result<Telegram> {
        let telegram = self.meter.telegram();
        self.connected().await?.write_all(&telegram.bytes).await?;
        Ok(telegram)
    }

    /// Sends the first half of a telegram; [`Self::end`] sends the other one.
    pub async fn begin(&mut self) -> Result<Vec<u8>> {
        let mut bytes = self.meter.telegram().bytes;
        let rest = bytes.split_off(bytes.len() / 2);
        self.connected().await?.write_all(&bytes).await?;
        Ok(rest)
    }

    pub async fn end(&mut self, rest: &[u8]) -> Result {
        Ok(self.connected().await?.write_all(rest).await?)
    }

    /// The program is expected to connect again.
    pub fn hang_up(&mut self) {
        self.reader = None;
    }
}

/// A clock that can be set.
pub struct TestClocks {
    offset: Mutex<i64>,
    /// How long the real machine had been up when this one was started.
    up: Option<Duration>,
}

impl TestClocks {
    /// Says `wall` when the monotonic clock says nought.
    pub fn at(wall: UnixMillis) -> Arc<Self> {
        let clocks = Self {
            offset: Mutex::new(0),
            up: None,
        };
        clocks.set(wall);
        Arc::new(clocks)
    }

    /// That of a machine without a clock chip, which was started a moment ago.
    pub fn without_chip(wall: UnixMillis) -> Arc<Self> {
        let clocks = Self {
            offset: Mutex::new(0),
            up: Some(monotonic()),
        };
        clocks.set(wall);
        Arc::new(clocks)
    }

    pub fn set(&self, wall: UnixMillis) {
        *self.offset.lock().unwrap() = wall.0 - i64::try_from(monotonic().as_millis()).unwrap();
    }
}

impl Clocks for TestClocks {
    fn now(&self) -> Now {
        let monotonic = monotonic();
        let since = i64::try_from(monotonic.as_millis()).unwrap();
        Now {
            wall: UnixMillis(*self.offset.lock().unwrap() + since),
            monotonic: monotonic.saturating_sub(self.up.unwrap_or_default()),
            synchronised: false,
        }
    }

    fn go_on_while_off(&self) -> bool {
        self.up.is_none()
    }
}

/// 2026-12-01T00:00:00Z.
pub const TODAY: UnixMillis = UnixMillis(1_796_083_200_000);

/// The program, in a directory of its own. It says nothing above INFO that is not expected.
pub struct Program {
    pub state: TempDir,
    pub text: Arc<Mutex<String>>,
    pub view: watch::Receiver<Snapshot>,
    signals: mpsc::Sender<Signal>,
    task: JoinHandle<std::result::Result<(), Error>>,
    expected: Vec<&'static str>,
    said_before: usize,
}

impl Program {
    pub fn start(text: &str) -> Result<Self> {
        Self::start_at(text, tempfile::tempdir()?, TestClocks::at(TODAY))
    }

    pub fn start_at(text: &str, state: TempDir, clocks: Arc<TestClocks>) -> Result<Self> {
        Self::start_with(text, state, clocks, Notify::default())
    }

    pub fn start_with(
        text: &str,
        state: TempDir,
        clocks: Arc<dyn Clocks>,
        notify: Notify,
    ) -> Result<Self> {
        let text = Arc::new(Mutex::new(text.to_owned()));
        let again = Arc::clone(&text);
        let read = move || Ok(Config::parse("meterline.toml", &again.lock().unwrap())?);
        let config = read().map_err(|error: config::Error| error.to_string())?;
        let (signals, receiver) = mpsc::channel(4);
        let (sender, view) = watch::channel(Snapshot::default());
        let setup = Setup {
            config,
            source: Box::new(read),
            state_dir: state.path().to_owned(),
            signals: receiver,
            view: sender,
            notify,
            clocks,
        };
        log::listen();
        let said_before = said().len();
        let task = tokio::spawn(run(setup));
        Ok(Self {
            state,
            text,
            view,
            signals,
            task,
            expected: Vec::new(),
            said_before,
        })
    }

    /// Waits until the view shows it.
    pub async fn until(
        &mut self,
        what: &str,
        wanted: impl Fn(&Snapshot) -> bool,
    ) -> Result<Snapshot> {
        let seen = self.view.wait_for(|view| wanted(view));
        let seen = timeout(PATIENCE, seen)
            .await
            .map(|seen| seen.map(|view| view.clone()));
        match seen {
            Ok(Ok(view)) => Ok(view),
            Ok(Err(_)) => Err(format!("the program ended before {what}").into()),
            Err(_) => Err(format!("never {what}: {:#?}", *self.view.borrow()).into()),
        }
    }

    pub async fn stored(&mut self, readings: u64) -> Result<Snapshot> {
        self.until(&format!("{readings} stored"), |view| {
            view.stored >= readings
        })
        .await
    }

    /// Writes another configuration and sends SIGHUP.
    pub async fn reload(&self, text: &str) -> Result {
        text.clone_into(&mut self.text.lock().unwrap());
        Ok(self.signals.send(Signal::Reload).await?)
    }

    /// SIGTERM; gives the state directory back when the program has ended.
    pub async fn stop(self) -> Result<TempDir> {
        self.signals.send(Signal::Stop).await?;
        timeout(PATIENCE, self.task).await???;
        let loud = |line: &String| !line.starts_with("INFO");
        let said = said().into_iter().skip(self.said_before);
        let loud: Vec<String> = said.filter(loud).collect();
        let fits = |line: &String| self.expected.iter().any(|part| line.contains(part));
        if let Some(line) = loud.iter().find(|line| !fits(line)) {
            return Err(format!("nobody expects: {line}").into());
        }
        let missing = |part: &&&str| !loud.iter().any(|line| line.contains(**part));
        if let Some(part) = self.expected.iter().find(missing) {
            return Err(format!("nobody said {part:?}, but {loud:?}").into());
        }
        Ok(self.state)
    }

    /// There has to be a warning or an error with these words by the time at which it stops.
    pub fn expect(&mut self, words: &'static str) {
        self.expected.push(words);
    }
}

/// All but the journal runs in the thread of its test.
fn said() -> Vec<String> {
    log::lines(Some(thread::current().id()))
}

/// Everything in the journal of a program that has ended.
pub async fn journal(state: &Path) -> Result<Vec<Record>> {
    let journal = Journal::open(Options::in_directory(state))?;
    let mut records = Vec::new();
    let mut cursor = journal.cursor("test", Start::Beginning).await?;
    loop {
        let next = cursor.next(1000).await?;
        let Some(last) = next.last() else { break };
        cursor.ack(last.seq).await?;
        records.extend(next);
    }
    journal.close().await;
    Ok(records)
}

pub fn notify_socket(state: &Path) -> (PathBuf, OsString) {
    let path = state.join("notify");
    (path.clone(), path.into_os_string())
}
