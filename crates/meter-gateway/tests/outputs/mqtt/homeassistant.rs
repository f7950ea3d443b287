//! What Home Assistant is told. A real one is asked in meterline's own tests.

use std::time::Duration;

use meter_core::{ServerId, UnixMillis};
use meter_gateway::input::{self, Captured};
use meter_gateway::output::mqtt::Discovery;
use meter_gateway::run::MeterView;
use meter_sim::{Meter, MeterConfig, model};
use serde_json::Value as Json;
use tokio::sync::{mpsc, watch};

use super::broker;
use super::setup::{AVAILABILITY, METER, METER_ID, OTHER_METER, Result, Setup, TOPIC, wait_for};
use fixtures::{Message, Mosquitto};

const CONFIG: &str = "homeassistant/device/meterline_1EMH0012345678/config";
const BIRTH: &str = "homeassistant/status";

async fn start(broker: &Mosquitto) -> Result<Setup> {
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
    let Some(broker) = broker::start("").await? else {
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

/// The states hold what is known of the line when they are published, and nothing before that.
#[tokio::test]
async fn a_state_says_how_the_line_is() -> Result {
    let Some(broker) = broker::start("").await? else {
        return Ok(());
    };
    let setup = start(&broker).await?;
    let mut observer = broker.observe().await?;
    let running = setup.run().await?;
    let state = format!("{TOPIC}/state");
    setup.append(0..1).await?;
    let config = observer.next_of(CONFIG).await?.json();
    assert_eq!(config["cmps"].get("crc_errors"), None);
    let first = observer.next_of(&state).await?.json();
    assert_eq!(first["backlog"], 0);
    assert_eq!(
        (first.get("crc_errors"), first.get("signal_quality")),
        (None, None)
    );
    running.until_delivered().await?;

    let mut meter = Meter::new(model::find("emh-mme40")?, &MeterConfig::default());
    let mut bytes = Vec::new();
    for number in 0..5 {
        let mut telegram = meter.telegram().bytes;
        telegram[100] ^= u8::from(number == 2);
        bytes.extend(telegram);
    }
    let (line, _) = read(&bytes).await?;
    setup.view.send_modify(|view| {
        view.inputs.insert("house".to_owned(), line);
        view.meters.insert(METER.into(), read_by("house"));
    });
    // What is new about the line alone is no reason for a message.
    setup.append(1..2).await?;
    let config = observer.next_of(CONFIG).await?.json();
    let errors = &config["cmps"]["crc_errors"];
    assert_eq!(
        (&errors["ent_cat"], &errors["stat_cla"]),
        (&Json::from("diagnostic"), &Json::from("total_increasing"))
    );
    assert_eq!(config["cmps"]["signal_quality"]["unit_of_meas"], "%");
    let second = observer.next_of(&state).await?.json();
    assert_eq!(second["1.8.0"].to_string(), "2941.6460");
    assert_eq!(
        (&second["crc_errors"], &second["signal_quality"]),
        (&Json::from(1), &Json::from(80))
    );
    running.stop().await
}

/// What an input makes of a recording.
async fn read(bytes: &[u8]) -> Result<(input::Status, Vec<Captured>)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("recording");
    std::fs::write(&path, bytes)?;
    let config = input::Config::File(input::file::Config::new(path));
    let (sender, mut readings) = mpsc::channel(16);
    let (status, seen) = watch::channel(input::Status::default());
    input::run("house".into(), config, sender, status).await;
    let mut all = Vec::new();
    while let Some(reading) = readings.recv().await {
        all.push(reading);
    }
    let status = seen.borrow().clone();
    Ok((status, all))
}

fn read_by(input: &str) -> MeterView {
    MeterView {
        input: Some(input.to_owned()),
        time: UnixMillis(0),
        taken: None,
        pace: None,
        body: [].into(),
        readings: 1,
        suspects: 0,
    }
}

/// A round number alone may be chance.
#[tokio::test]
async fn a_missing_pin_is_told_when_it_is_sure() -> Result {
    let Some(broker) = broker::start("").await? else {
        return Ok(());
    };
    let setup = start(&broker).await?;
    let mut observer = broker.observe().await?;
    let running = setup.run().await?;
    let settings = MeterConfig {
        pin_entered: false,
        ..MeterConfig::default()
    };
    let mut meter = Meter::new(model::find("emh-mme40")?, &settings);
    let bytes: Vec<u8> = (0..10).flat_map(|_| meter.telegram().bytes).collect();
    let (_, readings) = read(&bytes).await?;
    assert_eq!(readings.len(), 10);
    let id = ServerId(meter.server_id()).meter_id().compact();
    let state = format!("meterline/{id}/state");
    for (number, reading) in readings.into_iter().enumerate() {
        let meter = &reading.server_id;
        setup
            .journal
            .append(meter, reading.at.wall, reading.body)
            .await?;
        let told = &observer.next_of(&state).await?.json()["pin_locked"];
        let wanted = (number == 9).then_some(true);
        assert_eq!(*told, Json::from(wanted), "reading {number}");
    }
    running.stop().await
}

#[tokio::test]
async fn a_broker_that_has_forgotten_everything_is_told_again() -> Result {
    let Some(mut broker) = broker::start("").await? else {
        return Ok(());
    };
    let setup = start(&broker).await?;
    let running = setup.run().await?;
    setup.append(0..1).await?;
    running.until_delivered().await?;
    broker.kill()?;
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
    let Some(broker) = broker::start("").await? else {
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
    let Some(broker) = broker::start("").await? else {
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
