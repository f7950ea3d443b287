//! Readings from the outbox to the server, oldest first. A reading leaves the outbox when the server has
//! acknowledged it, and not before.

mod batch;
mod mqtt;
mod progress;
mod rest;

use alloc::boxed::Box;
use core::pin::pin;
use core::time::Duration;

use meter_core::{RetryConfig, UnixMillis};

use crate::board::{Board, ConnectError, Network, Server, Time as _};
use crate::context::{Context, Shelf, Task};
use crate::log::Level;
use crate::settings::Output;
use batch::{Batch, Filled};

/// A connection that is not open by then, with its handshake, is given up.
const CONNECT: Duration = Duration::from_secs(30);

/// A server that has not answered by then is given up.
const ANSWER: Duration = Duration::from_secs(30);

/// Between two batches of a backlog.
const PACE: Duration = Duration::from_secs(1);

const RETRY: RetryConfig = RetryConfig {
    first: Duration::from_secs(2),
    max: Duration::from_mins(5),
};

/// Delivers for ever. Other settings count from the next start.
pub async fn run<B: Board, const SECTORS: usize>(
    context: &Context<'_, B>,
    outbox: &Shelf<B, SECTORS>,
    network: &B::Network,
) -> ! {
    let output = context.settings.borrow().output.clone();
    let line = Line {
        context,
        outbox,
        network,
    };
    match output {
        Some(Output::Rest(settings)) => Box::pin(rest::run(&line, &settings)).await,
        Some(Output::Mqtt(settings)) => Box::pin(mqtt::run(&line, &settings)).await,
        None => line.wait_for_settings().await,
    }
}

/// What every output needs.
struct Line<'l, 'b, B: Board, const SECTORS: usize> {
    context: &'l Context<'b, B>,
    outbox: &'l Shelf<B, SECTORS>,
    network: &'l B::Network,
}

impl<'l, B: Board, const SECTORS: usize> Line<'l, '_, B, SECTORS> {
    /// Waits until there is a network and the time is known: without it no certificate can be
    /// verified.
    async fn open(&self, not_before: Duration) -> UnixMillis {
        let context = self.context;
        context.rest_until(Task::Deliver, not_before).await;
        loop {
            if context.is_online()
                && let Some(time) = context.utc()
            {
                return time;
            }
            context.rest(Task::Deliver, &context.to_deliver, None).await;
        }
    }

    async fn connect(
        &self,
        server: &Server<'_>,
        now: UnixMillis,
    ) -> Result<<B::Network as Network>::Connection<'l>, ConnectError> {
        self.context.alive(Task::Deliver);
        let connect = pin!(self.network.connect(server, now));
        let connected = self.context.time.at_most(CONNECT, connect).await;
        self.context.alive(Task::Deliver);
        connected.unwrap_or(Err(ConnectError::Unreachable))
    }

    /// Waits until there are readings.
    async fn fill(&self, batch: &mut Batch) {
        let context = self.context;
        loop {
            context.to_deliver.reset();
            context.alive(Task::Deliver);
            let again = match batch.fill(context, self.outbox).await {
                Filled::Ready => return,
                Filled::Empty => None,
                Filled::Wait => Some(context.now().saturating_add(PACE)),
            };
            context
                .rest(Task::Deliver, &context.to_deliver, again)
                .await;
        }
    }

    /// There is nothing that can be done with these settings.
    async fn give_up(&self, why: &str) -> ! {
        self.context.fault(Level::Error, format_args!("{why}"));
        self.wait_for_settings().await
    }

    /// New settings come with a new start.
    async fn wait_for_settings(&self) -> ! {
        let context = self.context;
        loop {
            context.rest(Task::Deliver, &context.to_deliver, None).await;
        }
    }
}
