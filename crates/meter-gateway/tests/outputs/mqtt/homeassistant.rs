//! What Home Assistant is told. Whether it understands is tried with a real one: see `real`.

use std::time::Duration;

use meter_gateway::output::mqtt::Discovery;
use serde_json::Value as Json;

use super::broker::{Broker, Message};
use super::setup::{AVAILABILITY, METER, METER_ID, OTHER_METER, Result, Setup, TOPIC, wait_for};

const CONFIG: &str = "homeassistant/device/meterline_1EMH0012345678/config";
const BIRTH: &str = "homeassistant/status";

async fn start(broker: &Broker) -> Result<Setup> {
    let url = format!("mqtt://127.0.0.1:{}", broker.plain);
    let mut setup = Setup::new(&url, broker).await?;
    setup.config.discovery = Some(Discovery::HomeAssistant);
    Ok(setup)
}

fn of<'m>(messages: &'m [Message], topic: &str) -> Option<&'m Message> {
    messages.iter().find(|message| message.topic == topic)
}

#[tokio::test]
async fn a_meter_is_announced_once_and_again_at_a_birth() -> Result {
    let Some(broker) = Broker::start("").await? else {
        return Ok(());
    };
    let setup = start(&broker).await?;
    let mut observer = broker.observe().await?;
    let running = setup.run().await?;
    setup.append(0..1).await?;
    let config = observer.next_of(CONFIG).await?.json();
    assert_eq!(config["stat_t"], format!("{TOPIC}/state"));
    let topics: Vec<&Json> = config["avty"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["t"])
        .collect();
    assert_eq!(topics, [AVAILABILITY, &format!("{TOPIC}/availability")]);
    assert_eq!(config["cmps"]["1_8_0"]["dev_cla"], "energy");
    assert_eq!(config["cmps"]["16_7_0"]["exp_aft"], 300);
    assert_eq!(config["cmps"]["pin_locked"]["p"], "binary_sensor");
    let state = observer.next_of(&format!("{TOPIC}/state")).await?.json();
    assert_eq!(state["1.8.0"].to_string(), "2941.6459");
    assert_eq!(
        (&state["pin_locked"], &state["correction"]),
        (&Json::from(false), &Json::from("none"))
    );

    // The next reading is a state and no announcement.
    setup.append(1..2).await?;
    let next = observer.until(&format!("{TOPIC}/state"), |_| true).await?;
    assert_eq!(next[0].json()["1.8.0"].to_string(), "2941.6460");
    running.until_delivered().await?;

    let born = std::time::Instant::now();
    broker.publish(BIRTH, "online", false).await?;
    observer.next_of(CONFIG).await?;
    let state = observer.next_of(&format!("{TOPIC}/state")).await?;
    assert_eq!(state.json()["1.8.0"].to_string(), "2941.6460");
    assert!(born.elapsed() < Duration::from_secs(12));
    running.stop().await?;
    assert_eq!(setup.warnings(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_broker_that_has_forgotten_everything_is_told_again() -> Result {
    let Some(mut broker) = Broker::start("").await? else {
        return Ok(());
    };
    let setup = start(&broker).await?;
    let running = setup.run().await?;
    setup.append(0..1).await?;
    running.until_delivered().await?;
    broker.kill().await?;
    broker.again().await?;
    // It comes back without a new reading.
    running
        .until("away", |status| status.last_error.is_some())
        .await?;
    let retained = async || broker.retained().await;
    wait_for("told again", async || {
        Ok(of(&retained().await?, AVAILABILITY).is_some())
    })
    .await?;
    setup.append(1..2).await?;
    wait_for("announced again", async || {
        let all = retained().await?;
        Ok(of(&all, CONFIG).is_some() && of(&all, &format!("{TOPIC}/state")).is_some())
    })
    .await?;
    running.stop().await
}

/// Its states have no history: old power would count as new.
#[tokio::test]
async fn a_backlog_is_not_replayed() -> Result {
    let Some(broker) = Broker::start("").await? else {
        return Ok(());
    };
    let mut setup = start(&broker).await?;
    setup.start -= 3_600_000;
    setup.append(0..300).await?;
    setup.start += 3_600_000;
    setup.append(300..301).await?;
    let mut observer = broker.observe().await?;
    let running = setup.run().await?;
    running.until_delivered().await?;
    broker.publish("end", "end", false).await?;
    let mut states = Vec::new();
    loop {
        let message = observer.next().await?;
        if message.topic == "end" {
            break;
        }
        if message.topic.ends_with("/state") {
            states.push(message.json()["1.8.0"].to_string());
        }
    }
    assert_eq!(states, ["2941.6759"]);
    running.stop().await
}

#[tokio::test]
async fn a_meter_that_is_left_out_is_forgotten() -> Result {
    let Some(broker) = Broker::start("").await? else {
        return Ok(());
    };
    let mut setup = start(&broker).await?;
    setup.append_of(&METER, 0).await?;
    setup.append_of(&OTHER_METER, 0).await?;
    let running = setup.run().await?;
    running.until_delivered().await?;
    running.stop().await?;
    let other = "homeassistant/device/meterline_1ESY1162233693/config";
    let all = broker.retained().await?;
    assert!(of(&all, CONFIG).is_some() && of(&all, other).is_some());
    // Somebody else's device is not touched.
    let foreign = "homeassistant/device/meterline_foreign/config";
    let words = r#"{"o":{"name":"meterline"},"dev":{"sn":"1 ABC00 1234 5678"},"avty":[{"t":"x"}],"cmps":{}}"#;
    broker.publish(foreign, words, true).await?;

    setup.config.remote.delivery.meters = vec![METER_ID.parse()?];
    let running = setup.run().await?;
    wait_for("forgotten", async || {
        Ok(of(&broker.retained().await?, other).is_none())
    })
    .await?;
    let all = broker.retained().await?;
    assert!(of(&all, CONFIG).is_some() && of(&all, foreign).is_some());
    assert!(
        !all.iter()
            .any(|message| message.topic.contains("1ESY1162233693/state"))
    );
    running.stop().await?;
    assert_eq!(setup.warnings(), [""; 0]);
    Ok(())
}
