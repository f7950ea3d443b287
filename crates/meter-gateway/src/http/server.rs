use std::fmt;

use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use rustls::pki_types::ServerName;

/// Who is asked: everything of a URL that stands in front of its path. Printing it shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) tls: bool,
    /// In lower case, and without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Why a text is no URL of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadUrl {
    /// It cannot be read.
    Unreadable,
    /// It is neither `http` nor `https`.
    Scheme(String),
    /// It holds a user or a password.
    Credentials,
    /// There cannot be such a host.
    Host(String),
}

impl Server {
    /// Takes an absolute URL apart. Its fragment is left out.
    pub(crate) fn parse(url: &str) -> Result<(Self, PathAndQuery), BadUrl> {
        let uri: Uri = url.parse().map_err(|_| BadUrl::Unreadable)?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(BadUrl::Unreadable);
        };
        let tls = scheme == Scheme::HTTPS;
        if !tls && scheme != Scheme::HTTP {
            return Err(BadUrl::Scheme(scheme.to_string()));
        }
        if authority.as_str().contains('@') {
            return Err(BadUrl::Credentials);
        }
        let written = authority.host();
        let host = written
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_lowercase();
        if host.is_empty() || (tls && ServerName::try_from(host.as_str()).is_err()) {
            return Err(BadUrl::Host(host));
        }
        let behind = authority.as_str().get(written.len()..).unwrap_or_default();
        let port = match behind.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| BadUrl::Unreadable)?,
            None => default_port(tls),
        };
        let path = parts
            .path_and_query
            .unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok((Self { tls, host, port }, path))
    }

    /// Host and port as in a URL, which is also the value of the `Host` header.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == default_port(self.tls) {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<String, BadUrl> {
        Server::parse(url).map(|(server, path)| format!("{server} {path}"))
    }

    #[test]
    fn a_server_is_printed_as_in_a_url() {
        for (url, wanted) in [
            ("http://Bridge", "http://bridge /"),
            ("http://bridge:80/a?b=c#d", "http://bridge /a?b=c"),
            ("https://bridge:80/", "https://bridge:80 /"),
            ("https://[2001:DB8::1]:443/x", "https://[2001:db8::1] /x"),
        ] {
            assert_eq!(server(url).as_deref(), Ok(wanted));
        }
        let (server, _) = Server::parse("https://[::1]:8443/").unwrap();
        assert_eq!((server.host.as_str(), server.port), ("::1", 8443));
    }

    #[test]
    fn what_is_no_server_is_refused_by_name() {
        for (url, wanted) in [
            ("bridge", BadUrl::Unreadable),
            ("http://", BadUrl::Unreadable),
            ("http://bridge:99999", BadUrl::Unreadable),
            ("http://bridge:", BadUrl::Unreadable),
            ("ftp://bridge", BadUrl::Scheme("ftp".into())),
            ("http://me:pw@bridge", BadUrl::Credentials),
            ("https://a..b/", BadUrl::Host("a..b".into())),
        ] {
            assert_eq!(server(url), Err(wanted), "{url}");
        }
    }
}
