//! One HTTP client for one server: one connection, kept open between POSTs.
//!
//! The steps of hyper's `conn` module are used one by one, rather than a client
//! with a pool, because each step's failure has its own remedy to tell.

use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::config::{Config, ConfigError, Method};
use super::connect::connect;
use super::endpoint::{BadRedirect, Endpoint, Secrets};
use super::error::{Answer, Error, Obstacle, Refusal};
use crate::tls;

/// How many redirects in a row are followed.
const MOST_REDIRECTS: u8 = 5;
/// How much of an answer is read. A connection whose answer is longer is closed.
const LONGEST_ANSWER: usize = 16 * 1024;
/// How long the rest of an answer may take once its status is known.
const ANSWER_REST: Duration = Duration::from_secs(5);

/// Sends bodies to one endpoint.
pub(super) struct Client {
    endpoint: Endpoint,
    method: http::Method,
    headers: HeaderMap,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
    secrets: Secrets,
    open: Option<Open>,
}

/// A connection that waits for the next POST.
struct Open {
    server: Endpoint,
    sender: SendRequest<Full<Bytes>>,
    _driver: Driver,
}

/// The task that moves a connection's bytes; it ends with its owner.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An answer as far as it matters here.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    /// Checks everything that can be wrong before the first POST.
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut secrets = Secrets::default();
        let url = url(config, &mut secrets)?;
        let endpoint = Endpoint::parse(&url, config.allow_insecure)?;
        secrets.add_path(&endpoint.path);
        let headers = headers(config, &mut secrets)?;
        let files = config.tls_files()?;
        let tls = endpoint
            .tls
            .then(|| tls::client_config(files))
            .transpose()?;
        Ok(Self {
            endpoint,
            method: match config.method {
                Method::Post => http::Method::POST,
                Method::Put => http::Method::PUT,
                Method::Patch => http::Method::PATCH,
            },
            headers,
            tls,
            timeout: config.timeout.get(),
            secrets,
            open: None,
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
        let deadline = Instant::now() + self.timeout;
        let reply = self.exchange(&endpoint, Bytes::new(), deadline).await;
        let reply = reply.map_err(|cause| self.retry(cause))?;
        match reply.status.as_u16() {
            401 | 403 | 407 | 500.. => Err(self.refused(&reply)),
            _ => Ok(reply.status),
        }
    }

    /// Sends `body`; `Ok` is any 2xx. When this future is dropped, the
    /// connection is closed and the fate of the body is unknown.
    pub(super) async fn send(&mut self, body: Bytes) -> Result<(), Error> {
        let deadline = Instant::now() + self.timeout;
        let mut endpoint = self.endpoint.clone();
        let mut may_be_page = false;
        for _ in 0..=MOST_REDIRECTS {
            let reply = self
                .exchange(&endpoint, body.clone(), deadline)
                .await
                .map_err(|cause| self.retry(cause))?;
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

    fn retry(&self, cause: Obstacle) -> Error {
        Error::Retry {
            to: self.endpoint.redacted(),
            cause,
            after: None,
        }
    }

    /// One request and its answer. The deadline is for the answer's status: what
    /// comes behind it cannot turn a success into a failure.
    async fn exchange(
        &mut self,
        endpoint: &Endpoint,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Reply, Obstacle> {
        let limit = self.timeout;
        let reused = self.open.is_some();
        let asked = timeout_at(deadline, async {
            match self.ask(endpoint, body.clone()).await {
                // The server closed an idle connection while the request was on its
                // way: that says nothing about the server, so it is asked again.
                Err(Obstacle::Broken(_)) if reused => self.ask(endpoint, body).await,
                other => other,
            }
        });
        let (open, response) = asked.await.unwrap_or(Err(Obstacle::TimedOut { limit }))?;
        let (reply, complete) = read(response).await;
        self.open = complete.then_some(open);
        Ok(reply)
    }

    async fn ask(
        &mut self,
        endpoint: &Endpoint,
        body: Bytes,
    ) -> Result<(Open, Response<Incoming>), Obstacle> {
        let mut open = self.sender(endpoint).await?;
        let request = self.request(endpoint, body);
        let response = open
            .sender
            .send_request(request)
            .await
            .map_err(|error| obstacle(&error))?;
        Ok((open, response))
    }

    fn request(&self, endpoint: &Endpoint, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = endpoint.path.clone().into();
        *request.headers_mut() = self.headers.clone();
        if let Ok(host) = HeaderValue::from_str(endpoint.host_header()) {
            request.headers_mut().insert(header::HOST, host);
        }
        request
    }

    /// The open connection if it leads to this server and still lives, or a new one.
    async fn sender(&mut self, endpoint: &Endpoint) -> Result<Open, Obstacle> {
        if let Some(mut open) = self.open.take()
            && open.server.same_server(endpoint)
            && open.sender.ready().await.is_ok()
        {
            return Ok(open);
        }
        let stream = connect(endpoint, self.tls.as_ref()).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| obstacle(&error))?;
        let driver = Driver(tokio::spawn(async {
            // Its error comes back through the request that it broke.
            let _ = connection.await;
        }));
        Ok(Open {
            server: endpoint.clone(),
            sender,
            _driver: driver,
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
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
    let agent = concat!("meterline/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    headers.insert(header::CONTENT_TYPE, value("Content-Type", content_type)?);
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    for (name, secret) in &config.headers {
        let bad = |_| ConfigError::Header(name.clone());
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(bad)?;
        headers.insert(key, sensitive(name, secret.expose())?);
        secrets.add(secret.expose());
        // `Bearer XYZ`: a server that complains may repeat only `XYZ`.
        if let Some((_, word)) = secret.expose().split_once(' ') {
            secrets.add(word);
        }
    }
    let basic = match (&config.username, &config.password) {
        (Some(user), Some(password)) => {
            secrets.add(password.expose());
            let pair = format!("{user}:{}", password.expose());
            Some(format!("Basic {}", STANDARD.encode(pair)))
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
        let value = sensitive("Authorization", &authorization)?;
        if headers.insert(header::AUTHORIZATION, value).is_some() {
            return Err(ConfigError::Authorization);
        }
        secrets.add(authorization.split_once(' ').map_or("", |(_, word)| word));
    }
    Ok(headers)
}

fn value(name: &str, value: &str) -> Result<HeaderValue, ConfigError> {
    HeaderValue::from_str(value).map_err(|_| ConfigError::Header(name.to_owned()))
}

fn sensitive(name: &str, secret: &str) -> Result<HeaderValue, ConfigError> {
    let mut value = value(name, secret)?;
    value.set_sensitive(true);
    Ok(value)
}

fn obstacle(error: &hyper::Error) -> Obstacle {
    if let Some(fault) = tls::Fault::behind(error) {
        return Obstacle::Tls(fault);
    }
    if error.is_parse() {
        return Obstacle::NotHttp;
    }
    let deepest = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source());
    Obstacle::Broken(deepest.last().map_or_else(String::new, ToString::to_string))
}

/// Reads an answer as far as it is wanted; `true` if the connection can be used again.
async fn read(response: Response<Incoming>) -> (Reply, bool) {
    let (parts, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    let reading = async {
        while let Some(frame) = incoming.frame().await {
            let Ok(frame) = frame else { return false };
            body.extend(frame.into_data().unwrap_or_default());
            if body.len() > LONGEST_ANSWER {
                return false;
            }
        }
        true
    };
    // The status decides; a body that never ends changes nothing about it.
    let complete = timeout(ANSWER_REST, reading).await.unwrap_or(false);
    (
        Reply {
            status: parts.status,
            headers: parts.headers,
            body,
        },
        complete,
    )
}

impl Reply {
    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn location(&self) -> Option<&str> {
        self.header(header::LOCATION)
    }

    fn is_page(&self) -> bool {
        self.header(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.starts_with("text/html"))
    }

    /// Seconds, or a date by the server's own clock if it tells it.
    fn retry_after(&self) -> Option<Duration> {
        let wanted = self.header(header::RETRY_AFTER)?.trim();
        if let Ok(seconds) = wanted.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = httpdate::parse_http_date(wanted).ok()?;
        let date = self
            .header(header::DATE)
            .and_then(|date| httpdate::parse_http_date(date).ok());
        Some(
            until
                .duration_since(date.unwrap_or_else(SystemTime::now))
                .unwrap_or_default(),
        )
    }

    fn text(&self) -> String {
        let compressed = self
            .header(header::CONTENT_ENCODING)
            .is_some_and(|how| how.contains("gzip"));
        if !compressed {
            return String::from_utf8_lossy(&self.body).into_owned();
        }
        let mut text = Vec::new();
        let limit = u64::try_from(LONGEST_ANSWER).unwrap_or(u64::MAX);
        let decoder = flate2::read::GzDecoder::new(self.body.as_slice());
        // What could be unpacked before a fault is better than nothing.
        let _ = decoder.take(limit).read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}
