//! Readings in, lines out.

use std::fmt::Display;

use bytes::Bytes;
use http::Method;
use http::header::{self, HeaderMap, HeaderValue};

use super::answer::{settle, sorted};
use super::batch::{Batch, gzip};
use super::config::{Config, ConfigError, Version};
use crate::config::Secret;
use crate::http::sensitive;
use crate::output::delivery::{Failure, Sender, Sent};
use crate::output::post::{
    Advice, Client, Endpoint, Error, Secrets, Settings, UrlError, basic_authorization,
};
use crate::output::shape::Shaped;

/// How much of an answer is read: version 3 repeats the lines that it refused.
const LONGEST_ANSWER: usize = 128 * 1024;

/// One output to `InfluxDB` at work.
#[derive(Debug)]
pub(in crate::output) struct Influx {
    config: Config,
    endpoint: Endpoint,
    client: Client,
}

impl Influx {
    /// Checks everything that can be wrong before the first line.
    pub(in crate::output) fn new(config: &Config) -> Result<Self, ConfigError> {
        config.check_version()?;
        config.check_names()?;
        let base = Endpoint::parse(&config.url, config.remote.allow_insecure)?;
        if base.path.query().is_some() {
            return Err(UrlError::Query.into());
        }
        let mut secrets = Secrets::default();
        secrets.add_path(&base.path);
        let headers = headers(config, &mut secrets)?;
        let client = Client::new(Settings {
            remote: &config.remote,
            tls: base.server.tls,
            headers,
            secrets,
            advice: advice(config.version),
            longest_answer: LONGEST_ANSWER,
        })?;
        Ok(Self {
            endpoint: base.below(&path(config))?,
            client,
            config: config.clone(),
        })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Writes nothing, which a server answers only after it has looked at the credentials and at
    /// the database.
    pub(super) async fn write_nothing(&mut self) -> Result<(), Error> {
        let post = self.post("").await;
        match post {
            // These have a look at the lines last, and miss them.
            Err(Error::Rejected { .. }) if self.config.version != Version::V1 => Ok(()),
            other => other,
        }
    }

    async fn post(&mut self, lines: &str) -> Result<(), Error> {
        let compressed = self.config.gzip.then(|| gzip(lines).ok()).flatten();
        let body = compressed.unwrap_or_else(|| Bytes::copy_from_slice(lines.as_bytes()));
        let sent = self.client.send(&Method::POST, &self.endpoint, body);
        sent.await.map(|_| ()).map_err(sorted)
    }
}

impl Sender for Influx {
    const SUSPECT_KEYS: &'static str = "measurement, tags and the types of its fields there";

    fn to(&self) -> impl Display + Send {
        self.endpoint.redacted()
    }

    fn most(&self) -> usize {
        usize::try_from(self.config.batch_size.get()).unwrap_or(usize::MAX)
    }

    async fn send(&mut self, readings: &[Shaped<'_>]) -> Result<Sent, Failure> {
        let batch = Batch::write(&self.config, readings);
        if batch.of.is_empty() {
            return Ok(Sent::all(batch.readings));
        }
        match self.post(&batch.text).await {
            Ok(()) => Ok(Sent::all(batch.readings)),
            Err(error) => settle(error, &batch),
        }
    }
}

/// The path of the API with what says where to write.
fn path(config: &Config) -> String {
    let (path, precision) = match config.version {
        Version::V1 => ("/write", "ms"),
        Version::V2 => ("/api/v2/write", "ms"),
        Version::V3 => ("/api/v3/write_lp", "millisecond"),
    };
    let path = format!("{path}?");
    let length = path.len();
    let mut query = form_urlencoded::Serializer::for_suffix(path, length);
    query.append_pair("precision", precision);
    if config.version == Version::V3 {
        query.append_pair("accept_partial", "true");
    }
    let places = [
        ("db", &config.database),
        ("rp", &config.retention_policy),
        ("org", &config.org),
        ("bucket", &config.bucket),
    ];
    let given = |(key, value)| Option::as_deref(value).map(|value| (key, value));
    query.extend_pairs(places.into_iter().filter_map(given));
    query.finish()
}

fn headers(config: &Config, secrets: &mut Secrets) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    if config.gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let password = config.password.as_ref().map(Secret::expose);
    let basic = basic_authorization(config.username.as_deref(), password, secrets)?;
    let scheme = match config.version {
        Version::V1 | Version::V2 => "Token",
        Version::V3 => "Bearer",
    };
    let token = config.token.as_ref().map(|token| {
        secrets.add(token.expose());
        format!("{scheme} {}", token.expose())
    });
    if let Some(authorization) = basic.or(token) {
        let value = sensitive(&authorization).map_err(|_| ConfigError::Token)?;
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(headers)
}

fn advice(version: Version) -> Advice {
    match version {
        Version::V1 => Advice {
            credentials: "check username and password",
            rights: "let the user write there with `GRANT WRITE ON \"DATABASE\" TO \"USER\"`",
            place: "make the database with `CREATE DATABASE`, or correct database, version and url",
            request: "check url and version",
        },
        Version::V2 => Advice {
            credentials: "check token, and whether it may write to this bucket",
            rights: "make a token that may write to this bucket",
            place: "make the bucket, or correct bucket, org, version and url",
            request: "check url and version",
        },
        Version::V3 => Advice {
            credentials: "check token",
            rights: "make a token that may write to this database",
            place: "make the database with `influxdb3 create database`, or correct database, \
                    version and url",
            request: "check url and version",
        },
    }
}
