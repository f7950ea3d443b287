//! Simulated meters, read over real pseudo terminals, sockets and files.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use meter_sim::serve::{
    Address, Feed, PulseConfig, Running, Sent, ServeError, Timing, pty, pulse, tcp, write,
};
use meter_sim::{Faults, Line, Meter, MeterConfig, model};
use sml_wire::{Decoder, Event};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Longer than anything here takes; a hanging test is to fail and not to hang.
const LONG: Duration = Duration::from_secs(20);

fn meter(name: &str) -> Meter {
    Meter::new(model::find(name).expect("known"), &MeterConfig::default())
}

fn feed(name: &str, faults: Faults) -> Feed {
    Feed::new(meter(name), Line::new(faults, 7))
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn port(running: &Running) -> PathBuf {
    match running.address() {
        Address::Port(path) => path.clone(),
        other => panic!("{other:?}"),
    }
}

async fn connect(running: &Running) -> TcpStream {
    match running.address() {
        Address::Tcp(address) | Address::Http(address) => {
            TcpStream::connect(address).await.expect("it listens")
        }
        other => panic!("{other:?}"),
    }
}

fn all(receiver: &mut UnboundedReceiver<Sent>) -> Vec<Sent> {
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

fn bytes_of(sent: &[Sent]) -> Vec<u8> {
    sent.iter()
        .flat_map(|sent| sent.telegram.bytes.clone())
        .collect()
}

fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new(vec![0; 4096]);
    let mut input = bytes;
    let mut frames = Vec::new();
    while let Some(event) = decoder.next(&mut input) {
        if let Event::Frame(frame) = event {
            frames.push(frame.payload.to_vec());
        }
    }
    frames
}

/// Reads this many bytes from a port as another program would.
async fn read_port(path: &Path, count: usize) -> Vec<u8> {
    let path = path.to_owned();
    let read = spawn_blocking(move || {
        let mut bytes = vec![0; count];
        File::open(path)
            .and_then(|mut port| port.read_exact(&mut bytes))
            .expect("bytes come");
        bytes
    });
    timeout(LONG, read)
        .await
        .expect("in time")
        .expect("no panic")
}

#[tokio::test]
async fn a_port_gives_every_byte_to_a_reader_that_comes_late_and_reads_slowly() {
    let mut feed = feed("emh-mme40", Faults::NONE);
    let mut sent = feed.watch();
    let running = pty(feed, Timing::unpaced(200), None).expect("a port");
    let bytes = read_port(&port(&running), 200 * 328).await;
    assert_eq!(
        timeout(LONG, running.finished())
            .await
            .expect("in time")
            .expect("no error"),
        200
    );
    assert_eq!(bytes, bytes_of(&all(&mut sent)));
    assert_eq!(frames(&bytes).len(), 200);
}

#[tokio::test]
async fn a_port_throws_away_what_nobody_reads() {
    let timing = Timing {
        telegrams: Some(100),
        ..Timing::every(Duration::from_millis(1))
    };
    let running = pty(feed("emh-mme40", Faults::NONE), timing, None).expect("a port");
    // Without a reader it would stand still when the port's queue is full.
    let sent = timeout(LONG, running.finished())
        .await
        .expect("in time")
        .expect("no error");
    assert_eq!(sent, 100);
}

#[tokio::test]
async fn a_link_leads_to_the_port_and_goes_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("meter");
    std::os::unix::fs::symlink("/dev/pts/left-over", &link).expect("a link");
    let timing = Timing::unpaced(u64::MAX);
    let running = pty(feed("emh-mme40", Faults::NONE), timing, Some(&link)).expect("a port");
    assert_eq!(port(&running), link);
    assert_eq!(frames(&read_port(&link, 328).await).len(), 1);
    let stopping = Instant::now();
    assert!(running.stop().await.expect("no error") >= 1);
    assert!(stopping.elapsed() < Duration::from_secs(5));
    assert!(std::fs::symlink_metadata(&link).is_err());

    std::fs::write(&link, "precious").expect("a file");
    let refused = pty(feed("emh-mme40", Faults::NONE), timing, Some(&link));
    assert!(matches!(refused, Err(ServeError::LinkTaken { .. })));
    assert_eq!(
        std::fs::read_to_string(&link).expect("still there"),
        "precious"
    );
}

