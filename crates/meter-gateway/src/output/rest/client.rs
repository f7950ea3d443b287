//! Sends bodies to one server, and sorts what it answers.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use tokio::time::Instant;

use super::config::{Config, ConfigError, Method};
use super::endpoint::{BadRedirect, Endpoint, Secrets};
use super::error::{Answer, Error, Obstacle, Refusal};
use crate::http::{Client as Http, Limits, Reply, basic, sensitive};
use crate::output::delivery::RemoteError;
use crate::tls;

/// How many redirects in a row are followed.
const MOST_REDIRECTS: u8 = 5;
/// How much of an answer is read.
const LONGEST_ANSWER: usize = 16 * 1024;

/// Sends bodies to one endpoint.
#[derive(Debug)]
pub(super) struct Client {
    endpoint: Endpoint,
    method: http::Method,
    headers: HeaderMap,
    http: Http,
    secrets: Secrets,
}

impl Client {
    /// Checks everything that can be wrong before the first POST.
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut secrets = Secrets::default();
        let url = url(config, &mut secrets)?;
        let endpoint = Endpoint::parse(&url, config.remote.allow_insecure)?;
        secrets.add_path(&endpoint.path);
        let headers = headers(config, &mut secrets)?;
        let files = config.remote.tls_files()?;
        let tls = endpoint
            .server
            .tls
            .then(|| tls::client_config(files))
            .transpose()
            .map_err(RemoteError::from)?;
        let limits = Limits {
            answer: config.remote.timeout.get(),
            body: LONGEST_ANSWER,
        };
        Ok(Self {
            endpoint,
            method: match config.method {
                Method::Post => http::Method::POST,
                Method::Put => http::Method::PUT,
                Method::Patch => http::Method::PATCH,
            },
            headers,
            http: Http::new(tls, limits),
            secrets,
        })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Shakes hands and asks with OPTIONS, which changes nothing on the server.
    /// Any answer shows that HTTP is spoken; its status is returned unless it
    /// says that the credentials are wrong.
    pub(super) async fn probe(&mut self) -> Result<StatusCode, Error> {
        let endpoint = self.endpoint.clone();
        self.method = http::Method::OPTIONS;
        let deadline = self.http.deadline();
        let reply = self.exchange(&endpoint, Bytes::new(), deadline).await?;
        match reply.status.as_u16() {
            401 | 403 | 407 | 500.. => Err(self.refused(&reply)),
            _ => Ok(reply.status),
        }
    }

    /// Sends `body`; `Ok` is any 2xx. When this future is dropped, the
    /// connection is closed and the fate of the body is unknown.
    pub(super) async fn send(&mut self, body: Bytes) -> Result<(), Error> {
        let deadline = self.http.deadline();
        let mut endpoint = self.endpoint.clone();
        let mut may_be_page = false;
        for _ in 0..=MOST_REDIRECTS {
            let reply = self.exchange(&endpoint, body.clone(), deadline).await?;
            let misconfigured = |cause: BadRedirect| {
                let to = self.endpoint.redacted();
                Error::Misconfigured {
                    to,
                    cause: cause.into(),
                }
            };
            match reply.status.as_u16() {
                // A login that swallows readings with a 200 must not pass for success.
                200..=299 if may_be_page && reply.is_page() => {
                    return Err(misconfigured(BadRedirect::WebPage));
                }
                200..=299 => return Ok(()),
                // 301 and 302 let a client turn a POST into a GET, which would
                // lose the body; 307 and 308 forbid it. All keep it here.
                301 | 302 | 307 | 308 => {
                    may_be_page = true;
                    endpoint = reply
                        .location()
                        .ok_or(BadRedirect::Unreadable)
                        .and_then(|location| endpoint.follow(location))
                        .map_err(misconfigured)?;
                }
                303 => return Err(misconfigured(BadRedirect::SeeOther)),
                _ => return Err(self.refused(&reply)),
            }
        }
        let cause = Refusal::Redirect(BadRedirect::TooMany(MOST_REDIRECTS));
        Err(Error::Misconfigured {
            to: self.endpoint.redacted(),
            cause,
        })
    }

    fn refused(&self, reply: &Reply) -> Error {
        let words = self.secrets.strip(&reply.text());
        let answer = Answer::new(reply.status, &words);
        Error::from_answer(self.endpoint.redacted(), answer, reply.retry_after())
    }

    async fn exchange(
        &mut self,
        endpoint: &Endpoint,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Reply, Error> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = endpoint.path.clone().into();
        *request.headers_mut() = self.headers.clone();
        let asked = self.http.exchange(&endpoint.server, request, deadline);
        asked.await.map_err(|fault| Error::Retry {
            to: self.endpoint.redacted(),
            cause: Obstacle::from(fault),
            after: None,
        })
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
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    for (name, secret) in &config.headers {
        let bad = || ConfigError::Header(name.clone());
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        headers.insert(key, sensitive(secret.expose()).map_err(|_| bad())?);
        secrets.add(secret.expose());
        // `Bearer XYZ`: a server that complains may repeat only `XYZ`.
        if let Some((_, word)) = secret.expose().split_once(' ') {
            secrets.add(word);
        }
    }
    let basic = match (&config.username, &config.password) {
        (Some(user), Some(password)) => {
            secrets.add(password.expose());
            Some(basic(user, password.expose()))
        }
        (None, None) => None,
        (Some(_), None) => return Err(ConfigError::Lonely("username", "password")),
        (None, Some(_)) => return Err(ConfigError::Lonely("password", "username")),
    };
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
        secrets.add(authorization.split_once(' ').map_or("", |(_, word)| word));
    }
    Ok(headers)
}
