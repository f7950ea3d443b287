//! What the middleware says when it does not take values.

use http::StatusCode;
use serde::Deserialize;

use crate::output::delivery::Failure;
use crate::output::post::{Endpoint, Error, Refusal};

/// What to check when something else answers.
pub(super) const NO_MIDDLEWARE: &str = "what answers there is not the middleware: check url, which \
                                        ends with /middleware.php or /middleware";

/// An answer of the middleware; all of them are objects with its version.
#[derive(Deserialize)]
pub(super) struct Exception {
    #[serde(rename = "version")]
    _version: serde_json::Value,
    exception: Option<Said>,
}

#[derive(Deserialize)]
struct Said {
    message: String,
}

impl Exception {
    /// Whether a success is one of the middleware. A web server answers a wrong path with a page and
    /// a 200 often enough, and the values would be lost.
    pub(super) fn absent(text: &str) -> Result<(), String> {
        match serde_json::from_str::<Self>(text) {
            Ok(Self {
                exception: None, ..
            }) => Ok(()),
            Ok(Self {
                exception: Some(said),
                ..
            }) => Err(format!("it says \"{}\"", said.message)),
            Err(_) => Err(NO_MIDDLEWARE.to_owned()),
        }
    }
}

/// The middleware answers most faults with 400. A channel that is not there is nothing that the
/// values are to blame for.
pub(super) fn sorted(error: Error) -> Error {
    match error {
        Error::Rejected { to, answer } if answer.text.to_lowercase().contains("uuid") => {
            let advice = "check the UUIDs in channels";
            let cause = Refusal::Answered { answer, advice };
            Error::Misconfigured { to, cause }
        }
        // Something else is listening, which knows nothing of values.
        Error::Rejected { to, answer }
            if answer.status == StatusCode::BAD_REQUEST
                && serde_json::from_str::<Exception>(&answer.whole).is_err() =>
        {
            let advice = NO_MIDDLEWARE;
            let cause = Refusal::Answered { answer, advice };
            Error::Misconfigured { to, cause }
        }
        error => error,
    }
}

/// Somebody has to mend something, for this reason.
pub(super) fn misconfigured(base: &Endpoint, why: String) -> Error {
    Error::Misconfigured {
        to: base.redacted(),
        cause: Refusal::Other(why),
    }
}

/// An error of a channel, as the loop of all outputs sees it.
pub(super) fn failure(error: Error, channel: &str, readings: usize) -> Failure {
    let too_long = match &error {
        Error::Rejected { answer, .. } => {
            answer.status == StatusCode::PAYLOAD_TOO_LARGE
                || answer.text.contains("Maximum message size exceeded")
        }
        _ => false,
    };
    match error.failure(readings) {
        Failure::Rejected {
            readings, answer, ..
        } => Failure::Rejected {
            readings,
            answer: format!("channel {channel}: {answer}"),
            too_large: too_long,
        },
        Failure::Misconfigured { why } => Failure::Misconfigured {
            why: format!("channel {channel}: {why}"),
        },
        retry @ Failure::Retry { .. } => retry,
    }
}
