//! The input `mqtt`: what others publish becomes readings.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use fixtures::{LIMIT, Mosquitto, PASSWORD};
use meter_core::{Obis, Reading};
use meter_gateway::config::{Interval, Secret};
use meter_gateway::input::mqtt::Config;
use meter_gateway::input::{self, Captured, State, Status};
use meter_sim::{Meter, MeterConfig, model};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const TOPIC: &str = "tele/meter/SENSOR";
const TASMOTA: &str = r#"{"Time":"2026-11-23T05:00:00","SML":{"Meter_id":"0a01454d480000bc614e","Total_in":2941.6459,"Power_curr":-105}}"#;

struct Running {
    readings: mpsc::Receiver<Captured>,
    status: watch::Receiver<Status>,
    task: JoinHandle<input::End>,
}

impl Running {
    fn start(config: &Config) -> Self {
        let (sender, readings) = mpsc::channel(64);
        let (status, seen) = watch::channel(Status::default());
        let config = input::Config::Mqtt(Box::new(config.clone()));
        let task = tokio::spawn(input::run(Arc::from("test"), config, sender, status));
        Self {
            readings,
            status: seen,
            task,
        }
    }

    async fn next(&mut self) -> Result<Captured> {
        let reading = tokio::time::timeout(LIMIT, self.readings.recv()).await?;
        Ok(reading.ok_or("the input has ended")?)
    }

    async fn until(&self, state: impl Fn(&State) -> bool) -> Result<Status> {
        let mut status = self.status.clone();
        let waiting = tokio::time::timeout(LIMIT, status.wait_for(|status| state(&status.state)));
        Ok(waiting.await??.clone())
    }

    async fn until_listening(&self) -> Result {
        self.until(|state| *state == State::Listening)
            .await
            .map(drop)
    }

    async fn trouble(&self) -> Result<String> {
        let status = self
            .until(|state| matches!(state, State::Trouble(_)))
            .await?;
        match status.state {
            State::Trouble(trouble) => Ok(trouble.text),
            other => Err(format!("{other:?}").into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn config(url: &str) -> Result<Config> {
    let mut config = Config::new(url.parse()?, TOPIC.parse()?);
    config.username = Some(Secret::literal("observer"));
    config.password = Some(Secret::literal(PASSWORD));
    config.interval = Interval::Every;
    Ok(config)
}

fn import(captured: &Captured) -> Result<String> {
    let reading = Reading::from_bytes(&captured.body)?;
    let register = reading.register(Obis::electricity(1, 8, 0));
    let number = register.and_then(|register| register.number());
    Ok(number.ok_or("no import")?.to_string())
}

#[tokio::test]
async fn telegrams_and_tasmotas_json_become_readings() -> Result {
    let Some(broker) = Mosquitto::start("", "").await? else {
        return Ok(());
    };
    let mut meter = Meter::new(model::find("emh-mme40")?, &MeterConfig::default());
    let url = format!("mqtts://localhost:{}", broker.tls);
    let mut config = config(&url)?;
    config.ca_file = Some(broker.ca());
    // What was retained has no time.
    broker
        .publish(TOPIC, &TASMOTA.replace("2941", "1000"), true)
        .await?;
    let mut running = Running::start(&config);
    running.until_listening().await?;

    broker.publish(TOPIC, TASMOTA, false).await?;
    let captured = running.next().await?;
    assert_eq!(import(&captured)?, "2941645.9");
    assert_eq!(*captured.server_id, *b"\x0a\x01EMH\x00\x00\xbc\x61\x4e");

    let telegram = meter.telegram();
    let hex = meter_core::payload::Hex(&telegram.bytes).to_string();
    broker.publish(TOPIC, &hex.to_uppercase(), false).await?;
    let captured = running.next().await?;
    let truth = telegram.number_text(Obis::electricity(1, 8, 0));
    assert_eq!(Some(import(&captured)?), truth);
    assert_eq!(*captured.server_id, *meter.server_id());

    let telegram = meter.telegram();
    broker.publish_bytes(TOPIC, &telegram.bytes).await?;
    let captured = running.next().await?;
    let truth = telegram.number_text(Obis::electricity(1, 8, 0));
    assert_eq!(Some(import(&captured)?), truth);

    // Something else in between does no harm.
    broker
        .publish(TOPIC, r#"{"ENERGY":{"Power":7}}"#, false)
        .await?;
    broker.publish(TOPIC, TASMOTA, false).await?;
    assert_eq!(import(&running.next().await?)?, "2941645.9");
    Ok(())
}

#[tokio::test]
async fn a_broker_that_was_away_is_heard_again() -> Result {
    let Some(mut broker) = Mosquitto::start("", "").await? else {
        return Ok(());
    };
    let mut running = Running::start(&config(&format!("mqtt://127.0.0.1:{}", broker.plain))?);
    running.until_listening().await?;
    broker.publish(TOPIC, TASMOTA, false).await?;
    running.next().await?;
    let before = running.status.borrow().opened;
    broker.kill()?;
    broker.again().await?;
    let opened = running.status.wait_for(|status| status.opened > before);
    tokio::time::timeout(LIMIT, opened).await??;
    broker.publish(TOPIC, TASMOTA, false).await?;
    assert_eq!(import(&running.next().await?)?, "2941645.9");
    Ok(())
}

#[tokio::test]
async fn it_is_told_what_is_wrong() -> Result {
    let Some(broker) = Mosquitto::start("", "").await? else {
        return Ok(());
    };
    let url = format!("mqtt://127.0.0.1:{}", broker.plain);
    let mut wrong = config(&url)?;
    wrong.password = Some(Secret::literal("wrong"));
    assert_says(
        &Running::start(&wrong).trouble().await?,
        &["does not let us in", "check username and password"],
    );

    let running = Running::start(&config(&url)?);
    running.until_listening().await?;
    broker
        .publish(TOPIC, r#"{"Time":"x","E320":{"E_in":1.5}}"#, false)
        .await?;
    assert_says(
        &running.trouble().await?,
        &["say in codes what they are (E_in)"],
    );

    let mut silent = config(&url)?;
    silent.silence = Duration::from_secs(1).into();
    let running = Running::start(&silent);
    assert_says(
        &running.trouble().await?,
        &["nothing is published on the topic"],
    );
    Ok(())
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}
