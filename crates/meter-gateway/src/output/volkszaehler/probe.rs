//! Would it work?

use serde::Deserialize;

use super::answer::{NO_MIDDLEWARE, misconfigured};
use super::config::{Config, ConfigError, Format};
use super::sender::Volkszaehler;
use crate::output::post;

/// A channel that counts energy, and what a thousand Wh are for it.
const METER: (&str, f64) = ("electric meter", 1000.0);

/// Why a server was not found good.
pub type ProbeError = post::ProbeError<ConfigError>;

/// What the middleware says of a channel.
#[derive(Deserialize)]
struct Answer {
    entity: Entity,
}

#[derive(Deserialize)]
struct Entity {
    #[serde(rename = "type")]
    kind: String,
    resolution: Option<f64>,
}

/// Asks for every channel without sending a value, and returns a sentence for people.
pub async fn probe(config: &Config) -> Result<String, ProbeError> {
    let mut volkszaehler = Volkszaehler::new(config).map_err(ProbeError::Config)?;
    let to = volkszaehler.base().redacted();
    let trust = volkszaehler.base().trust();
    if config.format == Format::Push {
        let status = volkszaehler.options().await?;
        return Ok(format!(
            "{to} answers, {trust} (OPTIONS: {status}); it has not been sent a reading"
        ));
    }
    let channels = volkszaehler.channels();
    for channel in &channels {
        let text = volkszaehler.ask(channel).await?;
        if let Some(why) = fault(&text) {
            let why = format!("channel {}: {why}", channel.name);
            return Err(misconfigured(volkszaehler.base(), why).into());
        }
    }
    let names: Vec<&str> = channels.iter().map(|one| one.name.as_str()).collect();
    Ok(format!(
        "{to} answers, {trust}, and has the channels for {}; it has not been sent a reading",
        names.join(", ")
    ))
}

/// What is wrong with a channel, by what the middleware says of it.
fn fault(text: &str) -> Option<String> {
    let Ok(Answer { entity }) = serde_json::from_str(text) else {
        return Some(NO_MIDDLEWARE.to_owned());
    };
    let resolution = entity.resolution.filter(|_| entity.kind == METER.0)?;
    ((resolution - METER.1).abs() > f64::EPSILON).then(|| {
        format!(
            "its resolution is {resolution}, so volkszaehler would show another energy: meters send \
             Wh, so set the resolution of the channel to 1000"
        )
    })
}
