//! From an address to a session: connection, TLS, login.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, NoTls};
use tokio_rustls::TlsConnector;

use super::address::{Address, Place};
use super::trouble::Trouble;
use crate::config::Secret;
use crate::http::connect_any;
use crate::tls;

/// Asks a server for TLS: a length of eight and a version that no protocol has (`PostgreSQL`'s
/// `SSLRequest`).
const ASK_FOR_TLS: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What is needed to log in.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) address: Address,
    /// None where nothing is encrypted.
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) username: String,
    pub(super) password: Option<Secret>,
}

impl Login {
    /// How far the connection can be trusted, for people.
    pub(super) fn trust(&self) -> &'static str {
        match (&self.tls, self.address.is_local()) {
            (Some(_), _) => "the certificate is good",
            (None, true) => "by a socket of this machine",
            (None, false) => "nothing is encrypted (allow_insecure)",
        }
    }
}

/// A connection with a user. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    connection: Connection,
}

/// What moves bytes between the client and the server.
#[derive(Debug)]
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        // The server rolls back what was not committed.
        self.0.abort();
    }
}

impl Session {
    pub(super) async fn open(login: &Login) -> Result<Self, Trouble> {
        match &login.address.place {
            Place::Directory(directory) => {
                let path = directory.join(format!(".s.PGSQL.{}", login.address.port));
                let stream = UnixStream::connect(&path).await;
                let stream = stream.map_err(|source| Trouble::Socket { path, source })?;
                Self::log_in(stream, login).await
            }
            Place::Host(host) => {
                let stream = connect(host, login.address.port).await?;
                match &login.tls {
                    None => Self::log_in(stream, login).await,
                    Some(tls) => {
                        let stream = encrypt(stream, host, tls).await?;
                        Self::log_in(stream, login).await
                    }
                }
            }
        }
    }

    async fn log_in<S>(stream: S, login: &Login) -> Result<Self, Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut config = tokio_postgres::Config::new();
        config
            .user(&login.username)
            .dbname(&login.address.database)
            .application_name("meterline")
            // The stream is encrypted already, if it is to be.
            .ssl_mode(SslMode::Disable);
        if let Some(password) = &login.password {
            config.password(password.expose());
        }
        let (client, connection) = config.connect_raw(stream, NoTls).await?;
        let connection = tokio::spawn(async move {
            // Whoever uses the client is told as well.
            if let Err(error) = connection.await {
                tracing::debug!("the connection to the database ended: {error}");
            }
        });
        let connection = Connection(connection);
        Ok(Self { client, connection })
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        let Self {
            client,
            mut connection,
        } = self;
        // Without a client the connection tells the server, and ends.
        drop(client);
        let _ = (&mut connection.0).await;
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, Trouble> {
    let addresses = lookup_host((host, port)).await;
    let addresses: Vec<_> = addresses
        .map_err(|_| Trouble::Name(host.to_owned()))?
        .collect();
    if addresses.is_empty() {
        return Err(Trouble::Name(host.to_owned()));
    }
    let stream = connect_any(addresses).await;
    let stream = stream.map_err(|source| Trouble::Connect {
        host: host.to_owned(),
        port,
        source,
    })?;
    // A COMMIT waits for nothing.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn encrypt(
    mut stream: TcpStream,
    host: &str,
    tls: &Arc<ClientConfig>,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Trouble> {
    let host = host.to_owned();
    let untrusted = |fault| Trouble::Tls {
        host: host.clone(),
        fault,
    };
    stream
        .write_all(&ASK_FOR_TLS)
        .await
        .map_err(Trouble::Broken)?;
    match stream.read_u8().await.map_err(Trouble::Broken)? {
        b'S' => {}
        b'N' => return Err(Trouble::NoTls { host }),
        _ => return Err(Trouble::NotPostgres { host }),
    }
    let name = ServerName::try_from(host.clone())
        .map_err(|error| untrusted(tls::Fault::Other(error.to_string())))?;
    let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
    handshake.await.map_err(|error| untrusted(fault(&error)))
}

fn fault(error: &io::Error) -> tls::Fault {
    tls::Fault::behind(error).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe => tls::Fault::Closed,
        _ => tls::Fault::Other(error.to_string()),
    })
}
