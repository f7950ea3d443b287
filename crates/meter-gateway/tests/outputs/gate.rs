//! The way to a server, with all the faults of networks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::stage::{Result, wait_for};

/// What becomes of what a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Everything passes.
    Open,
    /// Connections are accepted and dropped.
    Drops,
    /// Everything reaches the server, and nothing comes back.
    Silent,
    /// What the server says is held up for so long, piece by piece.
    Slow(Duration),
    /// It comes byte by byte, with so long a pause after each.
    Trickle(Duration),
    /// Everything reaches the server, and after so many bytes of its answers the connection breaks.
    Deaf(usize),
}

/// A port that leads to another one.
pub struct Gate {
    pub port: u16,
    ways: Ways,
    task: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Ways {
    to: u16,
    way: Arc<Mutex<Way>>,
    opened: Arc<AtomicUsize>,
}

impl Gate {
    pub async fn new(to: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut gate = Self {
            port: listener.local_addr()?.port(),
            ways: Ways {
                to,
                way: Arc::new(Mutex::new(Way::Open)),
                opened: Arc::default(),
            },
            task: None,
        };
        gate.listen(listener);
        Ok(gate)
    }

    /// From now on, on connections that are open too.
    pub fn set(&self, way: Way) {
        *self.ways.way.lock().unwrap_or_else(PoisonError::into_inner) = way;
    }

    /// How many connections there were.
    pub fn opened(&self) -> usize {
        self.ways.opened.load(Ordering::SeqCst)
    }

    /// Waits for so many further connections.
    pub async fn until_opened(&self, further: usize) -> Result {
        let wanted = self.opened() + further;
        let what = format!("{further} further connections");
        wait_for(&what, async || Ok(self.opened() >= wanted)).await
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
        self.set(Way::Open);
        if self.task.is_none() {
            let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
            self.listen(listener);
        }
        Ok(())
    }

    fn listen(&mut self, listener: TcpListener) {
        let ways = self.ways.clone();
        self.task = Some(tokio::spawn(async move {
            // Dropped with this task, and then all connections break.
            let mut running = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                ways.opened.fetch_add(1, Ordering::SeqCst);
                running.spawn(ways.clone().lead(client));
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

impl Ways {
    fn way(&self) -> Way {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn lead(self, client: TcpStream) {
        if self.way() == Way::Drops {
            return;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.to)).await else {
            return;
        };
        let (mut from_client, to_client) = client.into_split();
        let (from_server, mut to_server) = server.into_split();
        tokio::select! {
            _ = copy(&mut from_client, &mut to_server) => {}
            () = self.answer(from_server, to_client) => {}
        }
    }

    async fn answer(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = [0; 4096];
        let mut passed = 0;
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let mut said = &buffer[..count];
            match self.way() {
                Way::Drops => return,
                Way::Silent => continue,
                Way::Slow(pause) => sleep(pause).await,
                Way::Trickle(pause) => {
                    while let ([first, rest @ ..], Way::Trickle(_)) = (said, self.way()) {
                        if to.write_all(&[*first]).await.is_err() {
                            return;
                        }
                        said = rest;
                        sleep(pause).await;
                    }
                }
                Way::Deaf(most) if passed + count > most => {
                    let _ = to.write_all(&said[..most.saturating_sub(passed)]).await;
                    return;
                }
                Way::Open | Way::Deaf(_) => {}
            }
            passed += count;
            if to.write_all(said).await.is_err() {
                return;
            }
        }
    }
}
