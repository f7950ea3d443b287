//! In which order, at which pace and in which form readings arrive.

use std::time::Duration;

use meter_gateway::mqtt::Version;
use meter_gateway::output::EnergyUnit;
use meter_gateway::output::mqtt::{Discovery, Format, Qos};
use serde_json::json;

use super::broker;
use super::setup::*;
use fixtures::{Message, Observer};

/// The number of a reading.
fn index_of(message: &Message) -> i64 {
    let value = message.json()["registers"][0]["value"].to_string();
    value.replace('.', "").parse::<i64>().unwrap_or_default() - 29_416_459
}

/// The numbers of the readings that arrive, until this one.
async fn arrived(observer: &mut Observer, last: i64) -> Result<Vec<i64>> {
    let messages = observer
        .until(TOPIC, |message| index_of(message) == last)
        .await?;
    Ok(messages.iter().map(index_of).collect())
}

#[tokio::test]
async fn a_backlog_arrives_in_order_and_once() -> Result {
    let Some(broker) = broker::start("").await? else {
        return Ok(());
    };
    for (version, qos) in [
        (Version::V3, Qos::One),
        (Version::V5, Qos::One),
        (Version::V3, Qos::Zero),
        (Version::V5, Qos::Zero),
    ] {
        let mut observer = broker.observe().await?;
        let url = format!("mqtt://127.0.0.1:{}", broker.plain);
        let mut setup = Setup::new(&url, &broker).await?;
        (setup.config.version, setup.config.qos) = (Some(version), qos);
        setup.append(0..500).await?;
        let running = setup.run().await?;
        assert_eq!(arrived(&mut observer, 499).await?, numbers(0..500));
        let status = running.until_delivered().await?;
        assert_eq!((status.delivered, status.rejected), (500, 0));
        running.stop().await?;
        assert_eq!(setup.warnings(), [""; 0]);
    }
    Ok(())
}

#[tokio::test]
async fn a_backlog_is_paced() -> Result {
    let Some(broker) = broker::start("").await? else {
        return Ok(());
    };
    let mut observer = broker.observe().await?;
    let url = format!("mqtt://127.0.0.1:{}", broker.plain);
    let mut setup = Setup::new(&url, &broker).await?;
    setup.config.remote.delivery.max_rate = std::num::NonZeroU32::new(50);
    setup.append(0..150).await?;
    let started = std::time::Instant::now();
    let running = setup.run().await?;
    assert_eq!(arrived(&mut observer, 149).await?, numbers(0..150));
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(2), "{took:?}");
    running.stop().await
}

#[tokio::test]
async fn each_format_is_what_its_readers_know() -> Result {
    let Some(broker) = broker::start("").await? else {
        return Ok(());
    };
    let url = format!("mqtt://127.0.0.1:{}", broker.plain);
    let mut observer = broker.observe().await?;
    let mut setup = Setup::new(&url, &broker).await?;
    let start = setup.start;
    setup.append(0..1).await?;

    setup.config.format = Format::Registers;
    setup.config.topic = Some("meterline/{meter}/{name}".to_owned());
    let running = setup.run().await?;
    let import = observer.next_of(&format!("{TOPIC}/import_total")).await?;
    assert_eq!(import.payload, "2941645.9");
    assert_eq!(
        observer.next_of(&format!("{TOPIC}/power")).await?.payload,
        "-105.5"
    );
    running.until_delivered().await?;
    running.stop().await?;

    setup.config.topic = None;
    setup.config.format = Format::Thingsboard;
    setup.append(1..4).await?;
    let running = setup.run().await?;
    let telemetry = observer.next_of("v1/devices/me/telemetry").await?.json();
    let values = |value: &str| {
        let value: serde_json::Value = serde_json::from_str(value).unwrap_or_default();
        json!({"devid": "1EMH00 12345678", "1.8.0_Wh": value, "16.7.0_W": -105.5})
    };
    let wanted = json!([
        {"ts": start + 1000, "values": values("2941646.0")},
        {"ts": start + 2000, "values": values("2941646.1")},
        {"ts": start + 3000, "values": values("2941646.2")},
    ]);
    assert_eq!(telemetry.to_string(), wanted.to_string());
    running.until_delivered().await?;
    running.stop().await?;

    setup.config.format = Format::ThingsboardGateway;
    setup.append(4..5).await?;
    setup.append_of(&OTHER_METER, 4).await?;
    let running = setup.run().await?;
    let mut devices = Vec::new();
    for _ in 0..2 {
        devices.push(observer.next_of("v1/gateway/connect").await?.json()["device"].clone());
    }
    assert_eq!(devices, [METER_ID, "1ESY1162233693"]);
    let telemetry = observer.next_of("v1/gateway/telemetry").await?.json();
    assert_eq!(telemetry[METER_ID][0]["ts"], start + 4000);
    assert_eq!(
        telemetry[METER_ID][0]["values"].to_string(),
        values("2941646.3").to_string()
    );
    assert_eq!(telemetry["1ESY1162233693"][0]["ts"], start + 4000);
    running.until_delivered().await?;
    running.stop().await?;

    setup.config.format = Format::Classic;
    setup.append(5..6).await?;
    let running = setup.run().await?;
    let classic = observer.next_of(TOPIC).await?.json();
    assert_eq!(classic["device_id"], "under-test");
    assert_eq!(classic["properties"][0]["value"], "1EMH00 12345678");
    assert_eq!(classic["properties"][1]["value"].to_string(), "2941646.4");
    running.until_delivered().await?;
    running.stop().await
}

