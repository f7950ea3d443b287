//! Sends bodies to one server, and sorts what it answers.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode};
use tokio::time::Instant;

use super::endpoint::{BadRedirect, Endpoint};
use super::error::{Advice, Answer, Error, Obstacle, Refusal};
use super::secrets::Secrets;
use crate::http::{Client as Http, Limits, Reply, basic};
use crate::output::delivery::{Remote, RemoteError};
use crate::tls;

/// How many redirects in a row are followed.
const MOST_REDIRECTS: u8 = 5;

/// What all requests of one output share.
#[derive(Debug)]
pub(in crate::output) struct Settings<'a> {
    pub(in crate::output) remote: &'a Remote,
    /// Whether the server is reached by TLS.
    pub(in crate::output) tls: bool,
    pub(in crate::output) headers: HeaderMap,
    pub(in crate::output) secrets: Secrets,
    pub(in crate::output) advice: Advice,
    /// How many bytes of an answer are read.
    pub(in crate::output) longest_answer: usize,
}

/// Sends bodies over one connection.
#[derive(Debug)]
pub(in crate::output) struct Client {
    headers: HeaderMap,
    http: Http,
    secrets: Secrets,
    advice: Advice,
}

impl Client {
    /// Reads the files that the settings name.
    pub(in crate::output) fn new(settings: Settings<'_>) -> Result<Self, RemoteError> {
        let Settings {
            remote,
            tls,
            mut headers,
            secrets,
            advice,
            longest_answer,
        } = settings;
        let files = remote.tls_files()?;
        let tls = tls.then(|| tls::client_config(files)).transpose()?;
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let limits = Limits {
            answer: remote.timeout.get(),
            body: longest_answer,
        };
        Ok(Self {
            headers,
            http: Http::new(tls, limits),
            secrets,
            advice,
        })
    }

    /// Shakes hands and asks with OPTIONS, which changes nothing on the server.
    /// Any answer shows that HTTP is spoken; its status is returned unless it
    /// says that the credentials are wrong.
    pub(in crate::output) async fn options(&mut self, to: &Endpoint) -> Result<StatusCode, Error> {
        let deadline = self.http.deadline();
        let asked = self.exchange(&Method::OPTIONS, to, to, Bytes::new(), deadline);
        let reply = asked.await?;
        match reply.status.as_u16() {
            401 | 403 | 407 | 500.. => Err(self.refused(to, &reply)),
            _ => Ok(reply.status),
        }
    }

    /// Sends `body`; `Ok` is any 2xx, with its text. When this future is dropped, the
    /// connection is closed and the fate of the body is unknown.
    pub(in crate::output) async fn send(
        &mut self,
        method: &Method,
        to: &Endpoint,
        body: Bytes,
    ) -> Result<String, Error> {
        let deadline = self.http.deadline();
        let mut endpoint = to.clone();
        let mut may_be_page = false;
        let misconfigured = |cause: BadRedirect| Error::Misconfigured {
            to: to.redacted(),
            cause: cause.into(),
        };
        for _ in 0..=MOST_REDIRECTS {
            let asked = self.exchange(method, to, &endpoint, body.clone(), deadline);
            let reply = asked.await?;
            match reply.status.as_u16() {
                // A login that swallows readings with a 200 must not pass for success.
                200..=299 if may_be_page && reply.is_page() => {
                    return Err(misconfigured(BadRedirect::WebPage));
                }
                200..=299 => return Ok(self.secrets.strip(&reply.text())),
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
                _ => return Err(self.refused(to, &reply)),
            }
        }
        Err(Error::Misconfigured {
            to: to.redacted(),
            cause: Refusal::Redirect(BadRedirect::TooMany(MOST_REDIRECTS)),
        })
    }

    fn refused(&self, to: &Endpoint, reply: &Reply) -> Error {
        let words = self.secrets.strip(&reply.text());
        let answer = Answer::new(reply.status, words);
        Error::from_answer(to.redacted(), answer, reply.retry_after(), &self.advice)
    }

    /// One request to `endpoint`, which may be where `to` redirects.
    async fn exchange(
        &mut self,
        method: &Method,
        to: &Endpoint,
        endpoint: &Endpoint,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Reply, Error> {
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() = endpoint.path.clone().into();
        *request.headers_mut() = self.headers.clone();
        let asked = self.http.exchange(&endpoint.server, request, deadline);
        asked.await.map_err(|fault| Error::Retry {
            to: to.redacted(),
            cause: Obstacle::from(fault),
            after: None,
        })
    }
}

/// The header `Authorization` for a user and a password; both or none of them have to be there, else
/// the one that is missing is returned.
pub(in crate::output) fn basic_authorization(
    user: Option<&str>,
    password: Option<&str>,
    secrets: &mut Secrets,
) -> Result<Option<String>, RemoteError> {
    match (user, password) {
        (Some(user), Some(password)) => {
            let authorization = basic(user, password);
            secrets.add(password);
            secrets.add_word(&authorization);
            Ok(Some(authorization))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(RemoteError::Lonely("username", "password")),
        (None, Some(_)) => Err(RemoteError::Lonely("password", "username")),
    }
}