#[tokio::test]
async fn every_tcp_reader_gets_the_same_bytes() {
    let mut feed = feed("easymeter-q3a", Faults::NONE);
    let mut sent = feed.watch();
    let timing = Timing {
        telegrams: Some(30),
        ..Timing::every(Duration::from_millis(20))
    };
    let running = tcp(feed, timing, any_port()).await.expect("it listens");
    let mut first = connect(&running).await;
    let mut second = connect(&running).await;
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let both = async { tokio::join!(first.read_to_end(&mut one), second.read_to_end(&mut two)) };
    let _ = timeout(LONG, both).await.expect("it ends");
    let all = bytes_of(&all(&mut sent));
    for bytes in [one, two] {
        assert!(
            all.ends_with(&bytes) && !frames(&bytes).is_empty(),
            "{}",
            bytes.len()
        );
    }
}

#[tokio::test]
async fn at_9600_baud_a_telegram_takes_its_time() {
    let timing = Timing {
        baud: Some(9600),
        ..Timing::unpaced(2)
    };
    let running = tcp(feed("emh-mme40", Faults::NONE), timing, any_port())
        .await
        .expect("it listens");
    let mut reader = connect(&running).await;
    let start = Instant::now();
    let mut bytes = Vec::new();
    timeout(LONG, reader.read_to_end(&mut bytes))
        .await
        .expect("in time")
        .expect("bytes");
    assert_eq!(bytes.len(), 656);
    // 656 bytes of 10 bits.
    assert!(
        start.elapsed() > Duration::from_millis(640),
        "{:?}",
        start.elapsed()
    );
}

/// Whether the request that was sent has come back, before or after the telegram.
fn echoed(bytes: &[u8]) -> bool {
    bytes.windows(5).any(|window| window == b"/?!\r\n")
}

#[tokio::test]
async fn an_echo_comes_back_over_both() {
    let faults = Faults {
        echo: true,
        ..Faults::NONE
    };
    // One telegram a day: nothing but the echo comes after the first.
    let timing = Timing::every(Duration::from_hours(24));

    let running = tcp(feed("iskra-mt631", faults), timing, any_port())
        .await
        .expect("it listens");
    let mut reader = connect(&running).await;
    reader.write_all(b"/?!\r\n").await.expect("sent");
    let mut bytes = Vec::new();
    while !echoed(&bytes) {
        timeout(LONG, reader.read_buf(&mut bytes))
            .await
            .expect("in time")
            .expect("bytes come");
    }

    let running = pty(feed("iskra-mt631", faults), timing, None).expect("a port");
    let path = port(&running);
    let read = spawn_blocking(move || {
        let mut port = File::options()
            .read(true)
            .write(true)
            .open(path)
            .expect("a port");
        port.write_all(b"/?!\r\n").expect("sent");
        let mut bytes = Vec::new();
        let mut piece = [0; 512];
        while !echoed(&bytes) {
            let read = port.read(&mut piece).expect("bytes come");
            bytes.extend_from_slice(&piece[..read]);
        }
    });
    timeout(LONG, read)
        .await
        .expect("in time")
        .expect("no panic");
}

#[tokio::test]
async fn a_poor_line_loses_what_it_damages_and_nothing_else() {
    let mut feed = feed("iskra-mt175", Faults::POOR);
    let mut sent = feed.watch();
    let running = tcp(feed, Timing::unpaced(2000), any_port())
        .await
        .expect("it listens");
    let mut reader = connect(&running).await;
    let mut bytes = Vec::new();
    timeout(LONG, reader.read_to_end(&mut bytes))
        .await
        .expect("in time")
        .expect("bytes");
    let sent = all(&mut sent);
    assert_eq!(sent.len(), 2000);
    let intact: Vec<_> = sent.iter().filter(|sent| sent.intact).collect();
    assert!((500..1900).contains(&intact.len()), "{}", intact.len());
    let expected: Vec<_> = intact
        .iter()
        .flat_map(|sent| frames(&sent.telegram.bytes))
        .collect();
    let found = frames(&bytes);
    // A damaged one that passes both checksums would show here as one too many.
    assert_eq!(found.len(), expected.len());
    assert!(found == expected);
}

