use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BrokerUrl;
use crate::config::Secret;
use crate::tls;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Version {
    /// What every broker speaks. It does not say why a message was not taken, or whether it was.
    #[serde(rename = "3.1.1")]
    V3,
    /// Every acknowledgement says what became of the message.
    #[serde(rename = "5")]
    V5,
}

/// How to log in to a broker, and for what.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) url: BrokerUrl,
    /// The TLS side, for a URL that is encrypted.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// Without one: 5, and 3.1.1 with a broker that does not know 5.
    pub(crate) version: Option<Version>,
    pub(crate) client_id: String,
    pub(crate) username: Option<Secret>,
    pub(crate) password: Option<Secret>,
    pub(crate) will: Option<Will>,
    /// Within this time something is sent, or the broker takes this side for gone.
    pub(crate) keep_alive: Duration,
    /// How long each answer may take: until the broker lets us in, until it acknowledges, until it pings.
    pub(crate) patience: Duration,
    /// The longest packet that is taken from the broker, in bytes.
    pub(crate) longest: u32,
}

/// What the broker says for us when we are gone without a word. It is retained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) payload: String,
}

/// The TLS side for a broker, which knows nothing of the protocols of the web.
pub(crate) fn tls_for(
    url: &BrokerUrl,
    files: tls::Files<'_>,
) -> Result<Option<Arc<ClientConfig>>, tls::Error> {
    if !url.tls() {
        return Ok(None);
    }
    let config = tls::client_config(files)?;
    if url.websocket.is_some() {
        return Ok(Some(config));
    }
    let mut config = ClientConfig::clone(&config);
    config.alpn_protocols.clear();
    Ok(Some(Arc::new(config)))
}
