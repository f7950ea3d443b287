//! To a real HTTPS server: what arrives is what the meter counted.

use std::sync::Arc;

use embedded_io_adapters::tokio_1::FromTokio;
use meter_device::format::Format;
use meter_device::rest::{Posted, Target, post};
use meter_device::url::Url;
use meter_device::verdict::{Fault, Verdict};
use meter_sim::backend::{Answer, Backend, Behaviour, Config, Connection, Encoding, Step};
use meter_sim::model;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Clock;
use crate::meters::take;

pub(crate) type Secured = FromTokio<TlsStream<TcpStream>>;

/// As a board connects, with the authority of the server.
pub(crate) async fn secure(port: u16, ca_pem: &str) -> Secured {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    let authority = rustls::pki_types::CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let name = "localhost".try_into().unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    FromTokio::new(connector.connect(name, tcp).await.unwrap())
}

async fn connect(backend: &Backend) -> Secured {
    secure(backend.port(), &backend.ca_pem()).await
}

/// Every number of a telegram is in the JSON of its reading, to the last digit.
fn assert_true(received: &Value, taken: &crate::meters::Taken) {
    assert_eq!(received["ts"], taken.time.0);
    let values = received["values"].as_object().unwrap();
    let stamped = taken.stamped();
    let mut numbers = 0;
    for register in stamped.reading.registers() {
        let Some(truth) = taken.telegram.number_text(register.obis) else {
            continue;
        };
        let key = meter_core::payload::Key::new(register.obis, register.unit);
        assert_eq!(values[&key.to_string()].to_string(), truth, "{key}");
        numbers += 1;
    }
    assert!(numbers > 0, "a meter counts something");
}

#[tokio::test]
async fn every_model_over_one_connection_each() {
    let backend = Backend::start(Config::default()).unwrap();
    let url = backend.url("/api/v1/TOKEN/telemetry");
    let target = Target {
        url: Url::parse(&url).unwrap(),
        format: Format::Thingsboard,
        authorization: None,
        agent: "meterline/test",
        event: None,
    };
    let clock = Clock::new();
    let mut buffer = [0; 4096];
    let mut connections = 0;
    for name in model::names() {
        let readings = take(name, 30);
        let stamped: Vec<_> = readings.iter().map(|taken| taken.stamped()).collect();
        let mut connection = connect(&backend).await;
        connections += 1;
        let mut sent = 0;
        while sent < stamped.len() {
            let count = target.fitting(&stamped[sent..], buffer.len());
            assert!(count > 0, "{name}");
            let batch = &stamped[sent..sent + count];
            let posted = post(&mut connection, &clock, &target, batch, &mut buffer).await;
            assert_eq!(
                posted,
                Ok(Posted {
                    verdict: Verdict::Delivered,
                    reusable: true
                })
            );
            sent += count;
        }
        let requests = backend.take_received();
        let received: Vec<_> = requests
            .iter()
            .flat_map(meter_sim::backend::Received::readings)
            .collect();
        assert_eq!(received.len(), readings.len(), "{name}");
        for (received, taken) in received.iter().zip(&readings) {
            assert_true(received, taken);
        }
    }
    assert!(connections > 4);
    assert_eq!(backend.connection_count(), connections);
}

#[tokio::test]
async fn a_real_server_that_fails() {
    let backend = Backend::start(Config::default()).unwrap();
    let url = backend.url("/x");
    let target = Target {
        url: Url::parse(&url).unwrap(),
        format: Format::Json,
        authorization: Some("Bearer hunter2"),
        agent: "meterline/test",
        event: None,
    };
    let readings = take("emh-mme40", 1);
    let stamped = [readings[0].stamped()];
    let clock = Clock::new();
    let mut buffer = [0; 4096];
    let words = Answer::status(200).body("thank you");
    let later = |status| Verdict::Later {
        status,
        after: None,
    };
    let ok = |verdict, reusable| Ok(Posted { verdict, reusable });
    for (step, expected) in [
        (
            Step::Answer(words.clone().encoding(Encoding::Chunked)),
            ok(Verdict::Delivered, true),
        ),
        (
            Step::Answer(words.clone().encoding(Encoding::Gzip)),
            ok(Verdict::Delivered, true),
        ),
        (
            Step::Answer(words.encoding(Encoding::Endless)),
            ok(Verdict::Delivered, false),
        ),
        (Step::CutAnswer, ok(Verdict::Delivered, false)),
        (
            Step::Answer(Answer::status(204)),
            ok(Verdict::Delivered, true),
        ),
        (Step::Answer(Answer::status(503)), ok(later(503), true)),
        (
            Step::Answer(Answer::redirect(302, "/login")),
            ok(Verdict::Check { status: 302 }, true),
        ),
        (Step::Close, Err(Fault::Closed)),
        (Step::Reset, Err(Fault::Closed)),
    ] {
        backend.set_behaviour(Behaviour::first([step.clone()]));
        let mut connection = connect(&backend).await;
        let posted = post(&mut connection, &clock, &target, &stamped, &mut buffer).await;
        assert_eq!(posted, expected, "{step:?}");
    }
    let received = backend.received();
    assert_eq!(received[0].header("authorization"), Some("Bearer hunter2"));

    backend.set_behaviour(Behaviour::connecting(Connection::GarbageForHttp));
    let mut connection = connect(&backend).await;
    let posted = post(&mut connection, &clock, &target, &stamped, &mut buffer).await;
    assert!(
        matches!(posted, Err(Fault::Garbage | Fault::Closed)),
        "{posted:?}"
    );
}
