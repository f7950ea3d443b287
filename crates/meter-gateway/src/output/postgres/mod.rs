//! Readings into `PostgreSQL`, a row for each register.
//!
//! Rows are unique by meter, register and time, so a reading that comes twice changes nothing. A
//! batch is copied into a staging table of the session and goes from there into the table, in one
//! transaction; its readings are acknowledged after the COMMIT.
//!
//! | SQLSTATE | what happens |
//! |---|---|
//! | 08, 40, 53, 55, 57, 58, no answer | tried again with growing waits |
//! | 22, 23, P0001: about the rows | halved until the refused readings are found; they are set aside |
//! | 28 user or password, 3D000 no database, 42501 no right, 25006 standby, and all others | kept, reported, tried again every `recheck` |

mod address;
mod config;
mod connect;
mod schema;
mod sender;
mod trouble;

pub use address::BadAddress;
pub use config::{Config, ConfigError};
pub(super) use sender::Postgres;
pub use trouble::Trouble;

use connect::Session;

/// Why a server was not found good.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The settings cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The server cannot be reached, is not trusted, or does not let us in.
    #[error("{to}: {trouble}")]
    Server {
        /// Where.
        to: String,
        /// What is wrong.
        trouble: Trouble,
    },
}

/// Logs in, looks at the rights, and returns a sentence for people. Writes nothing.
pub async fn probe(config: &Config) -> Result<String, ProbeError> {
    let login = config.login()?;
    let to = login.address.to_string();
    let limit = config.remote.timeout.get();
    let looked = tokio::time::timeout(limit, async {
        let session = Session::open(&login).await?;
        schema::look(&session.client, &config.schema).await
    });
    let found = match looked.await {
        Ok(found) => found,
        Err(_) => Err(Trouble::Slow { limit }),
    };
    let found = found.map_err(|trouble| Trouble::with_fix(trouble, config));
    match found {
        Ok(found) => Ok(format!("{to}: {found}, {}", login.trust())),
        Err(trouble) => Err(ProbeError::Server { to, trouble }),
    }
}

/// What of a reading's shape is not for it.
pub(super) const FIXED: super::shape::Fixed = super::shape::Fixed {
    keys: &["rename"],
    why: "the table has registers by their OBIS codes: remove it, and give names in a view",
};
