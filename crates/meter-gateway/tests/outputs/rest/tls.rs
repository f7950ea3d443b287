//! Every way in which a connection to a server can fail, with the words that a
//! person gets to read. Real sockets, real TLS.

use std::io::Write as _;

use meter_gateway::config::{Duration, Secret};
use meter_gateway::output::rest::{self, Config};
use meter_sim::backend::{
    self, Answer, Backend, Behaviour, Certificate, Connection, Encoding, Step,
};
use tempfile::NamedTempFile;

use super::setup::{Result, assert_says};

const PATH: &str = "/api/v1/T0pS3cr3tT0k3n/telemetry";

fn file(text: &str) -> Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

/// A server, the file with its authority, and settings that trust it.
fn server(config: backend::Config) -> Result<(Backend, NamedTempFile, Config)> {
    let backend = Backend::start(config)?;
    let ca = file(&backend.ca_pem())?;
    let mut config = Config::new(Secret::literal(backend.url(PATH)));
    config.remote.ca_file = Some(ca.path().to_owned());
    config.remote.timeout = Duration::from_millis(2000);
    Ok((backend, ca, config))
}

/// What the probe says when it fails; the token is never part of it.
async fn complaint(config: &Config) -> String {
    let error = match rest::probe(config).await {
        Ok(sentence) => return format!("no complaint: {sentence}"),
        Err(error) => error,
    };
    for shown in [
        error.to_string(),
        format!("{error:?}"),
        format!("{config:?}"),
    ] {
        assert!(!shown.contains("T0pS3cr3t"), "the token is in {shown}");
    }
    error.to_string()
}

async fn complaint_about(certificate: Certificate) -> Result<String> {
    let config = backend::Config {
        certificate,
        ..backend::Config::default()
    };
    let (_backend, _ca, config) = server(config)?;
    Ok(complaint(&config).await)
}

#[tokio::test]
async fn a_good_server_is_praised() -> Result {
    let (backend, _ca, config) = server(backend::Config::default())?;
    let sentence = rest::probe(&config).await?;
    assert_says(
        &sentence,
        &["https://localhost:", "/…", "certificate is good", "200"],
    );
    assert!(!sentence.contains("T0pS3cr3t"));
    assert_eq!(backend.request_count(), 1);
    assert_eq!(backend.received()[0].method, "OPTIONS");
    Ok(())
}

#[tokio::test]
async fn expired() -> Result {
    let message = complaint_about(Certificate::Expired).await?;
    assert_says(&message, &["expired on Fri, 01 Jan 2021", "renew it"]);
    Ok(())
}

#[tokio::test]
async fn not_yet_valid() -> Result {
    let message = complaint_about(Certificate::NotYetValid).await?;
    assert_says(&message, &["not valid yet", "Sun, 01 Jan 2090", "clocks"]);
    Ok(())
}

#[tokio::test]
async fn wrong_name() -> Result {
    let message = complaint_about(Certificate::WrongName).await?;
    assert_says(&message, &["is for elsewhere.example, not for localhost"]);
    Ok(())
}

#[tokio::test]
async fn self_signed() -> Result {
    let message = complaint_about(Certificate::SelfSigned).await?;
    assert_says(&message, &["self-signed", "ca_file"]);
    Ok(())
}

#[tokio::test]
async fn self_signed_as_an_authority() -> Result {
    let message = complaint_about(Certificate::SelfSignedAuthority).await?;
    assert_says(&message, &["certificate of an authority", "CA:FALSE"]);
    Ok(())
}

#[tokio::test]
async fn unknown_authority() -> Result {
    let message = complaint_about(Certificate::UnknownAuthority).await?;
    assert_says(&message, &["authority that is not trusted here", "ca_file"]);
    Ok(())
}

#[tokio::test]
async fn signed_by_a_leaf() -> Result {
    let message = complaint_about(Certificate::SignedByLeaf).await?;
    assert_says(&message, &["signed by one that may not sign others"]);
    Ok(())
}

#[tokio::test]
async fn the_system_does_not_trust_a_private_authority() -> Result {
    let (_backend, _ca, mut config) = server(backend::Config::default())?;
    config.remote.ca_file = None;
    let message = complaint(&config).await;
    // Which of the two it is depends on whether this machine has any authorities.
    let untrusted = message.contains("authority that is not trusted here");
    assert!(
        untrusted || message.contains("no certificate authorities"),
        "{message}"
    );
    assert_says(&message, &["ca_file"]);
    Ok(())
}

#[tokio::test]
async fn a_client_certificate_is_asked_for() -> Result {
    let required = backend::Config {
        client_certificate_required: true,
        ..backend::Config::default()
    };
    let (backend, _ca, mut config) = server(required)?;
    let message = complaint(&config).await;
    assert_says(
        &message,
        &["asks for a client certificate", "client_cert", "client_key"],
    );

    let identity = backend.client_identity()?;
    let certificate = file(&identity.certificate_pem)?;
    let key = file(&identity.key_pem)?;
    config.remote.client_cert = Some(certificate.path().to_owned());
    assert_says(&complaint(&config).await, &["client_cert needs client_key"]);
    config.remote.client_key = Some(key.path().to_owned());
    rest::probe(&config).await?;

    let other_key = file(&backend.client_identity()?.key_pem)?;
    config.remote.client_key = Some(other_key.path().to_owned());
    assert_says(
        &complaint(&config).await,
        &["does not belong to client_cert"],
    );
    Ok(())
}

