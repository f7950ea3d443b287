//! Readings in, POSTs out.

use std::fmt::Display;

use http::StatusCode;

use super::client::Client;
use super::config::{Config, ConfigError};
use super::error::{Error, Refusal};
use super::payload::{NoBody, Payload};
use crate::journal::Record;
use crate::output::delivery::{Failure, Sender, Sent};

/// One REST output at work.
#[derive(Debug)]
pub(in crate::output) struct Rest {
    client: Client,
    payload: Payload,
}

impl Rest {
    pub(in crate::output) fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            payload: Payload::new(config)?,
            client: Client::new(config)?,
        })
    }
}

impl Sender for Rest {
    const SUSPECT_KEYS: &'static str = "format and url";

    fn to(&self) -> impl Display + Send {
        self.client.endpoint().redacted()
    }

    fn most(&self) -> usize {
        self.payload.most()
    }

    async fn send(&mut self, records: &[Record]) -> Result<Sent, Failure> {
        let body = self.payload.write(records).map_err(|error| match error {
            NoBody::Unreadable { index, reason } => Failure::Unreadable { index, why: reason },
            NoBody::Template(reason) => {
                let to = self.client.endpoint().redacted();
                let cause = Refusal::Template(reason);
                failure(Error::Misconfigured { to, cause }, records.len())
            }
        })?;
        match self.client.send(body.bytes).await {
            Ok(()) => Ok(Sent::all(body.readings)),
            Err(error) => Err(failure(error, body.readings)),
        }
    }
}

/// An error as the loop of all outputs sees it; `readings` were sent.
fn failure(error: Error, readings: usize) -> Failure {
    let why = error.to_string();
    match error {
        Error::Retry { after, .. } => Failure::Retry { why, after },
        Error::Misconfigured { .. } => Failure::Misconfigured { why },
        Error::Rejected { answer, .. } => Failure::Rejected {
            readings,
            answer: answer.to_string(),
            too_large: answer.status == StatusCode::PAYLOAD_TOO_LARGE,
        },
    }
}
