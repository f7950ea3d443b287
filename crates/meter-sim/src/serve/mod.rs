//! Simulated meters that a reader can reach: on a pseudo terminal, over TCP, behind a Tibber Pulse
//! bridge, or as bytes in a file.
//!
//! A [`Feed`] is a meter with its line. [`pty`], [`tcp()`], [`pulse()`] and [`write()`] serve one, at the pace that
//! [`Timing`] says, until it has sent its telegrams or [`Running::stop`] is called. Whoever wants to
//! know what was sent, and what a correct reader must have made of it, asks [`Feed::watch`] first.
//!
//! ```
//! use meter_sim::serve::{Feed, Timing, tcp};
//! use meter_sim::{Faults, Line, Meter, MeterConfig, model};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let meter = Meter::new(model::find("iskra-mt631")?, &MeterConfig::default());
//! let mut feed = Feed::new(meter, Line::new(Faults::NONE, 1));
//! let mut sent = feed.watch();
//! let running = tcp(feed, Timing::unpaced(10), "127.0.0.1:0".parse()?).await?;
//!
//! let mut reader = tokio::net::TcpStream::connect(running.address().to_string()).await?;
//! let mut bytes = Vec::new();
//! tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut bytes).await?;
//! assert_eq!(running.finished().await?, 10);
//! let first = sent.recv().await.map(|sent| sent.telegram);
//! assert!(first.is_some_and(|telegram| bytes.starts_with(&telegram.bytes)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod pace;
mod pty;
mod pulse;
mod tcp;
mod write;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::line::{Line, Passed};
use crate::meter::Meter;
use crate::telegram::Telegram;

pub use self::pty::pty;
pub use self::pulse::{Polls, PulseConfig, pulse};
pub use self::tcp::tcp;
pub use self::write::write;

/// A meter and the line to its reader.
#[derive(Debug)]
pub struct Feed {
    meter: Meter,
    line: Line,
    /// Virtual time up to which the line is dead.
    dead_until_ms: u64,
    watchers: Vec<mpsc::UnboundedSender<Sent>>,
}

/// A telegram that has gone out, and what became of it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The telegram as the meter sent it, with the truth about it.
    pub telegram: Arc<Telegram>,
    /// Whether the line let it through unchanged.
    pub intact: bool,
    /// When its last byte left.
    pub last_byte: Instant,
}

impl Feed {
    /// A meter at the end of a line.
    #[must_use]
    pub fn new(meter: Meter, line: Line) -> Self {
        Self {
            meter,
            line,
            dead_until_ms: 0,
            watchers: Vec::new(),
        }
    }

    /// Tells of every telegram from now on, after its last byte has left.
    pub fn watch(&mut self) -> mpsc::UnboundedReceiver<Sent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.watchers.push(sender);
        receiver
    }

    /// The next telegram, and what comes out at the other end of the line.
    pub fn telegram(&mut self) -> (Telegram, Passed) {
        let dead = self.meter.now_ms() < self.dead_until_ms;
        let telegram = self.meter.telegram();
        let mut passed = self.line.pass(&telegram.bytes);
        if dead {
            passed.bytes.clear();
            passed.intact = false;
        } else if let Some(silence) = passed.silence {
            let silence = u64::try_from(silence.as_millis()).unwrap_or(u64::MAX);
            self.dead_until_ms = self.meter.now_ms().saturating_add(silence);
        }
        (telegram, passed)
    }

    fn tell(&mut self, telegram: Telegram, intact: bool) {
        if self.watchers.is_empty() {
            return;
        }
        let sent = Sent {
            telegram: Arc::new(telegram),
            intact,
            last_byte: Instant::now(),
        };
        self.watchers
            .retain(|watcher| watcher.send(sent.clone()).is_ok());
    }
}

/// How fast telegrams go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Bits a second, ten to a byte; none for as fast as the reader takes them.
    pub baud: Option<u32>,
    /// Real time from telegram to telegram; none for one after the other. A meter with an interval
    /// does not wait for its reader: what nobody reads is lost.
    pub interval: Option<Duration>,
    /// Ends after this many telegrams; never if none.
    pub telegrams: Option<u64>,
}

impl Timing {
    /// As the real meter: 9600 baud, and the interval of its model.
    #[must_use]
    pub fn real(meter: &Meter) -> Self {
        Self {
            baud: Some(9600),
            interval: Some(Duration::from_millis(meter.model().interval_ms)),
            telegrams: None,
        }
    }

    /// This many telegrams, as fast as the reader takes them.
    #[must_use]
    pub fn unpaced(telegrams: u64) -> Self {
        Self {
            baud: None,
            interval: None,
            telegrams: Some(telegrams),
        }
    }

    /// Whole telegrams at this interval, without end.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self {
            baud: None,
            interval: Some(interval),
            telegrams: None,
        }
    }
}

/// Where a reader finds a simulated meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A serial port.
    Port(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
    /// The address of an HTTP server.
    Http(SocketAddr),
    /// Wherever the caller lets it write.
    Writer,
}

/// The path, or `host:port`, or the URL.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Http(address) => write!(f, "http://{address}"),
            Self::Writer => f.write_str("output"),
        }
    }
}

/// A simulated meter that is being served. It ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    address: Address,
    sent: Arc<AtomicU64>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), ServeError>>,
}

/// How long a telegram that is on its way may take to end once a stop was asked for.
const GRACE: Duration = Duration::from_secs(1);

impl Running {
    /// Where the reader finds it.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How many telegrams have gone out.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits until it has sent all the telegrams it was to send, and says how many. On a port
    /// without an interval it waits for them to be read, too, as they go when the port goes.
    ///
    /// # Errors
    /// What ended it before.
    pub async fn finished(mut self) -> Result<u64, ServeError> {
        Self::outcome((&mut self.task).await)?;
        Ok(self.sent())
    }

    /// Lets a telegram that is on its way end, unless nobody takes it, then stops. Says how many
    /// telegrams have gone out.
    ///
    /// # Errors
    /// What ended it before.
    pub async fn stop(mut self) -> Result<u64, ServeError> {
        // Nobody listens any more if it has ended by itself.
        let _ = self.stop.send(true);
        let ended = if let Ok(ended) = tokio::time::timeout(GRACE, &mut self.task).await {
            ended
        } else {
            self.task.abort();
            (&mut self.task).await
        };
        Self::outcome(ended)?;
        Ok(self.sent())
    }

    fn outcome(
        ended: Result<Result<(), ServeError>, tokio::task::JoinError>,
    ) -> Result<(), ServeError> {
        match ended {
            Ok(outcome) => outcome,
            Err(error) if error.is_cancelled() => Ok(()),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a simulated meter cannot be served, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The system gives no pseudo terminal.
    #[error("cannot make a pseudo terminal: {cause}; is /dev/pts mounted?")]
    Pty {
        /// The system's reason.
        cause: std::io::Error,
    },
    /// The link's path is in use by something that is not such a link.
    #[error("{path} exists and is no link to a pseudo terminal; choose another path or remove it")]
    LinkTaken {
        /// The path.
        path: PathBuf,
    },
    /// The link cannot be made.
    #[error("cannot link {path} to the pseudo terminal: {cause}")]
    Link {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}; choose another address or port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// The bytes cannot be written.
    #[error("cannot write the telegrams: {cause}")]
    Write {
        /// The system's reason.
        cause: std::io::Error,
    },
}
