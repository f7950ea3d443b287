//! The way to a broker, which can be closed, slow, or broken.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use super::setup::Result;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Everything passes.
    Open,
    /// Connections are accepted and dropped.
    Drops,
    /// Connections are accepted, and nothing comes back.
    Silent,
    /// What the broker says is held up for so long, piece by piece.
    Slow(Duration),
    /// Everything reaches the broker, and after so many bytes of its answers the connection breaks.
    Deaf(usize),
}

/// A port that leads to another one.
pub struct Gate {
    pub port: u16,
    to: u16,
    way: Arc<Mutex<Way>>,
    /// How many connections there were.
    pub opened: Arc<Mutex<usize>>,
    task: Option<JoinHandle<()>>,
}

impl Gate {
    pub async fn new(to: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut gate = Self {
            port: listener.local_addr()?.port(),
            to,
            way: Arc::new(Mutex::new(Way::Open)),
            opened: Arc::default(),
            task: None,
        };
        gate.listen(listener);
        Ok(gate)
    }

    /// From the next connection on.
    pub fn set(&self, way: Way) {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = way;
    }

    /// Breaks every connection and refuses new ones.
    pub async fn close(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // The listener is gone when the task is.
            let _ = task.await;
        }
    }

    pub async fn open(&mut self) -> Result {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        self.listen(listener);
        Ok(())
    }

    fn listen(&mut self, listener: TcpListener) {
        let (to, way) = (self.to, Arc::clone(&self.way));
        let opened = Arc::clone(&self.opened);
        self.task = Some(tokio::spawn(async move {
            // Dropped with this task, and then all connections break.
            let mut running = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                *opened.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                let way = *way.lock().unwrap_or_else(PoisonError::into_inner);
                running.spawn(lead(client, to, way));
            }
        }));
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn lead(mut client: TcpStream, to: u16, way: Way) {
    match way {
        Way::Drops => return,
        Way::Silent => {
            let mut nowhere = [0; 1024];
            while matches!(client.read(&mut nowhere).await, Ok(1..)) {}
            return;
        }
        _ => {}
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let there = Ending(tokio::spawn(pass(from_client, to_server)).abort_handle());
    answer(from_server, to_client, way).await;
    drop(there);
}

struct Ending(AbortHandle);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way) {
    let mut buffer = [0; 4096];
    let mut passed = 0;
    while let Ok(mut count @ 1..) = from.read(&mut buffer).await {
        match way {
            Way::Slow(pause) => tokio::time::sleep(pause).await,
            Way::Deaf(most) if passed + count > most => {
                count = most - passed;
                let _ = to.write_all(&buffer[..count]).await;
                return;
            }
            _ => {}
        }
        passed += count;
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
