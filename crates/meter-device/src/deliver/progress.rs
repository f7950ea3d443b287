//! How far the delivery is: what was tried, what came of it, and when it goes on.

use core::fmt;
use core::time::Duration;

use meter_core::Retry;

use super::batch::{Batch, MOST};
use super::{Line, PACE, RETRY};
use crate::board::Board;
use crate::context::Context;
use crate::log::Level;
use crate::verdict::Verdict;

/// The status that a reading gets which does not fit a request: HTTP's "content too large".
pub const TOO_LONG: u16 = 413;

/// After so many readings that were refused one after the other, it is not the readings.
const REFUSED_IN_A_ROW: u32 = 3;

/// How far the delivery to one server is.
pub struct Progress<'p> {
    output: &'static str,
    host: &'p str,
    retry: Retry,
    /// Nothing is sent before.
    pub not_before: Duration,
    /// How many readings are sent at once: fewer while a refused one is searched for.
    most: usize,
    /// How many readings were sent last and may have arrived.
    unsure: usize,
    /// Readings that were refused since one was taken.
    refused: u32,
}

impl<'p> Progress<'p> {
    pub const fn new(output: &'static str, host: &'p str) -> Self {
        Self {
            output,
            host,
            retry: Retry::new(RETRY),
            not_before: Duration::ZERO,
            most: MOST,
            unsure: 0,
            refused: 0,
        }
    }

    /// How many readings are to be sent at once, at most.
    pub const fn most(&self) -> usize {
        self.most
    }

    /// So many readings are sent now.
    pub fn begin<B: Board>(&mut self, context: &Context<'_, B>, count: usize) {
        self.not_before = context.now().saturating_add(PACE);
        let again = self.unsure.min(count);
        self.unsure -= again;
        let again = u32::try_from(again).unwrap_or(u32::MAX);
        let mut delivery = context.delivery.borrow_mut();
        delivery.repeated = delivery.repeated.saturating_add(again);
    }

    /// Nobody knows whether these have arrived. They are sent again at once, unless that has
    /// [failed](Self::failed).
    pub fn unsure(&mut self, count: usize) {
        self.unsure = self.unsure.max(count);
        self.not_before = Duration::ZERO;
    }

    /// It has to be tried again after a while.
    pub fn failed<B: Board>(
        &mut self,
        context: &Context<'_, B>,
        after: Option<Duration>,
        why: fmt::Arguments<'_>,
    ) {
        let now = context.now();
        self.not_before = self.retry.on_failure(now, context.random(), after);
        let seconds = self.not_before.saturating_sub(now).as_secs();
        let Self { output, host, .. } = self;
        // The pause is another each time, and what is the same is to be kept once.
        context.fault(Level::Warn, format_args!("{output}: {host}: {why}"));
        context.say(
            Level::Info,
            format_args!("{output}: tries again in {seconds} s"),
        );
    }

    /// The server refused to talk.
    pub fn turned_away<B: Board>(&mut self, context: &Context<'_, B>, verdict: Verdict) {
        match verdict {
            Verdict::Later { status, after } => {
                let why = format_args!("the server asks to wait ({status})");
                self.failed(context, after, why);
            }
            Verdict::Check { status } | Verdict::Refused { status } => {
                self.failed(context, None, format_args!("{}", Advice(status)));
            }
            Verdict::Delivered => {}
        }
    }

    /// Does what the server's answer to so many readings asks for.
    pub async fn settle<B: Board, const SECTORS: usize>(
        &mut self,
        line: &Line<'_, '_, B, SECTORS>,
        batch: &Batch,
        count: usize,
        verdict: Verdict,
    ) {
        let context = line.context;
        match verdict {
            Verdict::Delivered => {
                self.retry.on_success();
                self.refused = 0;
                self.unsure = 0;
                self.most = (self.most * 2).min(MOST);
                batch.delivered(context, line.outbox, count).await;
            }
            Verdict::Refused { .. } if count > 1 => self.most = count / 2,
            Verdict::Refused { status } if self.refused >= REFUSED_IN_A_ROW => {
                self.turned_away(context, Verdict::Check { status });
            }
            Verdict::Refused { status } => {
                self.refused += 1;
                batch.refused(context, line.outbox, status).await;
            }
            other @ (Verdict::Later { .. } | Verdict::Check { .. }) => {
                self.turned_away(context, other);
            }
        }
    }
}

/// What to do about an answer that no later try will change.
struct Advice(u16);

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(status) = *self;
        let what = match status {
            // MQTT 5, 2.4: reason codes.
            0x86 | 0x87 | 0x8a => "the broker does not know this device: check user and password",
            0x90 => "the broker does not take the topic: check `topic`",
            300..=399 => "the server is somewhere else: set `url` to its new address",
            401 | 403 => "the server does not know this device: check the token",
            404 | 405 | 410 => "the server has nothing at this address: check `url` and its token",
            _ => "the server does not take readings: check the settings",
        };
        write!(f, "{what} ({status})")
    }
}
