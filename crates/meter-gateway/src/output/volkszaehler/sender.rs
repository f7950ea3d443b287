//! Readings in, values of channels out.

use std::fmt::Display;

use http::Method;
use http::header::{self, HeaderMap, HeaderValue};
use meter_core::ServerId;

use super::answer::{self, Exception};
use super::config::{Channel, Config, ConfigError, Format};
use super::values::{Values, body};
use crate::config::Secret;
use crate::http::sensitive;
use crate::output::delivery::{Failure, Sender, Sent};
use crate::output::post::{
    Advice, Client, Endpoint, Error, Secrets, Settings, UrlError, basic_authorization,
};
use crate::output::shape::Shaped;

/// How much of an answer is read.
const LONGEST_ANSWER: usize = 16 * 1024;

const ADVICE: Advice = Advice {
    credentials: "check username and password, and whether the firewall in the middleware's \
                  configuration lets this machine write",
    rights: "check whether the server lets this machine write",
    place: "check url, and the UUIDs in channels",
    request: "check url and format",
};

/// One output to volkszaehler at work.
#[derive(Debug)]
pub(in crate::output) struct Volkszaehler {
    base: Endpoint,
    format: Format,
    channels: Vec<Channel>,
    client: Client,
    most: usize,
    /// The meter whose values are in the channels.
    meter: Option<Box<[u8]>>,
}

impl Volkszaehler {
    /// Checks everything that can be wrong before the first value.
    pub(in crate::output) fn new(config: &Config) -> Result<Self, ConfigError> {
        let base = Endpoint::parse(&config.url, config.remote.allow_insecure)?;
        if config.format == Format::Middleware && base.path.query().is_some() {
            return Err(UrlError::Query.into());
        }
        if config.remote.delivery.meters.len() > 1 {
            return Err(ConfigError::Meters);
        }
        let channels = config.parse_channels()?;
        let mut secrets = Secrets::default();
        if config.format == Format::Push {
            secrets.add_path(&base.path);
        }
        let headers = headers(config, &mut secrets)?;
        let client = Client::new(Settings {
            remote: &config.remote,
            tls: base.server.tls,
            headers,
            secrets,
            advice: ADVICE,
            longest_answer: LONGEST_ANSWER,
        })?;
        Ok(Self {
            base,
            format: config.format,
            channels,
            client,
            most: usize::try_from(config.batch_size.get()).unwrap_or(usize::MAX),
            meter: None,
        })
    }

    pub(super) fn base(&self) -> &Endpoint {
        &self.base
    }

    pub(super) fn channels(&self) -> Vec<Channel> {
        self.channels.clone()
    }

    /// Shakes hands with a push server.
    pub(super) async fn options(&mut self) -> Result<http::StatusCode, Error> {
        self.client.options(&self.base).await
    }

    /// What the middleware says of a channel.
    pub(super) async fn ask(&mut self, channel: &Channel) -> Result<String, Error> {
        let to = self.below(&format!("/entity/{}.json", channel.uuid))?;
        let asked = self.client.send(&Method::GET, &to, bytes::Bytes::new());
        asked.await.map_err(answer::sorted)
    }

    fn below(&self, path: &str) -> Result<Endpoint, Error> {
        // A UUID and these few letters always make a path.
        let to = self.base.below(path);
        to.map_err(|error| answer::misconfigured(&self.base, error.to_string()))
    }

    /// All channels have the values, or nothing is settled: those that have them already leave them
    /// out when they come again.
    async fn post(
        &mut self,
        format: Format,
        values: &Values<'_>,
        readings: usize,
    ) -> Result<(), Failure> {
        if format == Format::Push {
            let sent = self
                .client
                .send(&Method::POST, &self.base, values.pushed())
                .await;
            return sent.map(|_| ()).map_err(|error| error.failure(readings));
        }
        for (channel, tuples) in &values.channels {
            let path = format!("/data/{}.json?options=skipduplicates", channel.uuid);
            let sent = match self.below(&path) {
                Ok(to) => self.client.send(&Method::POST, &to, body(tuples)).await,
                Err(error) => Err(error),
            };
            let taken = sent.map_err(answer::sorted).and_then(|text| {
                let said = Exception::absent(&text);
                said.map_err(|why| answer::misconfigured(&self.base, why))
            });
            if let Err(error) = taken {
                return Err(answer::failure(error, &channel.name, readings));
            }
        }
        Ok(())
    }

    /// How many of the records are of the meter whose values are in the channels.
    fn of_one_meter(&mut self, readings: &[Shaped<'_>]) -> Result<usize, Failure> {
        let Some(first) = readings.first().map(|shaped| shaped.record) else {
            return Ok(0);
        };
        let meter = self.meter.get_or_insert_with(|| first.meter.clone());
        let same = readings
            .iter()
            .take(self.most)
            .take_while(|shaped| shaped.record.meter == *meter);
        match same.count() {
            0 => Err(Failure::Misconfigured {
                why: format!(
                    "there are readings of two meters, {} and {}, whose values would mix in the \
                     channels: say with meters which one this output is for, and make another \
                     output for the other",
                    ServerId(meter).meter_id(),
                    ServerId(&first.meter).meter_id(),
                ),
            }),
            count => Ok(count),
        }
    }
}

impl Sender for Volkszaehler {
    const SUSPECT_KEYS: &'static str = "url and channels";

    fn to(&self) -> impl Display + Send {
        self.base.redacted()
    }

    fn most(&self) -> usize {
        self.most
    }

    async fn send(&mut self, readings: &[Shaped<'_>]) -> Result<Sent, Failure> {
        let count = self.of_one_meter(readings)?;
        let readings = readings.get(..count).unwrap_or(readings);
        let channels = self.channels();
        let values = Values::of(&channels, readings);
        if !values.channels.is_empty() {
            self.post(self.format, &values, count).await?;
        }
        Ok(Sent::all(count))
    }
}

fn headers(config: &Config, secrets: &mut Secrets) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    let password = config.password.as_ref().map(Secret::expose);
    if let Some(basic) = basic_authorization(config.username.as_deref(), password, secrets)? {
        let value = sensitive(&basic).map_err(|_| ConfigError::Authorization)?;
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(headers)
}
