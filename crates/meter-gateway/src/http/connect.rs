//! From a host name to a stream: name, connection, handshake, each with its
//! own error.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::Server;
use crate::tls;

/// How long one address has to answer before the next one is tried beside it;
/// a home whose IPv6 leads nowhere would wait for minutes otherwise (RFC 8305).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name has no address, or nobody could be asked.
    #[error("cannot find the host {host} (DNS: {reason}): check the name in url, and the network")]
    Name {
        /// The name in the URL.
        host: String,
        /// What the resolver says.
        reason: String,
    },
    /// Nobody listens there.
    #[error("{host} refuses connections on port {port}: is the server running, is the port right?")]
    Refused {
        /// The name in the URL.
        host: String,
        /// The port.
        port: u16,
    },
    /// Nothing comes back.
    #[error("{host} does not answer on port {port}: is it on, is a firewall between?")]
    NoAnswer {
        /// The name in the URL.
        host: String,
        /// The port.
        port: u16,
    },
    /// The network does not reach it.
    #[error("cannot reach {host} on port {port} ({reason}): check the network")]
    Unreachable {
        /// The name in the URL.
        host: String,
        /// The port.
        port: u16,
        /// What the system says.
        reason: io::Error,
    },
    /// TLS does not come about.
    #[error("cannot trust {host}: {fault}")]
    Tls {
        /// The name in the URL.
        host: String,
        /// Why.
        fault: tls::Fault,
    },
}

/// An open connection: as it is, or within TLS.
pub(crate) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// Connects and shakes hands.
pub(crate) async fn connect(
    server: &Server,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Stream, ConnectError> {
    let stream = connect_tcp(server).await?;
    // A request goes out at once; nothing follows that could be sent with it.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls.filter(|_| server.tls) else {
        return Ok(Either::Left(stream));
    };
    let refused = |fault| ConnectError::Tls {
        host: server.host.clone(),
        fault,
    };
    let name = ServerName::try_from(server.host.clone())
        .map_err(|error| refused(tls::Fault::Other(error.to_string())))?;
    let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
    match handshake.await {
        Ok(stream) => Ok(Either::Right(Box::new(stream))),
        Err(error) => Err(refused(handshake_fault(&error))),
    }
}

fn handshake_fault(error: &io::Error) -> tls::Fault {
    tls::Fault::behind(error).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe => tls::Fault::Closed,
        _ => tls::Fault::Other(error.to_string()),
    })
}

async fn connect_tcp(server: &Server) -> Result<TcpStream, ConnectError> {
    let (host, port) = (server.host.as_str(), server.port);
    let no_name = |reason: String| ConnectError::Name {
        host: host.to_owned(),
        reason,
    };
    let found = lookup_host((host, port)).await.map_err(|error| {
        // The resolver's own words, without the standard library's preface.
        let words = error.to_string();
        no_name(words.rsplit(": ").next().unwrap_or(&words).to_owned())
    })?;
    let addresses: Vec<SocketAddr> = found.collect();
    if addresses.is_empty() {
        return Err(no_name("no address".to_owned()));
    }
    connect_any(addresses).await.map_err(|error| {
        let host = host.to_owned();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => ConnectError::Refused { host, port },
            io::ErrorKind::TimedOut => ConnectError::NoAnswer { host, port },
            _ => ConnectError::Unreachable {
                host,
                port,
                reason: error,
            },
        }
    })
}

/// Connects to whichever of a host's addresses answers first.
pub(crate) async fn connect_any(
    found: impl IntoIterator<Item = SocketAddr>,
) -> io::Result<TcpStream> {
    race(taking_turns(found.into_iter())).await
}

/// The addresses in the resolver's order, but families by turns.
fn taking_turns(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let found: Vec<SocketAddr> = found.collect();
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<SocketAddr>, Vec<SocketAddr>) = found
        .iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::with_capacity(found.len());
    loop {
        let before = turns.len();
        turns.extend(first.next());
        turns.extend(second.next());
        if turns.len() == before {
            return turns;
        }
    }
}

/// The first address that answers wins; the last error is told.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut running = JoinSet::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    if let Some(address) = waiting.next() {
        running.spawn(TcpStream::connect(address));
    }
    while !running.is_empty() {
        let next = tokio::time::sleep(NEXT_ADDRESS_AFTER);
        let finished = tokio::select! {
            finished = running.join_next() => finished,
            () = next, if waiting.len() > 0 => None,
        };
        match finished {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => last = error,
            Some(Err(_)) | None => {}
        }
        if let Some(address) = waiting.next() {
            running.spawn(TcpStream::connect(address));
        }
    }
    Err(last)
}
