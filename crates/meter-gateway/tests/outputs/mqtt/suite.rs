//! The suite against mosquitto: in both versions, and over TLS.

use fixtures::{Mosquitto, Observer, PASSWORD};
use meter_gateway::config::Secret;
use meter_gateway::mqtt::Version;
use meter_gateway::output;
use meter_gateway::output::mqtt::Config;
use meter_sim::backend::{self, Backend};
use serde_json::Value as Json;

use super::broker;
use crate::stage::{METER_ID, Result, Stage, all_kinds};
use crate::suite::{Row, Scenario, Server, Wrong, of_json, suite};

suite!(version_3: Mqtt<3, false>);
suite!(version_5: Mqtt<5, false>);
suite!(over_tls: Mqtt<5, true>);

/// The end of what an observer has to hear.
const MARK: &str = "suite/mark";

/// A broker keeps nothing that it has passed on: an observer does.
struct Mqtt<const VERSION: u8, const TLS: bool> {
    broker: Mosquitto,
    observer: Observer,
    heard: Vec<Row>,
}

impl<const VERSION: u8, const TLS: bool> Mqtt<VERSION, TLS> {
    fn config(&self, port: u16) -> Config {
        let scheme = if TLS { "mqtts" } else { "mqtt" };
        let url = format!("{scheme}://localhost:{port}");
        let mut config = Config::new(url.parse().unwrap());
        config.version = (VERSION == 3).then_some(Version::V3);
        config.username = Some(Secret::literal("meterline"));
        config.password = Some(Secret::literal(PASSWORD));
        config.remote.allow_insecure = !TLS;
        config.remote.ca_file = TLS.then(|| self.broker.ca());
        config
    }
}

impl<const VERSION: u8, const TLS: bool> Server for Mqtt<VERSION, TLS> {
    const CANNOT: &'static [(Scenario, &'static str)] = match (VERSION, TLS) {
        (3, _) => &[
            (
                Scenario::Refused,
                "with MQTT 3.1.1 a broker acknowledges what it throws away",
            ),
            (Scenario::Mistrusted, "mqtt:// has no certificate"),
        ],
        (_, false) => &[(Scenario::Mistrusted, "mqtt:// has no certificate")],
        (_, true) => &[],
    };
    const OUTLIVES_A_KILL: bool = false;
    const AGAIN: usize = 100;
    const SECRET: &'static str = PASSWORD;

    async fn start() -> Result<Option<Self>> {
        let Some(broker) = broker::start("message_size_limit 450").await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            observer: broker.observe().await?,
            broker,
            heard: Vec::new(),
        }))
    }

    fn port(&self) -> Option<u16> {
        let Mosquitto { plain, tls, .. } = self.broker;
        Some(if TLS { tls } else { plain })
    }

    fn output(&self, port: u16) -> output::Config {
        output::Config::Mqtt(self.config(port))
    }

    async fn rows(&mut self) -> Result<Vec<Row>> {
        self.broker.publish(MARK, "here", false).await?;
        let topic = format!("meterline/{METER_ID}");
        loop {
            let message = self.observer.next().await?;
            if message.topic == MARK {
                return Ok(self.heard.clone());
            }
            if message.topic == topic {
                let reading: Json = serde_json::from_str(&message.payload)?;
                self.heard.extend(of_json(&reading));
            }
        }
    }

    async fn kill(&mut self) -> Result {
        Ok(self.broker.kill()?)
    }

    async fn again(&mut self) -> Result {
        self.broker.again().await?;
        self.observer = self.broker.observe().await?;
        Ok(())
    }

    async fn refuse(&mut self, stage: &Stage, index: i64) -> Result<&'static [&'static str]> {
        stage.append_with(index, &all_kinds()).await?;
        Ok(&["meterline/1EMH0012345678", "packet too large (0x95)"])
    }

    async fn forbid(&mut self, port: u16) -> Result<Wrong> {
        let mut config = self.config(port);
        config.password = Some(Secret::literal("wrong"));
        let words = &["does not let us in", "check username and password"];
        Ok((output::Config::Mqtt(config), words))
    }

    async fn mistrust(&mut self, port: u16) -> Result<Vec<Wrong>> {
        let mut other_name = self.config(port);
        other_name.url = format!("mqtts://127.0.0.1:{port}").parse()?;
        let stranger = Backend::start(backend::Config::default())?;
        let ca = self.broker.file("other-ca");
        std::fs::write(&ca, stranger.ca_pem())?;
        let mut other_ca = self.config(port);
        other_ca.remote.ca_file = Some(ca);
        Ok(vec![
            (
                output::Config::Mqtt(other_name),
                &["its certificate is for localhost, not for 127.0.0.1"],
            ),
            (
                output::Config::Mqtt(other_ca),
                &["cannot trust localhost", "ca_file"],
            ),
        ])
    }
}