#[tokio::test]
async fn it_is_said_who_is_there() -> Result {
    let Some(broker) = broker::start("").await? else {
        return Ok(());
    };
    let meter = format!("{TOPIC}/availability");
    let retained = async |topic: &str| -> Result<Option<String>> {
        let all = broker.retained().await?;
        let one = all.into_iter().find(|message| message.topic == topic);
        Ok(one.map(|message| message.payload))
    };
    let url = format!("mqtt://127.0.0.1:{}", broker.plain);
    let mut setup = Setup::new(&url, &broker).await?;
    setup.config.expire_after = millis(1500);
    let running = setup.run().await?;
    wait_for("online", async || {
        Ok(retained(AVAILABILITY).await?.as_deref() == Some("online"))
    })
    .await?;
    assert_eq!(retained(&meter).await?, None);
    setup.append(0..1).await?;
    running.until_delivered().await?;
    wait_for("the meter online", async || {
        Ok(retained(&meter).await?.as_deref() == Some("online"))
    })
    .await?;
    // It says nothing more.
    wait_for("the meter offline", async || {
        Ok(retained(&meter).await?.as_deref() == Some("offline"))
    })
    .await?;
    assert_eq!(retained(AVAILABILITY).await?.as_deref(), Some("online"));
    running.stop().await?;
    assert_eq!(retained(AVAILABILITY).await?.as_deref(), Some("offline"));

    // The last will speaks for who dies.
    let running = setup.run().await?;
    wait_for("online", async || {
        Ok(retained(AVAILABILITY).await?.as_deref() == Some("online"))
    })
    .await?;
    running.kill().await;
    wait_for("offline", async || {
        Ok(retained(AVAILABILITY).await?.as_deref() == Some("offline"))
    })
    .await?;

    // Another life knows that a meter was there before it.
    broker.publish(&meter, "online", true).await?;
    let running = setup.run().await?;
    wait_for("the meter offline", async || {
        Ok(retained(&meter).await?.as_deref() == Some("offline"))
    })
    .await?;
    running.stop().await
}

#[tokio::test]
async fn registers_are_published_as_they_were_chosen() -> Result {
    let Some(broker) = broker::start("").await? else {
        return Ok(());
    };
    let url = format!("mqtt://127.0.0.1:{}", broker.plain);
    let mut setup = Setup::new(&url, &broker).await?;
    setup.config.format = Format::Registers;
    setup.config.discovery = Some(Discovery::HomeAssistant);
    let shape = &mut setup.config.remote.delivery.shape;
    shape.registers = vec!["1.8.*".parse()?];
    shape.rename = [("1.8.0".parse()?, "import".to_owned())].into();
    shape.energy_unit = EnergyUnit::KilowattHour;
    shape.decimals = Some(2);
    setup.append(0..1).await?;
    let running = setup.run().await?;
    running.until_delivered().await?;
    let retained = broker.retained().await?;
    let below = |message: &&Message| message.topic.starts_with(TOPIC);
    let mut topics: Vec<&str> = retained
        .iter()
        .filter(below)
        .map(|message| message.topic.as_str())
        .collect();
    topics.sort_unstable();
    let of_meter = ["availability", "import", "state"].map(|level| format!("{TOPIC}/{level}"));
    assert_eq!(topics, of_meter);
    let payload = |topic: &str| retained.iter().find(|message| message.topic == topic);
    let import = payload(&of_meter[1]).ok_or("no reading")?;
    assert_eq!(import.payload, "2941.65");
    // Home Assistant converts and rounds by itself.
    let state = payload(&of_meter[2]).ok_or("no state")?.json();
    assert_eq!(state["1.8.0"].to_string(), "2941.6459");
    assert_eq!(state.get("16.7.0"), None);
    let config = payload("homeassistant/device/meterline_1EMH0012345678/config");
    let components = &config.ok_or("no discovery")?.json()["cmps"];
    assert_eq!(components["1_8_0"]["name"], "import");
    assert_eq!(components.get("16_7_0"), None);
    running.stop().await
}
