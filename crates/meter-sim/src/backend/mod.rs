//! A simulated REST server, for tests, benches and `meterline demo`.
//!
//! It is a real HTTPS server with a certificate authority made on the spot. It
//! keeps every POST and fails in every way that servers and networks do:
//! [`Certificate`] has the faults of certificates, [`Connection`] those of
//! connections, [`Step`] those of requests, and [`Backend::outage`] takes the
//! server away and brings it back on the same port.

mod behaviour;
mod certificates;
mod server;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use behaviour::{Answer, Behaviour, Connection, Encoding, Refusal, Step};
pub use certificates::{Certificate, Identity};

use certificates::Authority;

/// What the backend is; how it behaves is [`Behaviour`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The port on the loopback interface; 0 takes a free one.
    pub port: u16,
    /// The host in [`Backend::url`]; the certificate is good for it, for
    /// `localhost` and for 127.0.0.1.
    pub host: String,
    /// HTTPS, or plain HTTP.
    pub tls: bool,
    /// The certificate to show.
    pub certificate: Certificate,
    /// Whether a client must show a certificate of the same authority.
    pub client_certificate_required: bool,
    /// How many POSTs are kept; the oldest go first. The count goes on.
    pub keep: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            host: "localhost".to_owned(),
            tls: true,
            certificate: Certificate::Good,
            client_certificate_required: false,
            keep: usize::MAX,
        }
    }
}

/// Why the backend cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS settings do not fit together.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The client verifier cannot be made.
    #[error("cannot verify clients: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// One request that arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// `POST`, most of the time.
    pub method: String,
    /// Path and query, token included.
    pub path: String,
    /// Name and value, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
    /// The body as JSON, if it is.
    pub json: Option<serde_json::Value>,
    /// When its last byte was there.
    pub arrival: Instant,
    /// The status of the answer; `None` if there was none.
    pub answered: Option<u16>,
    /// Counts the connections from 1, so that keep-alive shows.
    pub connection: u64,
}

impl Received {
    /// The first header of this name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The readings in the body: the elements of an array, or the body itself.
    #[must_use]
    pub fn readings(&self) -> &[serde_json::Value] {
        match &self.json {
            Some(serde_json::Value::Array(all)) => all,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        }
    }

    /// Whether the backend took the readings (any 2xx).
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.answered
            .is_some_and(|status| (200..300).contains(&status))
    }
}

/// What the server's tasks share with its owner.
struct Shared {
    config: Config,
    /// With none, it speaks plain HTTP.
    tls: Mutex<Option<Arc<rustls::ServerConfig>>>,
    behaviour: Mutex<Behaviour>,
    received: Mutex<Log>,
    arrived: Notify,
    /// What [`Backend::outage`] asked for.
    wanted_open: watch::Sender<bool>,
    /// What the server has made of it.
    is_open: watch::Sender<bool>,
}

#[derive(Default)]
struct Log {
    kept: std::collections::VecDeque<Received>,
    count: u64,
    connections: u64,
}

impl Shared {
    fn tls(&self) -> MutexGuard<'_, Option<Arc<rustls::ServerConfig>>> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, received: Received) {
        let mut log = self.log();
        log.count += 1;
        log.kept.push_back(received);
        while log.kept.len() > self.config.keep {
            log.kept.pop_front();
        }
        drop(log);
        self.arrived.notify_waiters();
    }
}

/// A running server. It stops when it is dropped.
pub struct Backend {
    shared: Arc<Shared>,
    authority: Authority,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Backend {
    /// Starts a server on the loopback interface, as tasks of the tokio runtime
    /// that it is called in.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let authority = Authority::new("simulated authority")?;
        let tls = config
            .tls
            .then(|| authority.server_of(&config, config.certificate))
            .transpose()?;
        let wanted = SocketAddr::from(([127, 0, 0, 1], config.port));
        let listener = server::listen(wanted)?;
        let address = listener.local_addr().map_err(|source| StartError::Listen {
            address: wanted,
            source,
        })?;
        let shared = Arc::new(Shared {
            config,
            tls: Mutex::new(tls.map(Arc::new)),
            behaviour: Mutex::default(),
            received: Mutex::default(),
            arrived: Notify::new(),
            wanted_open: watch::Sender::new(true),
            is_open: watch::Sender::new(true),
        });
        let task = tokio::spawn(server::run(Arc::clone(&shared), listener, address));
        Ok(Self {
            shared,
            authority,
            address,
            task,
        })
    }

    /// `https://localhost:PORT` followed by `path`, which begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.shared.config.tls {
            "https"
        } else {
            "http"
        };
        format!(
            "{scheme}://{}:{}{path}",
            self.shared.config.host,
            self.address.port()
        )
    }

    /// The port, also while there is an outage.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The certificate of the backend's authority.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.authority.pem()
    }

    /// Shows another certificate to the connections that are opened from now on.
    pub fn set_certificate(&self, certificate: Certificate) -> Result<(), StartError> {
        let tls = self.authority.server_of(&self.shared.config, certificate)?;
        let mut current = self.shared.tls();
        if current.is_some() {
            *current = Some(Arc::new(tls));
        }
        Ok(())
    }

    /// A new client certificate of the backend's authority.
    pub fn client_identity(&self) -> Result<Identity, StartError> {
        self.authority.client()
    }

    /// A new certificate of the backend's authority for another server, such as
    /// a proxy in front of this one.
    pub fn server_identity(&self, names: &[&str]) -> Result<Identity, StartError> {
        self.authority.identity_for(names)
    }

    /// Replaces the behaviour, from the next connection and request on.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        *self.shared.behaviour() = behaviour;
    }

    /// `true` closes the port and every connection, so that clients are
    /// refused; `false` opens the same port again. Returns when it is done.
    pub async fn outage(&self, away: bool) {
        self.shared.wanted_open.send_replace(!away);
        let mut is_open = self.shared.is_open.subscribe();
        // Fails only when the server's task is gone, and then there is nothing to wait for.
        let _ = is_open.wait_for(|open| *open != away).await;
    }

    /// Everything that was kept, in the order of arrival.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.log().kept.iter().cloned().collect()
    }

    /// The same, and forgets it.
    #[must_use]
    pub fn take_received(&self) -> Vec<Received> {
        self.shared.log().kept.drain(..).collect()
    }

    /// Every reading that was accepted, in the order of arrival.
    #[must_use]
    pub fn accepted_readings(&self) -> Vec<serde_json::Value> {
        let log = self.shared.log();
        let accepted = log.kept.iter().filter(|request| request.accepted());
        accepted
            .flat_map(|request| request.readings().iter().cloned())
            .collect()
    }

    /// How many requests arrived since the start.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.shared.log().count
    }

    /// How many connections were accepted since the start.
    #[must_use]
    pub fn connection_count(&self) -> u64 {
        self.shared.log().connections
    }

    /// Waits until `done` is true of the backend, which it asks after every
    /// request. Returns whether it became true within `limit`.
    pub async fn wait_until(&self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let waiting = async {
            loop {
                let arrived = self.shared.arrived.notified();
                tokio::pin!(arrived);
                // Registered before the question, so that no arrival is missed.
                arrived.as_mut().enable();
                if done(self) {
                    return;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(limit, waiting).await.is_ok()
    }

    /// Stops serving and closes everything.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}
