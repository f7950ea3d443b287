//! `postgres://HOST:PORT/DATABASE`.

use std::fmt;
use std::path::PathBuf;

/// `PostgreSQL`'s own port.
const PORT: u16 = 5432;
/// Where Debian, Fedora and the like have the socket.
const SOCKETS: &str = "/run/postgresql";

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) place: Place,
    pub(super) port: u16,
    pub(super) database: String,
}

/// How its server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// By name, or an address; one of IPv6 without its brackets.
    Host(String),
    /// By a socket in this directory.
    Directory(PathBuf),
}

/// Why a text is no address of a database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Another scheme, or none.
    #[error(
        "url must look like postgres://HOST/DATABASE, or postgres:///DATABASE for the socket of this machine"
    )]
    Scheme,
    /// User or password, which have keys of their own.
    #[error("url must not hold a user name or password: use the keys username and password")]
    Credentials,
    /// Something behind the name of the database.
    #[error(
        "url must end with the name of the database: ca_file, allow_insecure and the like are keys of their own"
    )]
    Parameters,
    /// No database.
    #[error("url must name a database, as in postgres://{0}/meters")]
    NoDatabase(String),
    /// Behind the colon.
    #[error("`{0}` in url is no port")]
    Port(String),
    /// An address of IPv6 that does not end.
    #[error("`{0}` in url is no host")]
    Host(String),
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, BadAddress> {
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .ok_or(BadAddress::Scheme)?;
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(BadAddress::Credentials);
        }
        if database.contains(['?', '#', '/', '@']) {
            return Err(BadAddress::Parameters);
        }
        let (place, port) = place(authority)?;
        if database.is_empty() {
            return Err(BadAddress::NoDatabase(authority.to_owned()));
        }
        Ok(Self {
            place,
            port,
            database: unescaped(database),
        })
    }

    /// The socket's file, or none.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.place, Place::Directory(_))
    }
}

fn place(authority: &str) -> Result<(Place, u16), BadAddress> {
    let bad_host = || BadAddress::Host(authority.to_owned());
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(bad_host)?;
            (host, port.strip_prefix(':').unwrap_or(port))
        }
        None => authority.rsplit_once(':').unwrap_or((authority, "")),
    };
    let port = match port {
        "" => PORT,
        port => port
            .parse()
            .map_err(|_| BadAddress::Port(port.to_owned()))?,
    };
    let host = unescaped(host);
    let place = if host.is_empty() {
        Place::Directory(SOCKETS.into())
    } else if host.starts_with('/') {
        Place::Directory(host.into())
    } else {
        Place::Host(host)
    };
    Ok((place, port))
}

/// `%2F` and the like as the characters that they stand for.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        bytes.extend_from_slice(before.as_bytes());
        let code = escape
            .get(1..3)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let (Some(code), Some(after)) = (code, escape.get(3..)) {
            bytes.push(code);
            rest = after;
        } else {
            bytes.push(b'%');
            rest = escape.get(1..).unwrap_or_default();
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            port,
            database,
        } = self;
        match place {
            Place::Host(host) if host.contains(':') => {
                write!(f, "postgres://[{host}]:{port}/{database}")
            }
            Place::Host(host) => write!(f, "postgres://{host}:{port}/{database}"),
            Place::Directory(directory) => {
                write!(
                    f,
                    "database {database} on the socket in {}",
                    directory.display()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_all_kinds() {
        for (url, shown) in [
            ("postgres://db/meters", "postgres://db:5432/meters"),
            (
                "postgresql://db.example.org:6000/m",
                "postgres://db.example.org:6000/m",
            ),
            ("postgres://[::1]/meters", "postgres://[::1]:5432/meters"),
            ("postgres://[::1]:1/meters", "postgres://[::1]:1/meters"),
            (
                "postgres:///meters",
                "database meters on the socket in /run/postgresql",
            ),
            (
                "postgres://%2Ftmp%2fpg:7/a%20b",
                "database a b on the socket in /tmp/pg",
            ),
            ("postgres://db/100%", "postgres://db:5432/100%"),
        ] {
            assert_eq!(
                Address::parse(url).map(|it| it.to_string()),
                Ok(shown.to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_address_is_said() {
        for (url, part) in [
            (
                "https://db/meters",
                "must look like postgres://HOST/DATABASE",
            ),
            (
                "postgres://me:secret@db/meters",
                "the keys username and password",
            ),
            (
                "postgres://db/meters?sslmode=disable",
                "must end with the name of the database",
            ),
            (
                "postgres://db",
                "must name a database, as in postgres://db/meters",
            ),
            ("postgres://db:port/meters", "`port` in url is no port"),
            ("postgres://[::1/meters", "`[::1` in url is no host"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("secret"), "{error}");
        }
    }
}
