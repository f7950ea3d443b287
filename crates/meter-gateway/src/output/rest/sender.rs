//! Readings in, POSTs out.

use std::fmt::Display;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::config::{Config, ConfigError, Method};
use super::payload::Payload;
use crate::config::Secret;
use crate::http::sensitive;
use crate::output::delivery::{Failure, Sender, Sent};
use crate::output::post::{
    Advice, Client, Endpoint, Error, Refusal, Secrets, Settings, basic_authorization,
};
use crate::output::shape::Shaped;

/// How much of an answer is read.
const LONGEST_ANSWER: usize = 16 * 1024;

const ADVICE: Advice = Advice {
    credentials: "check the token or password, in url, token, bearer_token or headers",
    rights: "the token is known but may not write here; check its rights",
    place: "check the path in url, and whether the device still exists there",
    request: "check url, method, format and content_type",
};

/// One REST output at work.
#[derive(Debug)]
pub(in crate::output) struct Rest {
    endpoint: Endpoint,
    method: http::Method,
    client: Client,
    payload: Payload,
}

impl Rest {
    /// Checks everything that can be wrong before the first POST.
    pub(in crate::output) fn new(config: &Config) -> Result<Self, ConfigError> {
        let payload = Payload::new(config)?;
        let mut secrets = Secrets::default();
        let url = url(config, &mut secrets)?;
        let endpoint = Endpoint::parse(&url, config.remote.allow_insecure)?;
        secrets.add_path(&endpoint.path);
        let headers = headers(config, &mut secrets)?;
        let client = Client::new(Settings {
            remote: &config.remote,
            tls: endpoint.server.tls,
            headers,
            secrets,
            advice: ADVICE,
            longest_answer: LONGEST_ANSWER,
        })?;
        Ok(Self {
            endpoint,
            method: match config.method {
                Method::Post => http::Method::POST,
                Method::Put => http::Method::PUT,
                Method::Patch => http::Method::PATCH,
            },
            client,
            payload,
        })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Shakes hands without sending anything.
    pub(super) async fn options(&mut self) -> Result<StatusCode, Error> {
        self.client.options(&self.endpoint).await
    }
}

impl Sender for Rest {
    const SUSPECT_KEYS: &'static str = "format and url";

    fn to(&self) -> impl Display + Send {
        self.endpoint.redacted()
    }

    fn most(&self) -> usize {
        self.payload.most()
    }

    async fn send(&mut self, readings: &[Shaped<'_>]) -> Result<Sent, Failure> {
        let body = self.payload.write(readings).map_err(|reason| {
            let to = self.endpoint.redacted();
            let cause = Refusal::Other(format!(
                "nothing is sent, because the template fails: {reason}"
            ));
            Error::Misconfigured { to, cause }.failure(readings.len())
        })?;
        let sent = self.client.send(&self.method, &self.endpoint, body.bytes);
        match sent.await {
            Ok(_) => Ok(Sent::all(body.readings)),
            Err(error) => Err(error.failure(body.readings)),
        }
    }
}

fn url(config: &Config, secrets: &mut Secrets) -> Result<String, ConfigError> {
    let url = config.url.expose();
    match &config.token {
        Some(token) if url.contains("{token}") => {
            secrets.add(token.expose());
            Ok(url.replace("{token}", token.expose()))
        }
        None if !url.contains("{token}") => Ok(url.to_owned()),
        _ => Err(ConfigError::Token),
    }
}

fn headers(config: &Config, secrets: &mut Secrets) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    let content_type = config.content_type.as_deref().unwrap_or("application/json");
    let content_type = HeaderValue::from_str(content_type)
        .map_err(|_| ConfigError::Header("Content-Type".to_owned()))?;
    headers.insert(header::CONTENT_TYPE, content_type);
    for (name, secret) in &config.headers {
        let bad = || ConfigError::Header(name.clone());
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        headers.insert(key, sensitive(secret.expose()).map_err(|_| bad())?);
        secrets.add(secret.expose());
        secrets.add_word(secret.expose());
    }
    let password = config.password.as_ref().map(Secret::expose);
    let basic = basic_authorization(config.username.as_deref(), password, secrets)?;
    let bearer = config
        .bearer_token
        .as_ref()
        .map(|token| format!("Bearer {}", token.expose()));
    for authorization in [basic, bearer].into_iter().flatten() {
        let value = sensitive(&authorization)
            .map_err(|_| ConfigError::Header("Authorization".to_owned()))?;
        if headers.insert(header::AUTHORIZATION, value).is_some() {
            return Err(ConfigError::Authorization);
        }
        secrets.add_word(&authorization);
    }
    Ok(headers)
}
