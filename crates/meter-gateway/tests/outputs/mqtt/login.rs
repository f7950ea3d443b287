//! Who is let in, and how it is told who is not.

use meter_gateway::config::Secret;
use meter_gateway::mqtt::Version;
use meter_gateway::output::State;
use meter_sim::backend::{Backend, Certificate, Config};

use super::broker::Broker;
use super::setup::{Result, Setup, TOPIC, assert_says};

/// By every way that there is, in both versions.
#[tokio::test]
async fn every_way_leads_to_the_broker() -> Result {
    let Some(broker) = Broker::start("").await? else {
        return Ok(());
    };
    let mut observer = broker.observe().await?;
    let mut index = 0;
    for url in [
        format!("mqtt://localhost:{}", broker.plain),
        format!("mqtts://localhost:{}", broker.tls),
        format!("ws://localhost:{}/mqtt", broker.websocket),
        format!("wss://localhost:{}", broker.secure_websocket),
    ] {
        for version in [Some(Version::V3), Some(Version::V5), None] {
            let mut setup = Setup::new(&url, &broker).await?;
            setup.config.version = version;
            index += 1;
            setup.append(index..index + 1).await?;
            let running = setup.run().await?;
            running.until_delivered().await?;
            let message = observer.next_of(TOPIC).await?.json();
            let value = message["registers"][0]["value"].to_string();
            assert_eq!(
                value,
                format!(
                    "{}.{}",
                    (29_416_459 + index) / 10,
                    (29_416_459 + index) % 10
                )
            );
            running.stop().await?;
            assert_eq!(setup.warnings(), [""; 0], "{url} {version:?}");
            let said = setup.check().await?;
            let wanted = if version == Some(Version::V3) {
                "MQTT 3.1.1"
            } else {
                "MQTT 5"
            };
            assert_says(&said, &[wanted, "allowed to log in"]);
            let secure = url.starts_with("mqtts") || url.starts_with("wss");
            assert_eq!(said.contains("the certificate is good"), secure, "{said}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_is_told_and_nothing_is_lost() -> Result {
    let Some(broker) = Broker::start("").await? else {
        return Ok(());
    };
    let url = format!("mqtts://localhost:{}", broker.tls);
    for version in [Version::V3, Version::V5] {
        let mut setup = Setup::new(&url, &broker).await?;
        setup.config.version = Some(version);
        setup.config.password = Some(Secret::literal("wrong"));
        setup.append(0..3).await?;
        let running = setup.run().await?;
        let told = running.until_trouble(State::Misconfigured).await?;
        assert_says(
            &told,
            &["does not let us in", "check username and password"],
        );
        let backlog = running.until("counted", |status| status.backlog == 3);
        backlog.await?;
        running.stop().await?;
        let checked = setup.check().await.unwrap_err();
        assert_says(
            &checked,
            &["does not let us in", "check username and password"],
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_broker_that_is_not_trusted_gets_no_password() -> Result {
    let Some(broker) = Broker::start("").await? else {
        return Ok(());
    };
    let url = format!("mqtts://localhost:{}", broker.tls);
    let stranger = Backend::start(Config::default())?;
    let other_ca = broker.folder.path().join("other-ca");
    std::fs::write(&other_ca, stranger.ca_pem())?;
    let mut setup = Setup::new(&url, &broker).await?;
    setup.config.remote.ca_file = Some(other_ca);
    setup.append(0..1).await?;
    let running = setup.run().await?;
    let told = running.until_trouble(State::Retrying).await?;
    assert_says(&told, &["cannot trust localhost", "ca_file"]);
    running.stop().await?;

    let by_address = format!("mqtts://127.0.0.1:{}", broker.tls);
    let setup = Setup::new(&by_address, &broker).await?;
    let told = setup.check().await.unwrap_err();
    assert_says(
        &told,
        &["its certificate is for localhost, not for 127.0.0.1"],
    );

    // A broker that shows an expired certificate is not to be had from mosquitto, which looks at it.
    let expired = Backend::start(Config {
        certificate: Certificate::Expired,
        ..Config::default()
    })?;
    let ca = broker.folder.path().join("expired-ca");
    std::fs::write(&ca, expired.ca_pem())?;
    let url = expired.url("").replace("https://", "mqtts://");
    let mut setup = Setup::new(&url, &broker).await?;
    setup.config.remote.ca_file = Some(ca);
    let told = setup.check().await.unwrap_err();
    assert_says(&told, &["its certificate expired on Fri, 01 Jan 2021"]);
    Ok(())
}

#[tokio::test]
async fn what_is_no_broker_is_told() -> Result {
    let Some(broker) = Broker::start("").await? else {
        return Ok(());
    };
    let url = format!("ws://localhost:{}", broker.plain);
    let told = Setup::new(&url, &broker).await?.check().await.unwrap_err();
    assert_says(&told, &[&url, "check host, port and path in url"]);

    let url = format!("mqtt://localhost:{}", broker.websocket);
    let told = Setup::new(&url, &broker).await?.check().await.unwrap_err();
    assert_says(&told, &["check"]);

    let url = format!("mqtts://localhost:{}", broker.plain);
    let told = Setup::new(&url, &broker).await?.check().await.unwrap_err();
    assert_says(&told, &["cannot trust localhost"]);

    let told = Setup::new("mqtt://localhost:1", &broker)
        .await?
        .check()
        .await
        .unwrap_err();
    assert_says(&told, &["refuses connections on port 1"]);
    let told = Setup::new("mqtt://broker.invalid", &broker)
        .await?
        .check()
        .await
        .unwrap_err();
    assert_says(&told, &["cannot find the host broker.invalid"]);
    Ok(())
}
