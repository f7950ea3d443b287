//! What one POST came to when it was not taken, named by what happens next.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::endpoint::{BadRedirect, RedactedUrl};
use crate::http::Fault;
use crate::output::delivery::Failure;

/// Why a POST was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is tried again by itself, with growing waits.
    #[error("{to}: {cause}")]
    Retry {
        /// Where it went.
        to: RedactedUrl,
        /// What is in the way.
        cause: Obstacle,
        /// How long the server asks to wait.
        after: Option<Duration>,
    },
    /// Somebody has to mend something first; the readings are kept.
    #[error("{to}: {cause}")]
    Misconfigured {
        /// Where it went.
        to: RedactedUrl,
        /// What to check.
        cause: Refusal,
    },
    /// This body is not wanted, whereas another one may be.
    #[error("{to} answers {answer}")]
    Rejected {
        /// Where it went.
        to: RedactedUrl,
        /// The server's words.
        answer: Answer,
    },
}

/// Why a server was not found good, where `C` is what can be wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError<C: std::error::Error + 'static> {
    /// The settings cannot work.
    #[error(transparent)]
    Config(C),
    /// The server cannot be reached, is not trusted, does not let us in, or lacks a place for readings.
    #[error(transparent)]
    Server(Error),
}

impl<C: std::error::Error> From<Error> for ProbeError<C> {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

/// What passes by itself.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    /// There is no answer in time.
    #[error("{0}; readings that did arrive come twice")]
    TimedOut(Fault),
    /// There is no answer for another reason.
    #[error(transparent)]
    Unanswered(Fault),
    /// The server is busy or out of order: 408, 429, 5xx.
    #[error("it answers {answer}{}", advice(.answer.status))]
    Busy {
        /// The server's words.
        answer: Answer,
    },
}

/// What to look at when it lasts; a server that asks for patience only needs some.
fn advice(status: StatusCode) -> &'static str {
    match status.as_u16() {
        500 | 501 | 505.. => ": the fault is at the server, look at its log",
        502..=504 => ": the server behind that address is down or overloaded",
        _ => "",
    }
}

/// What does not pass by itself.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// An answer that says what is to be mended.
    #[error("it answers {answer}: {advice}")]
    Answered {
        /// The server's words.
        answer: Answer,
        /// What to check, in the words of the output's keys.
        advice: &'static str,
    },
    /// A redirect that is not followed.
    #[error(transparent)]
    Redirect(#[from] BadRedirect),
    /// What the output itself finds wrong.
    #[error("{0}")]
    Other(String),
}

/// What to check when a server refuses, in the words of the output's keys.
#[derive(Clone, Copy, Debug)]
pub struct Advice {
    /// For 401 and 407.
    pub credentials: &'static str,
    /// For 403.
    pub rights: &'static str,
    /// For 404 and 410.
    pub place: &'static str,
    /// For 405, 406, 411, 415, 426 and the like: about the request, not its readings.
    pub request: &'static str,
}

/// A status and what the server says with it, without secrets. It is printed short and on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The server's words, bounded and on one line; may be empty.
    pub text: String,
    /// All of them, as they came.
    pub whole: String,
}

/// How many characters of a server's words are kept.
const LONGEST_TEXT: usize = 300;

impl Answer {
    /// Bounds and cleans a server's words, out of which secrets were taken.
    pub(in crate::output) fn new(status: StatusCode, whole: String) -> Self {
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        let words: String = whole
            .chars()
            .take(4 * LONGEST_TEXT)
            .map(printable)
            .collect();
        let mut text = words.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
            text.truncate(end);
            text.push('…');
        }
        Self {
            status,
            text,
            whole,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status.as_u16())?;
        if let Some(reason) = self.status.canonical_reason() {
            write!(f, " {reason}")?;
        }
        if self.text.is_empty() {
            Ok(())
        } else {
            write!(f, " (\"{}\")", self.text)
        }
    }
}

impl From<Fault> for Obstacle {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TimedOut { .. } => Self::TimedOut(fault),
            fault => Self::Unanswered(fault),
        }
    }
}

impl Error {
    /// Sorts an answer that is neither a success nor a redirect.
    pub(super) fn from_answer(
        to: RedactedUrl,
        answer: Answer,
        after: Option<Duration>,
        advice: &Advice,
    ) -> Self {
        let advice = match answer.status.as_u16() {
            408 | 425 | 429 | 500.. => {
                return Self::Retry {
                    to,
                    cause: Obstacle::Busy { answer },
                    after,
                };
            }
            401 | 407 => advice.credentials,
            403 => advice.rights,
            404 | 410 => advice.place,
            405 | 406 | 411 | 415 | 421 | 426 | 431 => advice.request,
            400..500 => return Self::Rejected { to, answer },
            _ => "that is no answer to a POST, check url",
        };
        let cause = Refusal::Answered { answer, advice };
        Self::Misconfigured { to, cause }
    }

    /// The same as the loop of all outputs sees it; `readings` were sent.
    pub(in crate::output) fn failure(self, readings: usize) -> Failure {
        let why = self.to_string();
        match self {
            Self::Retry { after, .. } => Failure::Retry { why, after },
            Self::Misconfigured { .. } => Failure::Misconfigured { why },
            Self::Rejected { answer, .. } => Failure::Rejected {
                readings,
                answer: answer.to_string(),
                too_large: answer.status == StatusCode::PAYLOAD_TOO_LARGE,
            },
        }
    }
}
