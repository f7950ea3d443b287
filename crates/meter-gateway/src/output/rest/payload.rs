//! From journal records to the body of a POST.

use std::collections::BTreeMap;

use bytes::Bytes;
use meter_core::payload::{self, Key};
use meter_core::{Reading, Stamped, Value};
use minijinja::{Environment, value::Serde};
use serde::Serialize;

use super::config::{Config, ConfigError, Format};
use crate::journal::Record;

/// A body is not filled up beyond this: `ThingsBoard` refuses more than 64 KiB
/// (`HTTP_MAX_PAYLOAD_SIZE`), and proxies have their own limits not far above.
const FULL_BODY: usize = 60_000;

/// The name of the user's template, which shows in its error messages.
const TEMPLATE: &str = "template";

/// Turns readings into bodies.
#[derive(Debug)]
pub(super) struct Payload {
    format: Format,
    environment: Environment<'static>,
    most: usize,
}

/// A body with as many of the readings as fit.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    /// How many of the readings, from the first on, are in it.
    pub(super) readings: usize,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoBody {
    /// The journal holds something that is no reading: this one, by its index.
    #[error("the reading cannot be read: {reason}")]
    Unreadable { index: usize, reason: String },
    /// The template fails at run time.
    #[error("{0}")]
    Template(String),
}

impl Payload {
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut environment = Environment::new();
        let mut most = usize::try_from(config.batch_size.get()).unwrap_or(usize::MAX);
        match (config.format, &config.template) {
            (Format::Template, Some(template)) => {
                let broken = |error: minijinja::Error| ConfigError::Template(error.to_string());
                environment
                    .add_template_owned(TEMPLATE, template.clone())
                    .map_err(broken)?;
                let template = environment.get_template(TEMPLATE).map_err(broken)?;
                if !template.undeclared_variables(false).contains("readings") {
                    most = 1;
                }
            }
            (Format::Template, None) | (_, Some(_)) => return Err(ConfigError::TemplateMissing),
            (Format::Classic, None) => most = 1,
            (Format::Thingsboard | Format::Json, None) => {}
        }
        // A second's worth at most, so that no second sees more than the rate.
        if let Some(rate) = config.max_rate {
            most = most.min(usize::try_from(rate.get()).unwrap_or(usize::MAX));
        }
        Ok(Self {
            format: config.format,
            environment,
            most,
        })
    }

    /// The most readings in one body.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Writes the first readings of `records`, which must not be empty: as many
    /// as fit, and at least one.
    pub(super) fn write(&self, records: &[Record]) -> Result<Body, NoBody> {
        let mut readings = Vec::with_capacity(records.len());
        for (index, record) in records.iter().take(self.most).enumerate() {
            match Reading::from_bytes(&record.body) {
                Ok(reading) => readings.push(Stamped {
                    time: record.time,
                    reading,
                }),
                Err(error) => {
                    return Err(NoBody::Unreadable {
                        index,
                        reason: error.to_string(),
                    });
                }
            }
        }
        let mut text = self.text(&readings)?;
        let mut count = readings.len();
        while text.len() > FULL_BODY && count > 1 {
            // Readings of one meter are about the same size.
            count = (count * FULL_BODY / text.len()).clamp(1, count - 1);
            text = self.text(&readings[..count])?;
        }
        Ok(Body {
            bytes: Bytes::from(text),
            readings: count,
        })
    }

    fn text(&self, readings: &[Stamped<'_>]) -> Result<String, NoBody> {
        let mut text = String::new();
        let written = match self.format {
            Format::Thingsboard => payload::thingsboard(readings, &mut text),
            Format::Json => payload::json(readings, &mut text),
            Format::Classic => readings
                .first()
                .map_or(Ok(()), |one| payload::classic(one, &mut text)),
            Format::Template => return self.render(readings),
        };
        // Writing into a string cannot fail.
        written
            .map(|()| text)
            .map_err(|error| NoBody::Template(error.to_string()))
    }

    fn render(&self, readings: &[Stamped<'_>]) -> Result<String, NoBody> {
        let views: Vec<View> = readings.iter().map(View::new).collect();
        let template = self.environment.get_template(TEMPLATE);
        let rendered = template.and_then(|template| match views.as_slice() {
            [view] if self.most == 1 => template.render(Serde(view)),
            views => template.render(minijinja::context! { readings => Serde(views) }),
        });
        rendered.map_err(|error| NoBody::Template(error.to_string()))
    }
}

/// What a template sees of a reading. Numbers are text, because a template
/// engine would put them through floating point.
#[derive(Debug, Serialize)]
struct View {
    meter_id: String,
    meter: String,
    server_id: String,
    time: String,
    time_ms: i64,
    seconds_index: Option<u64>,
    /// By key, as in `values["1.8.0_Wh"]`; numbers only.
    values: BTreeMap<String, String>,
    registers: Vec<RegisterView>,
}

#[derive(Debug, Serialize)]
struct RegisterView {
    obis: String,
    key: String,
    value: Option<String>,
    unit: Option<&'static str>,
    status: Option<u64>,
}

impl View {
    fn new(stamped: &Stamped<'_>) -> Self {
        let reading = &stamped.reading;
        let mut values = BTreeMap::new();
        let mut registers = Vec::new();
        for register in reading.registers() {
            let key = Key {
                obis: register.obis,
                unit: register.unit,
            }
            .to_string();
            let value = match register.value {
                Value::Number(number) => {
                    values.insert(key.clone(), number.to_string());
                    Some(number.to_string())
                }
                Value::Octets(octets) => Some(
                    register
                        .text()
                        .map_or_else(|| payload::Hex(octets).to_string(), str::to_owned),
                ),
                Value::Bool(value) => Some(value.to_string()),
                Value::Time(_) | Value::Absent | Value::Unknown(_) => None,
            };
            registers.push(RegisterView {
                obis: register.obis.to_string(),
                key,
                value,
                unit: register.unit.and_then(meter_core::Unit::symbol),
                status: register.status,
            });
        }
        Self {
            meter_id: reading.meter_id().to_string(),
            meter: reading.meter_id().compact().to_string(),
            server_id: reading.server_id().to_string(),
            time: stamped.time.to_string(),
            time_ms: stamped.time.0,
            seconds_index: reading.seconds_index(),
            values,
            registers,
        }
    }
}
