//! Where readings go, and how to speak of it without giving the token away.

use std::fmt;

use http::uri::PathAndQuery;

use crate::http::{BadUrl, Server};

/// A checked URL: `https`, or `http` where that is allowed.
#[derive(Clone)]
pub(in crate::output) struct Endpoint {
    pub(in crate::output) server: Server,
    pub(in crate::output) path: PathAndQuery,
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
    pub(in crate::output) fn parse(url: &str, allow_insecure: bool) -> Result<Self, UrlError> {
        let (server, path) = Server::parse(url)?;
        let endpoint = Self { server, path };
        if !endpoint.server.tls && !allow_insecure {
            return Err(UrlError::Insecure(endpoint.redacted()));
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

    /// The same server with this path behind that of the URL. It begins with a slash.
    pub(in crate::output) fn below(&self, path: &str) -> Result<Self, UrlError> {
        let base = self.path.path().trim_end_matches('/');
        let path = format!("{base}{path}").parse();
        Ok(Self {
            path: path.map_err(|_| UrlError::Unreadable)?,
            ..self.clone()
        })
    }

    /// Why the server can be trusted, for people.
    pub(in crate::output) fn trust(&self) -> &'static str {
        if self.server.tls {
            "the certificate is good"
        } else {
            "nothing is encrypted (allow_insecure)"
        }
    }

    pub(in crate::output) fn redacted(&self) -> RedactedUrl {
        RedactedUrl(format!("{}/…", self.server))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.redacted(), f)
    }
}

/// What is wrong with the key `url`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a URL at all.
    #[error("url must look like https://HOST/PATH")]
    Unreadable,
    /// A scheme other than http and https.
    #[error("url must begin with https://, not {0}://")]
    Scheme(String),
    /// A host that cannot be one.
    #[error("url has no usable host name (`{0}`)")]
    Host(String),
    /// Credentials in the URL.
    #[error("url must not hold a user name or password: use the keys username and password")]
    Credentials,
    /// A query where one is made by the program.
    #[error("url must not hold a query (`?…`): what stands there is said by other keys")]
    Query,
    /// Plain HTTP without consent.
    #[error(
        "{0} is not encrypted, so anybody on the way can read and change the readings: use \
         https://, or set allow_insecure = true if that is acceptable"
    )]
    Insecure(RedactedUrl),
}

impl From<BadUrl> for UrlError {
    fn from(bad: BadUrl) -> Self {
        match bad {
            BadUrl::Unreadable => Self::Unreadable,
            BadUrl::Scheme(scheme) => Self::Scheme(scheme),
            BadUrl::Credentials => Self::Credentials,
            BadUrl::Host(host) => Self::Host(host),
        }
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
    fn a_path_goes_behind_that_of_the_url() {
        for (url, whole) in [
            ("https://influx", "/write?db=a%20b"),
            ("https://influx/", "/write?db=a%20b"),
            ("https://influx/insert/0/", "/insert/0/write?db=a%20b"),
        ] {
            let base = Endpoint::parse(url, false).unwrap();
            let endpoint = base.below("/write?db=a%20b").unwrap();
            assert_eq!(endpoint.path.to_string(), whole);
        }
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
}
