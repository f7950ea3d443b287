//! The socket, and the connections on it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::config::Config;
use super::connections::{Connections, Place};
use super::patience::Patience;
use super::router::{Shared, router};
use super::shelly::answer_udp;
use super::site::Site;

/// A port that is taken is asked for again after this.
const PAUSE: Duration = Duration::from_secs(5);

/// The head of a request comes within this, and the next request of a connection too.
const HEAD: Duration = Duration::from_secs(30);

/// The other side takes something within this.
const WRITE: Duration = Duration::from_secs(20);

/// The head of a request is no longer than this.
const LONGEST_HEAD: usize = 16 * 1024;

/// What the server shows of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Where it listens.
    pub address: Option<SocketAddr>,
    /// Why it does not, and what to do about it.
    pub trouble: Option<String>,
}

/// The server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Stop the other program, or take another port.
    #[error(
        "port {} is taken by another program: stop that one (`ss -lntup` names it), or write another port in \
         {key} of [http]",
        address.port()
    )]
    Taken {
        /// Where it was to listen.
        address: SocketAddr,
        /// The key that says so.
        key: &'static str,
    },
    /// Take a port that everybody may, or ask for the right to.
    #[error(
        "only root may listen on port {}: write a port from 1024 up in {key} of [http], or give the service \
         the right (`AmbientCapabilities=CAP_NET_BIND_SERVICE`)",
        address.port()
    )]
    Forbidden {
        /// Where it was to listen.
        address: SocketAddr,
        /// The key that says so.
        key: &'static str,
    },
    /// Write an address of this machine.
    #[error(
        "{} is no address of this machine (`ip address` shows those): write one of them, or 0.0.0.0 for all, in \
         {key} of [http]",
        address.ip()
    )]
    NotHere {
        /// Where it was to listen.
        address: SocketAddr,
        /// The key that says so.
        key: &'static str,
    },
    /// Something else.
    #[error("cannot listen on {address}: {source}; write another address in {key} of [http]")]
    Other {
        /// Where it was to listen.
        address: SocketAddr,
        /// The key that says so.
        key: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

impl ListenError {
    fn new(key: &'static str, address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::Taken { address, key },
            io::ErrorKind::PermissionDenied => Self::Forbidden { address, key },
            io::ErrorKind::AddrNotAvailable => Self::NotHere { address, key },
            _ => Self::Other {
                address,
                key,
                source,
            },
        }
    }
}

/// Everything that is listened on.
struct Sockets {
    http: TcpListener,
    shelly: Vec<UdpSocket>,
}

impl Config {
    /// Finds out whether the server could listen, and lets the ports go.
    pub async fn probe(&self) -> Result<String, ListenError> {
        let sockets = self.bind().await?;
        drop(sockets);
        Ok(format!("can listen on {}", self.listen))
    }

    async fn bind(&self) -> Result<Sockets, ListenError> {
        let address = self.listen.socket();
        let http = TcpListener::bind(address).await;
        let http = http.map_err(|error| ListenError::new("listen", address, error))?;
        let mut shelly = Vec::new();
        for address in self.shelly_udp.iter().map(|address| address.socket()) {
            let socket = UdpSocket::bind(address).await;
            shelly.push(socket.map_err(|error| ListenError::new("shelly_udp", address, error))?);
        }
        Ok(Sockets { http, shelly })
    }
}

/// Listens and answers until it is dropped, which closes every connection.
pub async fn run(config: Config, site: Site, status: watch::Sender<Status>) {
    loop {
        match config.bind().await {
            Ok(sockets) => {
                let address = sockets.http.local_addr();
                let address = address.unwrap_or(config.listen.socket());
                tracing::info!("http: listening on {address}");
                status.send_replace(Status {
                    address: Some(address),
                    trouble: None,
                });
                answer(&config, &site, sockets).await;
            }
            Err(error) => {
                let why = error.to_string();
                let told = status.send_if_modified(|status| {
                    let new = status.trouble.as_ref() != Some(&why);
                    status.trouble = Some(why.clone());
                    new
                });
                if told {
                    tracing::warn!("http: {why}");
                }
            }
        }
        sleep(PAUSE).await;
    }
}

/// Answers on all sockets.
async fn answer(config: &Config, site: &Site, sockets: Sockets) {
    let shared = Shared::new(config, site);
    let mut beside = JoinSet::new();
    if config.ecotracker {
        let (minute, chooser) = (shared.minute.clone(), shared.chooser.clone());
        beside.spawn(minute.follow(chooser, site.view.clone()));
    }
    for socket in sockets.shelly {
        if let Some(shelly) = shared.shelly.clone() {
            beside.spawn(answer_udp(shelly, socket));
        }
    }
    serve(&sockets.http, router(config, &shared)).await;
}

async fn serve(listener: &TcpListener, router: Router) {
    let places = Connections::default();
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => if let Some(place) = places.place(peer.ip()) {
                    open.spawn(connection(stream, place, router.clone()));
                } else {
                    tracing::debug!("http: {peer} is one connection too many");
                },
                // Out of file descriptors: those that are open will end.
                Err(error) => {
                    tracing::debug!("http: {error}");
                    sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = open.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, place: Place, router: Router) {
    // Without it small answers would wait for each other; a socket that refuses is about to fail anyway.
    let _ = stream.set_nodelay(true);
    let stream = TokioIo::new(Patience::new(stream, WRITE));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(stream, TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        tracing::debug!("http: a connection ended: {error}");
    }
    drop(place);
}
