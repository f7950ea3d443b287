//! A meter over TCP, as a serial server such as ser2net passes it on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::pace::{self, Sink};
use super::{Address, Feed, Running, ServeError, Timing};

/// A reader that takes nothing for this long is hung up on.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves a meter to as many readers as come. Each gets the bytes from the moment on at which it
/// came; a meter without an interval waits for the first and then for the slowest.
///
/// # Errors
/// [`ServeError::Listen`].
pub async fn tcp(feed: Feed, timing: Timing, listen: SocketAddr) -> Result<Running, ServeError> {
    let failed = |cause| ServeError::Listen {
        address: listen,
        cause,
    };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = Address::Tcp(listener.local_addr().map_err(failed)?);
    let echo = feed.line.faults().echo;
    let (arrivals, arrived) = mpsc::channel(16);
    let mut tasks = JoinSet::new();
    tasks.spawn(accept(listener, arrivals, echo));
    let sink = Tcp {
        readers: Vec::new(),
        arrived,
        tasks,
    };
    Ok(pace::start(feed, timing, sink, address))
}

async fn accept(listener: TcpListener, arrivals: mpsc::Sender<Arc<TcpStream>>, echo: bool) {
    // They end with this task.
    let mut listening = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // The bytes of a telegram are to leave when they come, not when there are many.
                let _ = stream.set_nodelay(true);
                let stream = Arc::new(stream);
                listening.spawn(listen(Arc::clone(&stream), echo));
                if arrivals.send(stream).await.is_err() {
                    return;
                }
            }
            Err(cause) => {
                tracing::debug!(%cause, "a reader could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

struct Tcp {
    readers: Vec<Arc<TcpStream>>,
    arrived: mpsc::Receiver<Arc<TcpStream>>,
    /// Accepts readers; ends with this.
    tasks: JoinSet<()>,
}

impl Sink for Tcp {
    async fn ready(&mut self, waits: bool) -> io::Result<()> {
        while let Ok(stream) = self.arrived.try_recv() {
            self.readers.push(stream);
        }
        if waits && self.readers.is_empty() {
            self.readers.extend(self.arrived.recv().await);
        }
        Ok(())
    }

    async fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut staying = Vec::with_capacity(self.readers.len());
        for reader in self.readers.drain(..) {
            match tokio::time::timeout(PATIENCE, write_all(&reader, bytes)).await {
                Ok(Ok(())) => staying.push(reader),
                // A reader that has gone is no fault of the meter's.
                Ok(Err(cause)) => tracing::debug!(%cause, "a reader has gone"),
                Err(_) => tracing::debug!("a reader takes nothing and is hung up on"),
            }
        }
        self.readers = staying;
        Ok(())
    }

    async fn finish(&mut self, _waits: bool) {
        // What was written is sent before the connection ends; the system sees to it.
        self.tasks.shutdown().await;
        self.readers.clear();
    }
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Takes what the reader sends, and sends it back if the line echoes.
async fn listen(stream: Arc<TcpStream>, echo: bool) {
    let mut buffer = [0; 256];
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        let bytes = match stream.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        };
        if echo && write_all(&stream, bytes).await.is_err() {
            return;
        }
    }
}
