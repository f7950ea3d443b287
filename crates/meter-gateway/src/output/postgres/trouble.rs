//! Why a database did not take readings, and what to do about it.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::config::Config;
use crate::output::delivery::Failure;
use crate::tls;

/// Why a database did not take readings, or did not let us in.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The name has no address, or nobody could be asked.
    #[error("cannot find the host {0}: check the name in url, and the network")]
    Name(String),
    /// No connection.
    #[error(
        "cannot connect to {host} on port {port} ({source}): is the server running, and does its \
         listen_addresses allow the network?"
    )]
    Connect {
        /// The name in the URL.
        host: String,
        /// The port.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// No connection by a socket.
    #[error("cannot connect to {} ({source}): is the server running?", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// TLS does not come about.
    #[error("cannot trust {host}: {fault}")]
    Tls {
        /// The name in the URL.
        host: String,
        /// Why.
        fault: tls::Fault,
    },
    /// The server does not encrypt.
    #[error(
        "{host} offers no TLS: set `ssl = on` in its postgresql.conf, or set allow_insecure = true \
         if everybody on the way may read the password and the readings"
    )]
    NoTls {
        /// The name in the URL.
        host: String,
    },
    /// Something else listens there.
    #[error("{host} is no PostgreSQL server on this port: check the port in url")]
    NotPostgres {
        /// The name in the URL.
        host: String,
    },
    /// The connection ended.
    #[error("the connection broke ({0})")]
    Broken(io::Error),
    /// No answer in time.
    #[error("no answer within {} s", limit.as_secs_f32())]
    Slow {
        /// How long was waited.
        limit: Duration,
    },
    /// The server wants a password and there is none.
    #[error("it asks for a password: set password")]
    NoPassword,
    /// The tables are not ours any more.
    #[error(
        "its tables are of version {found}, made by a newer meterline, and this one knows {known}: \
         update this one, or name another schema"
    )]
    Newer {
        /// The version of the tables.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// What the server said.
    #[error("it answers {answer}{fix}")]
    Answer {
        /// Its words.
        answer: Answer,
        /// What to do, with a colon in front, or nothing.
        fix: String,
    },
}

/// What a server said: its SQLSTATE and its message, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The five characters that name the kind of error.
    pub code: String,
    /// The server's words.
    pub text: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (\"{}\")", self.code, self.text)
    }
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(answer) = error.as_db_error() {
            // What it says in detail may be the content of a row.
            let text = answer.message().split_whitespace();
            return Self::Answer {
                answer: Answer {
                    code: answer.code().code().to_owned(),
                    text: text.collect::<Vec<_>>().join(" "),
                },
                fix: String::new(),
            };
        }
        let source = error.source().map(ToString::to_string);
        if source.as_deref() == Some("password missing") {
            return Self::NoPassword;
        }
        Self::Broken(io::Error::other(
            source.unwrap_or_else(|| error.to_string()),
        ))
    }
}

impl Trouble {
    /// With the fix for what the server answered, made from the names in the configuration.
    pub(super) fn with_fix(self, config: &Config) -> Self {
        match self {
            Self::Answer { answer, .. } => Self::Answer {
                fix: fix(&answer.code, config),
                answer,
            },
            other => other,
        }
    }

    /// As the loop of all outputs sees it; so many `readings` were sent to `to`.
    pub(super) fn failure(self, to: &impl fmt::Display, readings: usize) -> Failure {
        let why = format!("{to}: {self}");
        match self {
            Self::NoTls { .. } | Self::NoPassword | Self::Newer { .. } => {
                Failure::Misconfigured { why }
            }
            Self::Answer { answer, .. } => match answer.code.get(..2) {
                Some("08" | "40" | "53" | "55" | "57" | "58") => {
                    Failure::Retry { why, after: None }
                }
                // P0001 is what triggers say.
                Some("22" | "23" | "P0") if readings > 0 => Failure::Rejected {
                    readings,
                    answer: answer.to_string(),
                    too_large: false,
                },
                _ => Failure::Misconfigured { why },
            },
            _ => Failure::Retry { why, after: None },
        }
    }
}

/// What to do about an SQLSTATE.
fn fix(code: &str, config: &Config) -> String {
    let (user, schema) = (config.user(), &config.schema);
    let database = config.url.rsplit('/').next().unwrap_or_default();
    match code {
        "28P01" => ": check username and password".to_owned(),
        "28000" => {
            ": check username, and that a line of the server's pg_hba.conf lets this user in \
                    from here"
                .to_owned()
        }
        "3D000" => format!(
            ": make it with `CREATE DATABASE {database} OWNER {user}`, or name another one in url"
        ),
        "42501" => format!(
            ": let an administrator run `GRANT CREATE, TEMPORARY ON DATABASE {database} TO {user}`, \
             and `ALTER SCHEMA {schema} OWNER TO {user}` and the same for its tables where they are \
             there"
        ),
        "25006" => ": it only reads, as a standby does: name the primary server in url".to_owned(),
        "53100" => ": make room on its disk".to_owned(),
        "53300" => {
            ": it has no connection left, raise its max_connections if this lasts".to_owned()
        }
        _ => String::new(),
    }
}
