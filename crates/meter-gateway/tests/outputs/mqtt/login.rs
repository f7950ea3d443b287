//! Who is let in, and how it is told who is not.

use meter_gateway::config::Secret;
use meter_gateway::mqtt::Version;

use super::broker;
use super::setup::{Result, Setup, TOPIC, assert_says};

/// By every way that there is, in both versions.
#[tokio::test]
async fn every_way_leads_to_the_broker() -> Result {
    let Some(broker) = broker::start("").await? else {
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

/// What becomes of the readings is in the suite.
#[tokio::test]
async fn a_probe_tells_a_wrong_password_and_a_wrong_name() -> Result {
    let Some(broker) = broker::start("").await? else {
        return Ok(());
    };
    for version in [Version::V3, Version::V5] {
        let mut setup = Setup::new(&format!("mqtts://localhost:{}", broker.tls), &broker).await?;
        setup.config.version = Some(version);
        setup.config.password = Some(Secret::literal("wrong"));
        let told = setup.check().await.unwrap_err();
        assert_says(
            &told,
            &["does not let us in", "check username and password"],
        );
    }
    let by_address = format!("mqtts://127.0.0.1:{}", broker.tls);
    let setup = Setup::new(&by_address, &broker).await?;
    assert_says(
        &setup.check().await.unwrap_err(),
        &["its certificate is for localhost, not for 127.0.0.1"],
    );
    Ok(())
}

#[tokio::test]
async fn what_is_no_broker_is_told() -> Result {
    let Some(broker) = broker::start("").await? else {
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
