//! What all outputs have in common: the way from the journal to a server and back with its answer.
//!
//! An output is a [`Sender`]. The loop here gives it readings, oldest first, and moves the output's
//! cursor by what it answers:
//!
//! | the sender says | what happens |
//! |---|---|
//! | [`Sent`] | the cursor moves past these readings; those that were refused are set aside with the server's words |
//! | [`Failure::Retry`] | the same readings again, after growing waits, not before the server wants it |
//! | [`Failure::Misconfigured`] | kept, reported, the same again every `recheck`: somebody has to mend something |
//! | [`Failure::Rejected`] | halved until the refused readings are found; they are set aside when others are taken meanwhile |
//!
//! Nothing is acknowledged that the other side does not have for good, and dropping the loop at any
//! point loses nothing: what was not acknowledged is sent again.

mod change;
mod config;
mod pace;
mod queue;
mod report;
mod run;
mod suspects;
mod thin;

use std::fmt::Display;
use std::future::{Future, pending, ready};
use std::time::Duration;

pub use change::OnChange;
pub use config::{Delivery, Remote, RemoteError};
pub(super) use run::run;

use super::shape::Shaped;

/// What an output does itself: it sends, and says what came of it.
pub(super) trait Sender: Send {
    /// The keys to look at when every reading is refused.
    const SUSPECT_KEYS: &'static str;

    /// Where readings go, for people. Shows no secret.
    fn to(&self) -> impl Display + Send;

    /// The most readings that one call of [`send`](Self::send) is given.
    fn most(&self) -> usize;

    /// Sends the first of `readings`, at least one, and returns when the other side has them for
    /// good. May be dropped at any point; the same readings are then sent again.
    fn send(
        &mut self,
        readings: &[Shaped<'_>],
    ) -> impl Future<Output = Result<Sent, Failure>> + Send;

    /// What is done while there is nothing to send, such as keeping a connection. Returns with
    /// trouble only, and is dropped when there is something to send.
    fn idle(&mut self) -> impl Future<Output = Failure> + Send {
        pending()
    }

    /// Says goodbye. Given a second at most.
    fn close(&mut self) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

/// What the other side has for good.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// So many of the readings, from the first on, are settled.
    pub(super) readings: usize,
    /// Of these the ones that were refused for good, by their index and with the server's words. A
    /// server that took none of them is a [`Failure::Rejected`].
    pub(super) refused: Vec<(usize, String)>,
}

impl Sent {
    /// All of the first `readings` were taken.
    pub(super) fn all(readings: usize) -> Self {
        Self {
            readings,
            refused: Vec::new(),
        }
    }
}

/// Why readings were not taken. The words are for people: they say where, what and what to do about
/// it, and hold no secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It passes by itself.
    Retry {
        /// What is in the way.
        why: String,
        /// How long the server asks to wait.
        after: Option<Duration>,
    },
    /// Somebody has to mend something first.
    Misconfigured {
        /// What, and how.
        why: String,
    },
    /// The first so many readings are not wanted together; fewer, or others, may be.
    Rejected {
        /// How many were sent.
        readings: usize,
        /// The server's words.
        answer: String,
        /// There were too many of them, whatever they are.
        too_large: bool,
    },
}
