//! By HTTPS to a REST interface.

use alloc::format;
use alloc::vec;
use core::pin::pin;

use super::batch::Batch;
use super::progress::{Progress, TOO_LONG};
use super::{ANSWER, Line};
use crate::board::{Board, Network, Security, Server, Time as _};
use crate::context::{Lit, Task};
use crate::rest::{Posted, Target, post};
use crate::settings::Rest;
use crate::verdict::{Fault, Verdict};

/// A request, and the head of its answer.
const BUFFER: usize = 8 * 1024;

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Open,
    Closed,
}

pub(super) async fn run<B: Board, const SECTORS: usize>(
    line: &Line<'_, '_, B, SECTORS>,
    settings: &Rest,
) -> ! {
    let context = line.context;
    let agent = format!("meterline/{}", context.version);
    let Ok(target) = Target::new(settings, &agent) else {
        line.give_up("rest: the URL in the settings cannot be read")
            .await;
    };
    let url = target.url;
    let server = Server {
        host: url.host(),
        port: url.port(),
        security: if url.is_https() {
            Security::of(settings.ca.as_ref())
        } else {
            Security::Plain
        },
    };
    let mut progress = Progress::new("rest", server.host);
    let mut batch = Batch::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        line.fill(&mut batch).await;
        let now = line.open(progress.not_before).await;
        let mut connection = match line.connect(&server, now).await {
            Ok(connection) => connection,
            Err(error) => {
                progress.failed(context, None, format_args!("{error}"));
                continue;
            }
        };
        let mut fresh = true;
        while send(
            line,
            &target,
            &mut connection,
            fresh,
            &mut progress,
            &batch,
            &mut buffer,
        )
        .await
            == Keep::Open
        {
            fresh = false;
            line.fill(&mut batch).await;
            line.open(progress.not_before).await;
        }
    }
}

/// Posts as many readings as go into one request, and does what the answer asks for.
async fn send<B: Board, const SECTORS: usize>(
    line: &Line<'_, '_, B, SECTORS>,
    target: &Target<'_>,
    connection: &mut <B::Network as Network>::Connection<'_>,
    fresh: bool,
    progress: &mut Progress<'_>,
    batch: &Batch,
    buffer: &mut [u8],
) -> Keep {
    let context = line.context;
    let readings = batch.readings(progress.most());
    let event = context.untold.borrow().first();
    let telling = Target {
        event: event.as_deref(),
        ..*target
    };
    // What goes with the event only is not to be judged by it.
    let room = buffer.len();
    let target = if telling.fitting(&readings, room) > 0 {
        &telling
    } else {
        target
    };
    let count = target.fitting(&readings, room);
    let Some(readings) = readings.get(..count).filter(|some| !some.is_empty()) else {
        batch.refused(context, line.outbox, TOO_LONG).await;
        return Keep::Open;
    };
    progress.begin(context, count);
    context.light(Lit::Sending, true);
    let post = pin!(post(connection, context.time, target, readings, buffer));
    let posted = context.time.at_most(ANSWER, post).await;
    context.light(Lit::Sending, false);
    context.alive(Task::Deliver);
    match posted {
        Some(Ok(Posted { verdict, reusable })) => {
            if target.event.is_some() && !matches!(verdict, Verdict::Later { .. }) {
                context.untold.borrow_mut().told();
                // A server may dislike the header: the readings are tried without it.
                if verdict != Verdict::Delivered {
                    return if reusable { Keep::Open } else { Keep::Closed };
                }
            }
            progress.settle(line, batch, count, verdict).await;
            if reusable { Keep::Open } else { Keep::Closed }
        }
        // The server had closed it before: no fault of anybody's.
        Some(Err(Fault::Closed)) if !fresh => {
            progress.unsure(count);
            Keep::Closed
        }
        Some(Err(fault)) => {
            progress.unsure(count);
            progress.failed(context, None, format_args!("{fault}"));
            Keep::Closed
        }
        None => {
            progress.unsure(count);
            progress.failed(context, None, format_args!("the server does not answer"));
            Keep::Closed
        }
    }
}
