use std::net::SocketAddr;

use meter_gateway::config::{Duration, Interval};
use meter_gateway::input::{Config, tcp};
use meter_sim::Meter;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::running::start;
use super::{meter, telegrams};

fn input(address: &str) -> Config {
    Config::Tcp(tcp::Config {
        interval: Interval::Every,
        silence: Duration::from_secs(2),
        ..tcp::Config::new(address.parse().unwrap())
    })
}

async fn server() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

/// Sends the meter's next telegram.
async fn speak(meter: &mut Meter, connection: &mut TcpStream) {
    let telegram = meter.next().unwrap();
    connection.write_all(&telegram.bytes).await.unwrap();
}

#[tokio::test]
async fn a_server_that_restarts_is_no_news() {
    let (listener, address) = server().await;
    let mut running = start("restart", input(&format!("socket://{address}")));
    let mut meter = meter(1);
    for telegram in telegrams(&mut meter, 3) {
        // Each connection ends in the middle of the next telegram.
        let mut connection = accept(&listener).await;
        connection.write_all(&telegram).await.unwrap();
        connection
            .write_all(&telegram[..telegram.len() / 2])
            .await
            .unwrap();
        let reading = running.next().await;
        assert!(
            telegram
                .windows(reading.body.len())
                .any(|part| part == reading.body)
        );
    }
    assert_eq!(running.warnings(), Vec::<String>::new());
    assert!(running.status().opened >= 3);
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_stays_away_is_said_once_and_waited_for() {
    let (listener, address) = server().await;
    let mut running = start("away", input(&address.to_string()));
    let mut meter = meter(1);
    let mut connection = accept(&listener).await;
    speak(&mut meter, &mut connection).await;
    running.next().await;

    drop((listener, connection));
    let trouble = running.trouble("unreachable").await;
    assert!(
        trouble
            .text
            .starts_with(&format!("cannot connect to {address}: ")),
        "{trouble}"
    );
    assert!(trouble.text.contains("Connection refused"), "{trouble}");

    let listener = TcpListener::bind(address).await.unwrap();
    let mut connection = accept(&listener).await;
    speak(&mut meter, &mut connection).await;
    running.next().await;
    assert_eq!(running.warnings().len(), 1, "{:?}", running.warnings());
    let notices = running.notices();
    assert!(
        notices.last().unwrap().contains("again after"),
        "{notices:?}"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_connection_that_goes_silent_is_made_anew() {
    let (listener, address) = server().await;
    let mut running = start("half-open", input(&address.to_string()));
    let mut meter = meter(1);
    let mut half_open = accept(&listener).await;
    speak(&mut meter, &mut half_open).await;
    running.next().await;

    // The old connection stays open, as with a server that lost its power.
    let mut connection = accept(&listener).await;
    let trouble = running.trouble("dark").await;
    assert!(
        trouble
            .text
            .starts_with("no reading for 2 s: connected, but the server sends nothing"),
        "{trouble}"
    );
    speak(&mut meter, &mut connection).await;
    running.next().await;
    drop(half_open);
    running.stop().await;
}

#[tokio::test]
async fn a_server_with_too_many_clients_is_said_to_be_busy() {
    let (listener, address) = server().await;
    let mut running = start("busy", input(&address.to_string()));
    let mut connection = accept(&listener).await;
    connection
        .write_all(b"Port already in use\r\n")
        .await
        .unwrap();
    drop(connection);
    let trouble = running.trouble("busy").await;
    assert!(trouble.text.contains("max-connections"), "{trouble}");
    running.stop().await;
}

#[tokio::test]
async fn an_unknown_host_is_said_at_once() {
    let mut running = start("unknown", input("no-such-host.invalid:3333"));
    let trouble = running.trouble("unresolved").await;
    assert!(
        trouble
            .text
            .starts_with("cannot find host no-such-host.invalid: "),
        "{trouble}"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_dead_server_is_asked_for_signs_of_life() {
    let (listener, address) = server().await;
    let mut running = start(
        "keepalive",
        Config::Tcp(tcp::Config {
            keepalive: Duration::from_secs(9),
            ..tcp::Config::new(address.to_string().parse().unwrap())
        }),
    );
    let connection = accept(&listener).await;
    running.until(|status| status.opened == 1).await;
    let client = connection.peer_addr().unwrap();
    // Timer 2 of a connection in Linux's table is keepalive.
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", client.port());
    let row = table
        .lines()
        .find(|row| {
            row.split_whitespace()
                .nth(1)
                .is_some_and(|local| local.ends_with(&port))
        })
        .unwrap();
    let timer = row.split_whitespace().nth(5).unwrap();
    assert!(timer.starts_with("02:"), "{row}");
    running.stop().await;
}
