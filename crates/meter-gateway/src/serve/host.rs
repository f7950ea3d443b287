//! Which names the server answers to.
//!
//! A page on the internet may give its own name the address of this machine (DNS rebinding), and the browser then lets
//! it read what is here. The browser says the name, though, in the header `Host`. What such a page cannot have is an
//! address in place of a name, or a name that nobody can register.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::StatusCode;
use http::header::{HOST, HeaderMap};
use http::uri::Authority;

use super::problem::Problem;

/// Ends of names that are not given away (RFC 6761, 6762, 8375, and ICANN for `internal`).
const OWN: [&str; 4] = [".localhost", ".local", ".home.arpa", ".internal"];

/// Whether a request that calls the server by this name may be answered. `hosts` are the names in
/// the configuration. What says no name is not from a browser.
pub(super) fn check(headers: &HeaderMap, hosts: &[String]) -> Result<(), Problem> {
    let mut named = headers.get_all(HOST).iter();
    let (Some(host), None) = (named.next(), named.next()) else {
        return match headers.get(HOST) {
            None => Ok(()),
            Some(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "one Host is enough")),
        };
    };
    let host = host.to_str().unwrap_or_default();
    let name = host.parse().map_or_else(
        |_| String::new(),
        |authority: Authority| authority.host().trim_end_matches('.').to_ascii_lowercase(),
    );
    if is_own(&name) || hosts.iter().any(|own| own.eq_ignore_ascii_case(&name)) {
        return Ok(());
    }
    let detail = format!(
        "this server is not known as {name:?}: call it by its IP address, or add the name to hosts in [http] of \
         its configuration"
    );
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail))
}

fn is_own(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.parse::<Ipv4Addr>().is_ok()
        || bare.parse::<Ipv6Addr>().is_ok()
        || (!name.is_empty() && !name.contains('.'))
        || OWN.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn answers(host: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        check(&headers, &["Meter.example.org".to_owned()]).is_ok()
    }

    #[test]
    fn only_names_that_nobody_can_register_are_answered() {
        for own in [
            "127.0.0.1:8080",
            "192.168.1.5",
            "[::1]:8080",
            "localhost",
            "LOCALHOST:80",
            "pi",
            "pi.local:8080",
            "pi.home.arpa.",
            "meter.example.org:8080",
        ] {
            assert!(answers(own), "{own}");
        }
        for foreign in [
            "evil.example",
            "127.0.0.1.evil.example:8080",
            "local.evil.example",
            "sub.meter.example.org",
            "user@evil.example",
            "",
            "a b",
        ] {
            assert!(!answers(foreign), "{foreign}");
        }
        assert!(check(&HeaderMap::new(), &[]).is_ok());
    }

    #[test]
    fn two_names_at_once_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static("localhost"));
        headers.append(HOST, HeaderValue::from_static("evil.example"));
        assert!(check(&headers, &[]).is_err());
    }
}
