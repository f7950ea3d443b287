//! Where readings go, and how to speak of it without giving the token away.

use std::fmt;

use http::uri::PathAndQuery;

use super::ConfigError;
use crate::http::Server;

/// A checked URL: `https`, or `http` where that is allowed.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) server: Server,
    pub(super) path: PathAndQuery,
}

/// Scheme, host and port, which may be shown; path and query may hold a token
/// and appear as `…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactedUrl(String);

impl fmt::Display for RedactedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Endpoint {
    /// Checks a URL from the configuration.
    pub(super) fn parse(url: &str, allow_insecure: bool) -> Result<Self, ConfigError> {
        let (server, path) = Server::parse(url)?;
        let endpoint = Self { server, path };
        if !endpoint.server.tls && !allow_insecure {
            return Err(ConfigError::Insecure(endpoint.redacted()));
        }
        Ok(endpoint)
    }

    /// The target of a `Location` header, which may be relative to this URL.
    pub(super) fn follow(&self, location: &str) -> Result<Self, BadRedirect> {
        // `//host/path` names another host and keeps the scheme.
        let absolute = location
            .strip_prefix("//")
            .map(|rest| format!("{}://{rest}", self.server.scheme()));
        let location = absolute.as_deref().unwrap_or(location);
        let scheme = location.split_once("://").map(|(scheme, _)| scheme);
        if scheme.is_some_and(|scheme| scheme.chars().all(char::is_alphanumeric)) {
            let (server, path) = Server::parse(location).map_err(|_| BadRedirect::Unreadable)?;
            let target = Self { server, path };
            if target.server.host != self.server.host {
                return Err(BadRedirect::OtherHost(target.redacted()));
            }
            if self.server.tls && !target.server.tls {
                return Err(BadRedirect::Downgrade(target.redacted()));
            }
            return Ok(target);
        }
        let path = if location.starts_with('/') {
            location.to_owned()
        } else {
            let base = self
                .path
                .path()
                .rsplit_once('/')
                .map_or("", |(base, _)| base);
            format!("{base}/{location}")
        };
        let path = path.parse().map_err(|_| BadRedirect::Unreadable)?;
        Ok(Self {
            path,
            ..self.clone()
        })
    }

    pub(super) fn redacted(&self) -> RedactedUrl {
        RedactedUrl(format!("{}/…", self.server))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.redacted(), f)
    }
}

/// Why a redirect is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRedirect {
    /// It leads to another host, which would get the token.
    #[error(
        "it redirects to another host, {0}, which meterline does not follow because the token \
         would go there too: if that is right, set url to it"
    )]
    OtherHost(RedactedUrl),
    /// It leads away from TLS.
    #[error(
        "it redirects from https down to {0}, which meterline does not follow: mend the server"
    )]
    Downgrade(RedactedUrl),
    /// There is no `Location`, or it is no URL.
    #[error("it redirects to nowhere: check the path in url")]
    Unreadable,
    /// It goes round in circles.
    #[error("it redirects more than {0} times in a row: check the path in url")]
    TooMany(u8),
    /// 303 asks for a GET, which cannot carry readings.
    #[error("it answers 303 (See Other), which asks for a GET and takes no readings: check url")]
    SeeOther,
    /// It led to a page for people, such as a login.
    #[error("it redirects to a web page (a login?), not to an API: check url and credentials")]
    WebPage,
}

/// Words that must not be shown, whoever says them.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<String>);

/// Parts of a path that are no secret although they are long enough.
const PLAIN_WORDS: [&str; 8] = [
    "telemetry",
    "attributes",
    "data",
    "write",
    "readings",
    "api",
    "push",
    "ingest",
];

impl Secrets {
    /// Adds a text that is secret as a whole.
    pub(super) fn add(&mut self, secret: &str) {
        if !secret.is_empty() && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
            // Longest first, so that no part of a longer one is left standing.
            self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// Adds everything in path and query that may be a token.
    pub(super) fn add_path(&mut self, path: &PathAndQuery) {
        let query = path.query().unwrap_or_default();
        let values = query
            .split('&')
            .map(|pair| pair.split_once('=').map_or(pair, |(_, v)| v));
        let parts = path.path().split('/').chain(values);
        let secret = |part: &&str| part.len() >= 4 && !PLAIN_WORDS.contains(part);
        for part in parts.filter(secret) {
            self.add(part);
        }
    }

    /// `text` with each secret replaced.
    pub(super) fn strip(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.as_str(), "***")
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://tb.example:8443/api/v1/A1b2C3d4/telemetry?key=s3cr3t";

    #[test]
    fn shows_the_host_and_nothing_behind_it() {
        let endpoint = Endpoint::parse(URL, false).unwrap();
        assert_eq!(endpoint.redacted().to_string(), "https://tb.example:8443/…");
        assert_eq!(format!("{endpoint:?}"), "https://tb.example:8443/…");
        assert_eq!(
            (endpoint.server.host.as_str(), endpoint.server.port),
            ("tb.example", 8443)
        );
    }

    #[test]
    fn refuses_what_it_cannot_use() {
        let refused = |url| Endpoint::parse(url, false).unwrap_err().to_string();
        assert!(refused("tb.example/api").contains("https://HOST"));
        assert!(refused("ftp://tb.example/").contains("ftp"));
        assert!(refused("https://me:pw@tb.example/").contains("username"));
        assert!(!refused("https://me:pw@tb.example/").contains("pw"));
        assert!(refused("http://tb.example/t0ken").contains("allow_insecure"));
        assert!(!refused("http://tb.example/t0ken").contains("t0ken"));
        assert!(Endpoint::parse("http://tb.example/", true).is_ok());
        assert!(Endpoint::parse("https://[::1]:8443/", false).is_ok());
    }

    #[test]
    fn follows_within_the_host_only() {
        let from = Endpoint::parse(URL, false).unwrap();
        let to = |location: &str| {
            from.follow(location)
                .map(|to| (to.server.port, to.path.to_string()))
        };
        assert_eq!(to("/v2/x"), Ok((8443, "/v2/x".to_owned())));
        assert_eq!(to("v2"), Ok((8443, "/api/v1/A1b2C3d4/v2".to_owned())));
        assert_eq!(to("https://TB.example/v2"), Ok((443, "/v2".to_owned())));
        assert!(matches!(
            to("https://evil.example/v2"),
            Err(BadRedirect::OtherHost(_))
        ));
        assert!(matches!(
            to("https://tb.example.evil/v2"),
            Err(BadRedirect::OtherHost(_))
        ));
        assert!(matches!(
            to("//evil.example/v2"),
            Err(BadRedirect::OtherHost(_))
        ));
        assert!(matches!(
            to("http://tb.example/v2"),
            Err(BadRedirect::Downgrade(_))
        ));
        let plain = Endpoint::parse("http://tb.example/v1", true).unwrap();
        assert!(plain.follow("https://tb.example/v1").unwrap().server.tls);
    }

    #[test]
    fn strips_every_secret() {
        let mut secrets = Secrets::default();
        secrets.add_path(&Endpoint::parse(URL, false).unwrap().path);
        secrets.add("Bearer xyz");
        secrets.add("xyz");
        let said = "bad token A1b2C3d4 in /telemetry?key=s3cr3t with Bearer xyz";
        assert_eq!(
            secrets.strip(said),
            "bad token *** in /telemetry?key=*** with ***"
        );
    }
}
