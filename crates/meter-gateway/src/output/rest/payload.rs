//! From journal records to the body of a POST.

use bytes::Bytes;
use meter_core::payload;

use super::config::{Config, ConfigError, Format};
use super::template::Template;
use crate::output::shape::Shaped;

/// A body is not filled up beyond this: `ThingsBoard` refuses more than 64 KiB
/// (`HTTP_MAX_PAYLOAD_SIZE`), and proxies have their own limits not far above.
const FULL_BODY: usize = 60_000;

/// Turns readings into bodies.
#[derive(Debug)]
pub(super) struct Payload {
    writer: Writer,
    most: usize,
}

/// What writes a body.
#[derive(Debug)]
enum Writer {
    Thingsboard,
    Classic,
    Json,
    Template(Box<Template>),
}

/// A body with as many of the readings as fit.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    /// How many of the readings, from the first on, are in it.
    pub(super) readings: usize,
}

impl Payload {
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut most = usize::try_from(config.batch_size.get()).unwrap_or(usize::MAX);
        let writer = match (config.format, &config.template) {
            (Format::Template, Some(text)) => {
                let template = Template::new(text, &config.remote.delivery.shape)?;
                if !template.takes_several() {
                    most = 1;
                }
                Writer::Template(Box::new(template))
            }
            (Format::Template, None) | (_, Some(_)) => return Err(ConfigError::TemplateMissing),
            (Format::Classic, None) => {
                most = 1;
                Writer::Classic
            }
            (Format::Thingsboard, None) => Writer::Thingsboard,
            (Format::Json, None) => Writer::Json,
        };
        Ok(Self { writer, most })
    }

    /// The most readings in one body.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Writes the first of the readings, of which there must be some: as many as fit, and at least one.
    /// The error says why the template fails.
    pub(super) fn write(&self, readings: &[Shaped<'_>]) -> Result<Body, String> {
        let readings = readings.get(..self.most).unwrap_or(readings);
        let mut text = self.text(readings)?;
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

    fn text(&self, readings: &[Shaped<'_>]) -> Result<String, String> {
        let mut text = String::new();
        let written = match &self.writer {
            Writer::Thingsboard => payload::thingsboard(readings, &mut text),
            Writer::Json => payload::json(readings, &mut text),
            Writer::Classic => readings
                .first()
                .map_or(Ok(()), |one| payload::classic(one, &mut text)),
            Writer::Template(template) => {
                return template.render(readings).map_err(|error| error.to_string());
            }
        };
        // Writing into a string cannot fail.
        written.map(|()| text).map_err(|error| error.to_string())
    }
}
