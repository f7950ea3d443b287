//! What a broker does not take.

use meter_gateway::config::Secret;
use meter_gateway::mqtt::Version;
use meter_gateway::output::State;

use super::broker;
use super::setup::{Result, Setup, TOPIC, assert_says};

/// Only MQTT 5 tells it. With 3.1.1 mosquitto acknowledges what it then throws away, which nobody can
/// notice; the documentation says so.
#[tokio::test]
async fn a_topic_that_is_not_allowed_is_told_by_mqtt_5() -> Result {
    let Some(broker) = broker::start("").await? else {
        return Ok(());
    };
    let mut observer = broker.observe().await?;
    let url = format!("mqtt://127.0.0.1:{}", broker.plain);
    let mut setup = Setup::new(&url, &broker).await?;
    setup.config.username = Some(Secret::literal("stranger"));
    setup.append(0..3).await?;
    let running = setup.run().await?;
    let told = running.complaint(State::Misconfigured).await?;
    assert_says(
        &told,
        &["not authorised (0x87)", "let username write there"],
    );
    running
        .until("counted", |status| status.backlog == 3)
        .await?;
    running.stop().await?;
    assert_says(
        &setup.check().await.unwrap_err(),
        &["does not take a message for the topic meterline/check: not authorised"],
    );
    setup.config.topic = Some("elsewhere/{meter}".to_owned());
    let running = setup.run().await?;
    running.until_delivered().await?;
    observer.next_of("elsewhere/1EMH0012345678").await?;
    running.stop().await?;

    setup.config.topic = None;
    setup.config.version = Some(Version::V3);
    setup.append(3..4).await?;
    let running = setup.run().await?;
    let status = running.until_delivered().await?;
    assert_eq!(status.delivered, 1);
    running.stop().await?;
    assert_says(
        &setup.check().await?,
        &["3.1.1 it does not say whether a topic is allowed"],
    );
    let retained = broker.retained().await?;
    assert!(!retained.iter().any(|message| message.topic == TOPIC));
    Ok(())
}

/// The broker's own bound, which it tells when we log in.
#[tokio::test]
async fn readings_that_are_too_long_are_told_and_kept() -> Result {
    let Some(broker) = broker::start("max_packet_size 300").await? else {
        return Ok(());
    };
    let url = format!("mqtt://127.0.0.1:{}", broker.plain);
    let mut setup = Setup::new(&url, &broker).await?;
    setup.append(0..12).await?;
    let running = setup.run().await?;
    let told = running.complaint(State::Misconfigured).await?;
    assert_says(
        &told,
        &["longer than the broker takes", "nothing was set aside"],
    );
    running.stop().await?;
    setup.config.format = meter_gateway::output::mqtt::Format::Thingsboard;
    let running = setup.run().await?;
    running.until_delivered().await?;
    running.stop().await
}

/// mosquitto does not tell this bound when we log in; MQTT has no such answer to a message.
#[tokio::test]
async fn readings_that_are_too_long_are_set_aside_with_the_broker_s_words() -> Result {
    let Some(broker) = broker::start("message_size_limit 250").await? else {
        return Ok(());
    };
    let url = format!("mqtt://127.0.0.1:{}", broker.plain);
    let mut setup = Setup::new(&url, &broker).await?;
    setup.config.format = meter_gateway::output::mqtt::Format::Json;
    setup.append(0..12).await?;
    let running = setup.run().await?;
    let told = running.complaint(State::Misconfigured).await?;
    assert_says(&told, &["packet too large (0x95)", "nothing was set aside"]);
    running.stop().await?;
    Ok(())
}

/// More at once than the broker takes would be its right to hang up.
#[tokio::test]
async fn no_more_is_on_its_way_than_the_broker_takes() -> Result {
    let Some(broker) = broker::start("max_inflight_messages 3").await? else {
        return Ok(());
    };
    let url = format!("mqtt://127.0.0.1:{}", broker.plain);
    let setup = Setup::new(&url, &broker).await?;
    setup.append(0..200).await?;
    let running = setup.run().await?;
    let status = running.until_delivered().await?;
    assert_eq!(status.delivered, 200);
    running.stop().await?;
    assert_eq!(setup.warnings(), [""; 0]);
    Ok(())
}
