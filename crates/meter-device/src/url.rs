//! Addresses of servers: `https://HOST[:PORT]/PATH`.

use core::fmt;
use core::net::Ipv6Addr;

/// An address that HTTP can be spoken to. A view of the text in the settings.
///
/// Its path may hold a token, so only scheme, host and port are ever printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Url<'a> {
    https: bool,
    host: &'a str,
    port: Option<u16>,
    path: &'a str,
}

impl<'a> Url<'a> {
    /// Takes an address apart: RFC 3986, as far as HTTP needs it.
    pub fn parse(text: &'a str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return Err(UrlError::Scheme);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(UrlError::Credentials);
        }
        let (host, port) = host_and_port(authority)?;
        Ok(Self {
            https,
            host,
            port,
            path: target(path)?,
        })
    }

    /// Name or address of the server, IPv6 without brackets, as it must stand in its certificate.
    #[must_use]
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// The port; 443 or 80 where none is written.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self.port {
            Some(port) => port,
            None if self.https => 443,
            None => 80,
        }
    }

    /// Path and query as they stand in a request. A secret may be in them.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// Whether it asks for TLS.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// The value of the header `Host`.
    #[must_use]
    pub const fn authority(&self) -> Authority<'a> {
        Authority {
            host: self.host,
            port: self.port,
        }
    }
}

/// Host and port as they stand in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(self.host)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Without the path.
impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl fmt::Debug for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self}/…)")
    }
}

fn host_and_port(authority: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, rest) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or(UrlError::Host)?;
        host.parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?;
        (host, rest)
    } else {
        let (host, rest) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        if !host.bytes().all(is_host_letter) {
            return Err(UrlError::Host);
        }
        (host, rest)
    };
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    if rest.is_empty() {
        return Ok((host, None));
    }
    let digits = rest.strip_prefix(':').ok_or(UrlError::Port)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UrlError::Port);
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err(UrlError::Port),
        Ok(port) => Ok((host, Some(port))),
    }
}

/// The underscore is no letter of a host name, and some networks use it all the same.
const fn is_host_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// What stands in the request line. Whatever could end the line early is refused.
fn target(path: &str) -> Result<&str, UrlError> {
    match path.bytes().next() {
        None => Ok("/"),
        Some(b'?') => Err(UrlError::Query),
        _ if path.contains('#') => Err(UrlError::Fragment),
        _ if path.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(path),
        _ => Err(UrlError::Path),
    }
}

/// Why a text is no address. None of these repeats the text, which may hold a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// Neither `https://` nor `http://` in front.
    Scheme,
    /// Nothing between the scheme and the path.
    NoHost,
    /// Something that is no name of a host.
    Host,
    /// Something behind the host that is no port.
    Port,
    /// A user name in front of the host.
    Credentials,
    /// A query without a path.
    Query,
    /// A fragment, which only browsers know.
    Fragment,
    /// A space, or a letter that must be escaped.
    Path,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => {
                "the URL has to begin with https://, as in https://HOST/api/v1/TOKEN/telemetry"
            }
            Self::NoHost => "the URL names no server: write it behind https://",
            Self::Host => {
                "the server's name in the URL may hold letters, digits, dots and dashes only: \
                 write a name with other letters in its form with xn--, and IPv6 in brackets"
            }
            Self::Port => "the port in the URL has to be a number from 1 to 65535, as in HOST:8443",
            Self::Credentials => {
                "the URL holds a user name: leave it out and set `authorization` instead"
            }
            Self::Query => "the URL has a query without a path: put a / in front of the ?",
            Self::Fragment => "the URL holds a #: write %23, or leave it out with what follows",
            Self::Path => {
                "the path in the URL holds a space or a letter that is not ASCII: escape it, as in %20"
            }
        })
    }
}

impl core::error::Error for UrlError {}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::string::ToString;

    #[test]
    fn takes_addresses_apart() {
        for (text, https, host, port, path, authority) in [
            ("https://a.de", true, "a.de", 443, "/", "a.de"),
            ("HTTP://10.0.0.1/", false, "10.0.0.1", 80, "/", "10.0.0.1"),
            (
                "https://tb_1:8443/api/v1/T0K/telemetry",
                true,
                "tb_1",
                8443,
                "/api/v1/T0K/telemetry",
                "tb_1:8443",
            ),
            (
                "https://[fd00::1]:8080/x?y=1&z=%20",
                true,
                "fd00::1",
                8080,
                "/x?y=1&z=%20",
                "[fd00::1]:8080",
            ),
            (
                "https://[::1]/a://b@c",
                true,
                "::1",
                443,
                "/a://b@c",
                "[::1]",
            ),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(
                (url.is_https(), url.host(), url.port(), url.path()),
                (https, host, port, path)
            );
            assert_eq!(url.authority().to_string(), authority);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, error) in [
            ("", UrlError::Scheme),
            ("a.de/x", UrlError::Scheme),
            ("mqtt://a.de", UrlError::Scheme),
            ("https:///x", UrlError::NoHost),
            ("https://:80/x", UrlError::NoHost),
            ("https://a b/x", UrlError::Host),
            ("https://grün.de", UrlError::Host),
            ("https://a%41.de", UrlError::Host),
            ("https://[a.de]/", UrlError::Host),
            ("https://[::1", UrlError::Host),
            ("https://[::1]8/", UrlError::Port),
            ("https://a:/x", UrlError::Port),
            ("https://a:0/x", UrlError::Port),
            ("https://a:65536/x", UrlError::Port),
            ("https://a:+80/x", UrlError::Port),
            ("https://a:b/x", UrlError::Port),
            ("https://user:pass@a.de/x", UrlError::Credentials),
            ("https://a?x=1", UrlError::Query),
            ("https://a/x#y", UrlError::Fragment),
            ("https://a#y", UrlError::Fragment),
            ("https://a/x y", UrlError::Path),
            ("https://a/x\r\nEvil: 1", UrlError::Path),
            ("https://a/ü", UrlError::Path),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn the_path_is_never_printed() {
        let url = Url::parse("https://a.de:444/api/SECRET/telemetry").unwrap();
        assert_eq!(format!("{url}"), "https://a.de:444");
        assert_eq!(format!("{url:?}"), "Url(https://a.de:444/…)");
    }

    proptest! {
        #[test]
        fn whatever_is_taken_fits_one_line(text in ".{0,40}|https?://[a-z0-9.:@\\[\\]/?#% \r\n-]{0,30}") {
            if let Ok(url) = Url::parse(&text) {
                prop_assert!(!url.host().is_empty());
                prop_assert!(url.path().starts_with('/'));
                let line = format!("{}{}", url.authority(), url.path());
                prop_assert!(line.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