#[tokio::test]
async fn silence_lasts_for_its_time_on_the_meters_clock() {
    let faults = Faults {
        silence: 1.0,
        silence_for: Duration::from_secs(5),
        ..Faults::NONE
    };
    let mut feed = feed("emh-mme40", faults);
    let lengths: Vec<usize> = (0..12).map(|_| feed.telegram().1.bytes.len()).collect();
    assert_eq!(lengths, [328, 0, 0, 0, 0, 0, 328, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_file_holds_the_telegrams() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("telegrams.bin");
    let mut feed = feed("dzg-dvs74", Faults::NONE);
    let mut sent = feed.watch();
    let file = tokio::fs::File::create(&path).await.expect("a file");
    let running = write(feed, Timing::unpaced(25), file);
    assert_eq!(running.finished().await.expect("no error"), 25);
    assert_eq!(
        std::fs::read(&path).expect("the file"),
        bytes_of(&all(&mut sent))
    );
}

/// One request as a browser would send it; the status and the body.
async fn get(running: &Running, path: &str, password: &str) -> (u16, Vec<u8>) {
    use base64::Engine as _;
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("admin:{password}"));
    let mut stream = connect(running).await;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\nAuthorization: Basic {credentials}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    timeout(LONG, stream.read_to_end(&mut answer))
        .await
        .expect("in time")
        .expect("an answer");
    let head = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head")
        + 4;
    let status = std::str::from_utf8(&answer[9..12])
        .ok()
        .and_then(|digits| digits.parse().ok());
    (status.expect("a status"), answer.split_off(head))
}

#[tokio::test]
async fn a_bridge_serves_the_latest_telegram_of_its_node() {
    let config = PulseConfig::default();
    let (node, password) = (config.node_id, config.password.clone());
    let timing = Timing {
        telegrams: None,
        ..Timing::unpaced(0)
    };
    let (running, polls) = pulse(feed("holley-dtz541", Faults::NONE), timing, config)
        .await
        .expect("it listens");

    assert_eq!(get(&running, "/nodes.json", "wrong").await.0, 401);
    let (status, nodes) = get(&running, "/nodes.json", &password).await;
    let nodes: serde_json::Value = serde_json::from_slice(&nodes).expect("JSON");
    assert_eq!(
        (status, nodes[0]["node_id"].as_u64()),
        (200, Some(u64::from(node)))
    );
    assert_ne!(node, 1);

    let data = format!("/data.json?node_id={node}");
    let first = get(&running, &data, &password).await;
    let second = get(&running, &data, &password).await;
    assert_eq!((first.0, frames(&first.1).len()), (200, 1));
    assert_ne!(frames(&first.1), frames(&second.1));
    assert_eq!(
        get(&running, "/data.json?node_id=1", &password).await.0,
        404
    );
    assert_eq!(get(&running, &data, "wrong").await.0, 401);
    let (status, metrics) = get(
        &running,
        &format!("/metrics.json?node_id={node}"),
        &password,
    )
    .await;
    let metrics: serde_json::Value = serde_json::from_slice(&metrics).expect("JSON");
    assert_eq!(status, 200);
    assert!(metrics["node_status"]["node_battery_voltage"].is_number());
    assert_eq!((polls.data(), polls.too_fast(), polls.refused()), (2, 0, 2));
    assert_eq!(running.stop().await.expect("no error"), 2);
}

#[tokio::test]
async fn a_bridge_breaks_frames_and_refuses_to_be_hurried() {
    let config = PulseConfig {
        broken: 1.0,
        least_interval: Some(Duration::from_hours(1)),
        ..PulseConfig::default()
    };
    let (path, password) = (
        format!("/data.json?node_id={}", config.node_id),
        config.password.clone(),
    );
    let timing = Timing::every(Duration::from_millis(1));
    let (running, polls) = pulse(feed("holley-dtz541", Faults::NONE), timing, config)
        .await
        .expect("it listens");
    let (status, bytes) = get(&running, &path, &password).await;
    assert_eq!((status, frames(&bytes).len()), (200, 0));
    assert_eq!(get(&running, &path, &password).await.0, 503);
    assert_eq!((polls.data(), polls.too_fast()), (2, 1));
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let timing = Timing::unpaced(1);
    let running = tcp(feed("emh-mme40", Faults::NONE), timing, any_port())
        .await
        .expect("it listens");
    let Address::Tcp(taken) = *running.address() else {
        panic!("a TCP address")
    };
    let refused = tcp(feed("emh-mme40", Faults::NONE), timing, taken).await;
    assert!(refused.is_err_and(|error| error.to_string().contains(&taken.to_string())));
}
