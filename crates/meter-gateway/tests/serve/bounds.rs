//! Clients that lie, that are slow, and that are many.

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::Full;
use hyper::{Request, StatusCode};
use meter_gateway::journal::{Journal, Options};
use meter_gateway::run::{HostClocks, Snapshot};
use meter_gateway::serve::{self, Config, Site, Status};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::bench::Result;
use crate::client::{PATIENCE, get, get_with, send};

/// The server alone.
pub struct Server {
    pub address: SocketAddr,
    task: JoinHandle<()>,
    _view: watch::Sender<Snapshot>,
    _state: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(config: Config) -> Result<Self> {
        let state = tempfile::tempdir()?;
        let (sender, view) = watch::channel(Snapshot::default());
        let site = Site {
            view,
            journal: Journal::open(Options::in_directory(state.path()))?,
            clocks: Arc::new(HostClocks),
        };
        let (status, mut seen) = watch::channel(Status::default());
        let listen = "127.0.0.1:0".parse()?;
        let task = tokio::spawn(serve::run(Config { listen, ..config }, site, status));
        let listens = seen.wait_for(|status| status.address.is_some());
        let address = timeout(PATIENCE, listens).await??.address;
        Ok(Self {
            address: address.unwrap(),
            task,
            _view: sender,
            _state: state,
        })
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_as_a_problem() -> Result {
    let server = Server::start(Config::default()).await?;
    let missing = get(server.address, "/nothing").await?;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(missing.kind, "application/problem+json");
    let problem = missing.json()?;
    assert_eq!(problem["status"], 404);
    assert_eq!(problem["title"], "Not Found");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("/metrics"), "{detail}");

    let post = Request::post("/metrics").body(Full::default())?;
    let refused = send(server.address, post).await?;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.kind, "application/problem+json");

    let nothing = Config {
        metrics: false,
        api: false,
        ..Config::default()
    };
    let server = Server::start(nothing).await?;
    let missing = get(server.address, "/metrics").await?;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn a_page_on_the_internet_cannot_read_the_meter_through_a_browser() -> Result {
    let server = Server::start(Config {
        hosts: vec!["meter.example.org".to_owned()],
        ..Config::default()
    })
    .await?;
    let named = |host| async move {
        let headers = [("host", host)];
        get_with(server.address, "/metrics", &headers).await
    };
    assert_eq!(
        named("meter.example.org:8080").await?.status,
        StatusCode::OK
    );
    let refused = named("evil.example").await?;
    assert_eq!(refused.status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(refused.kind, "application/problem+json");
    assert!(refused.body.contains("hosts in [http]"), "{}", refused.body);
    Ok(())
}

#[tokio::test]
async fn a_request_with_a_head_without_end_is_refused() -> Result {
    let server = Server::start(Config::default()).await?;
    let long = "x".repeat(20_000);
    let refused = get_with(server.address, "/metrics", &[("x-long", &long)]).await?;
    assert_eq!(refused.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    Ok(())
}

/// Waits until the server closes the connection.
async fn closed(stream: &mut TcpStream) -> Result {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[tokio::test]
async fn one_client_with_too_many_connections_is_refused_and_not_the_next() -> Result {
    let server = Server::start(Config::default()).await?;
    let mut open = Vec::new();
    for _ in 0..200 {
        open.push(TcpStream::connect(server.address).await?);
    }
    let last = open.last_mut().unwrap();
    timeout(PATIENCE, closed(last)).await??;
    drop(open);
    let begin = Instant::now();
    while get(server.address, "/metrics").await.is_err() {
        assert!(begin.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Time passes here only while everybody waits for it.
#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_or_one_letter_at_a_time_is_given_up() -> Result {
    let server = Server::start(Config::default()).await?;
    for head in ["", "GET /metrics HT"] {
        let mut stream = TcpStream::connect(server.address).await?;
        stream.write_all(head.as_bytes()).await?;
        let begin = Instant::now();
        closed(&mut stream).await?;
        assert!(
            begin.elapsed().as_secs() <= 31,
            "{head:?} {:?}",
            begin.elapsed()
        );
    }
    let mut stream = TcpStream::connect(server.address).await?;
    let begin = Instant::now();
    while stream.write_all(b"x").await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert!(begin.elapsed().as_secs() <= 60);
    }
    Ok(())
}
