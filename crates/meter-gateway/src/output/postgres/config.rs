//! The settings of an output into `PostgreSQL`.

use std::num::NonZeroU32;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::{Address, BadAddress};
use super::connect::Login;
use crate::config::Secret;
use crate::output::delivery::{Remote, RemoteError};
use crate::tls;

/// Where readings are kept in a database.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server and the database: `postgres://HOST/DATABASE`, with `:PORT` behind the host unless
    /// it is 5432. `postgres:///DATABASE` is the server on this machine by its socket.
    #[schemars(extend("examples" = ["postgres://db.example.org/meters"]))]
    pub url: String,
    /// The user that owns the tables, or may make them: `meterline` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["meters"]))]
    pub username: Option<String>,
    /// The user's password. A socket may need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The schema in the database that the tables are in. It is made when it is not there.
    #[serde(default = "default_schema")]
    pub schema: String,
    /// Most readings in one transaction.
    #[serde(default = "default_batch_size")]
    pub batch_size: NonZeroU32,
    /// What all outputs over a network have in common.
    #[serde(rename = "*")]
    #[schemars(flatten)]
    pub remote: Remote,
}

fn default_schema() -> String {
    "meterline".to_owned()
}

fn default_batch_size() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(499)
}

impl Config {
    /// Everything else at its default.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            username: None,
            password: None,
            schema: default_schema(),
            batch_size: default_batch_size(),
            remote: Remote::default(),
        }
    }

    /// Finds what is wrong without connecting anywhere. Reads the files that the settings name.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.login().map(drop)
    }

    /// Who logs in.
    pub(super) fn user(&self) -> &str {
        self.username.as_deref().unwrap_or("meterline")
    }

    /// What is needed to log in.
    pub(super) fn login(&self) -> Result<Login, ConfigError> {
        let address = Address::parse(&self.url)?;
        if !is_identifier(&self.schema) {
            return Err(ConfigError::Schema(self.schema.clone()));
        }
        let files = self.remote.tls_files()?;
        let tls = if address.is_local() || self.remote.allow_insecure {
            None
        } else {
            let mut tls = (*tls::client_config(files).map_err(RemoteError::from)?).clone();
            // What a server from 17 on insists on when anything is named at all.
            tls.alpn_protocols = vec![b"postgresql".to_vec()];
            Some(Arc::new(tls))
        };
        Ok(Login {
            address,
            tls,
            username: self.user().to_owned(),
            password: self.password.clone(),
        })
    }
}

/// A name that needs no quotes and so can be written into SQL as it is.
fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let rest = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    first && rest && name.len() <= 40 && !name.starts_with("pg_")
}

/// What is wrong with the settings, known before anything is sent.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The key `url`.
    #[error(transparent)]
    Url(#[from] BadAddress),
    /// The key `schema`.
    #[error(
        "`{0}` cannot be a schema: use lower-case letters, digits and `_`, 40 at most, and do not \
         begin with a digit or with `pg_`"
    )]
    Schema(String),
    /// What outputs over a network have in common.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl ConfigError {
    /// The key that is wrong.
    pub(in crate::output) fn key(&self) -> Option<&'static str> {
        match self {
            Self::Url(_) => Some("url"),
            Self::Schema(_) => Some("schema"),
            Self::Remote(error) => error.key(),
        }
    }
}