#[tokio::test]
async fn certificate_files_that_are_none() -> Result {
    let mut config = Config::new(Secret::literal("https://localhost/"));
    config.remote.ca_file = Some("/nowhere/ca.pem".into());
    assert_says(
        &complaint(&config).await,
        &["ca_file /nowhere/ca.pem", "check the path"],
    );

    let empty = file("no certificate\n")?;
    config.remote.ca_file = Some(empty.path().to_owned());
    let message = complaint(&config).await;
    assert_says(
        &message,
        &["holds no certificate", "-----BEGIN CERTIFICATE-----"],
    );

    let cut = file("-----BEGIN CERTIFICATE-----\nMIIB\n")?;
    config.remote.ca_file = Some(cut.path().to_owned());
    assert_says(&complaint(&config).await, &["is damaged"]);

    let nonsense = file("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")?;
    config.remote.ca_file = Some(nonsense.path().to_owned());
    assert_says(&complaint(&config).await, &["is damaged"]);
    Ok(())
}

#[tokio::test]
async fn settings_that_cannot_work() -> Result {
    let with = |change: fn(&mut Config)| {
        let mut config = Config::new(Secret::literal("https://localhost/x"));
        change(&mut config);
        config
    };
    let insecure = with(|config| config.url = Secret::literal("http://localhost/T0pS3cr3t"));
    assert_says(
        &complaint(&insecure).await,
        &["http://localhost/…", "allow_insecure = true"],
    );
    let no_token = with(|config| config.url = Secret::literal("https://localhost/{token}"));
    assert_says(&complaint(&no_token).await, &["{token}"]);
    let lonely = with(|config| config.username = Some("me".to_owned()));
    assert_says(&complaint(&lonely).await, &["username needs password"]);
    let twice = with(|config| {
        config.bearer_token = Some(Secret::literal("T0pS3cr3t"));
        config
            .headers
            .insert("authorization".to_owned(), Secret::literal("T0pS3cr3t"));
    });
    assert_says(&complaint(&twice).await, &["Authorization is set twice"]);
    let header = with(|config| {
        config
            .headers
            .insert("X-Key".to_owned(), Secret::literal("T0pS3cr3t\n"));
    });
    assert_says(&complaint(&header).await, &["header `X-Key`"]);
    Ok(())
}

#[tokio::test]
async fn nobody_is_there() -> Result {
    let (backend, _ca, mut config) = server(backend::Config::default())?;
    backend.outage(true).await;
    assert_says(
        &complaint(&config).await,
        &["localhost refuses connections on port"],
    );
    backend.outage(false).await;
    rest::probe(&config).await?;

    config.url = Secret::literal("https://meterline.invalid/x");
    config.remote.timeout = Duration::from_secs(30);
    assert_says(
        &complaint(&config).await,
        &["cannot find the host meterline.invalid (DNS"],
    );
    Ok(())
}

#[tokio::test]
async fn the_connection_breaks() -> Result {
    let (backend, _ca, config) = server(backend::Config::default())?;
    for (connection, words) in [
        (
            Connection::Close,
            "closed the connection during the TLS handshake",
        ),
        (
            Connection::Reset,
            "closed the connection during the TLS handshake",
        ),
        (Connection::GarbageForTls, "does not speak TLS on this port"),
        (
            Connection::GarbageForHttp,
            "does not speak HTTP on this port",
        ),
        (Connection::Stall, "no answer within 2 s"),
    ] {
        backend.set_behaviour(Behaviour::connecting(connection));
        assert_says(&complaint(&config).await, &[words]);
    }
    for (step, words) in [
        (Step::Close, "broke before the answer"),
        (Step::Reset, "broke before the answer"),
        (Step::Stall, "no answer within 2 s"),
    ] {
        backend.set_behaviour(Behaviour {
            then: step,
            ..Behaviour::default()
        });
        assert_says(&complaint(&config).await, &[words]);
    }
    Ok(())
}

#[tokio::test]
async fn https_towards_a_plain_server() -> Result {
    let plain = backend::Config {
        tls: false,
        ..backend::Config::default()
    };
    let (backend, _ca, mut config) = server(plain)?;
    config.url = Secret::literal(backend.url(PATH).replace("http://", "https://"));
    assert_says(
        &complaint(&config).await,
        &["does not speak TLS on this port"],
    );
    config.url = Secret::literal(backend.url(PATH));
    assert_says(&complaint(&config).await, &["allow_insecure"]);
    config.remote.allow_insecure = true;
    assert_says(&rest::probe(&config).await?, &["nothing is encrypted"]);
    Ok(())
}

#[tokio::test]
async fn an_endless_answer_ends() -> Result {
    let (backend, _ca, config) = server(backend::Config::default())?;
    let endless = Answer::status(200)
        .body("more ")
        .encoding(Encoding::Endless);
    backend.set_behaviour(Behaviour::always(endless));
    rest::probe(&config).await?;
    Ok(())
}
