//! A wire between an output and a real server that loses answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::stage::Result;

/// Passes requests on; the first few answers are lost, together with their connections.
pub struct Proxy {
    pub port: u16,
    lost: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// In front of `port`; `answers` of them are lost.
    pub async fn start(port: u16, answers: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = listener.local_addr()?.port();
        let lost = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&lost);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    // What ends one connection is what the test is about.
                    let _ = pass(client, port, answers, &counted).await;
                });
            }
        });
        Ok(Self {
            port: own,
            lost,
            task,
        })
    }

    /// How many answers were lost so far.
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }
}

async fn pass(
    client: TcpStream,
    port: u16,
    answers: usize,
    lost: &AtomicUsize,
) -> std::io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut answer = vec![0; 64 * 1024];
    loop {
        let length = from_server.read(&mut answer).await?;
        if length == 0 {
            return Ok(());
        }
        // The server has answered, so it has the readings; nobody hears of it.
        let more = |lost: usize| (lost < answers).then_some(lost + 1);
        if lost
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more)
            .is_ok()
        {
            return Ok(());
        }
        to_client.write_all(&answer[..length]).await?;
    }
}
