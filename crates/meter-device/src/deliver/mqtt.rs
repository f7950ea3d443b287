//! By MQTT to a broker.

use alloc::rc::Rc;
use alloc::vec;
use core::pin::pin;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use meter_core::payload::homeassistant::{Origin, Statistic};
use meter_core::{Reading, Stamped};

use super::batch::Batch;
use super::progress::{Progress, TOO_LONG};
use super::{ANSWER, Line};
use crate::board::{Board, Network, Security, Server, Time as _};
use crate::context::{Context, Lit, Task};
use crate::log::Level;
use crate::mqtt::{Discovery, OpenError, Room, Session, Target, Woken};
use crate::settings::Mqtt;
use crate::verdict::{Fault, Verdict};

/// A message. The announcement of a meter that sends three dozen registers takes eight kilobytes.
const BUFFER: usize = 10 * 1024;

/// While nothing happens, the watchdog wants to hear so often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

/// Where Home Assistant's users find the device described.
const URL: &str = "https://example.org/meterline";

/// An open session of a board.
type Open<'s, 'n, B> =
    Session<'s, <<B as Board>::Network as Network>::Connection<'n>, <B as Board>::Time>;

pub(super) async fn run<B: Board, const SECTORS: usize>(
    line: &Line<'_, '_, B, SECTORS>,
    settings: &Mqtt,
) -> ! {
    let context = line.context;
    let (name, interval) = {
        let settings = context.settings.borrow();
        (settings.name.clone(), settings.interval)
    };
    let discovery = Discovery {
        origin: Origin {
            name: "meterline",
            version: context.version,
            url: URL,
        },
        expire_after: expiry(interval.span()),
    };
    let target = Target::new(settings, &name, discovery);
    let server = Server {
        host: &settings.host,
        port: settings.port,
        security: if settings.allow_insecure {
            Security::Plain
        } else {
            Security::of(settings.ca.as_ref())
        },
    };
    let mut progress = Progress::new("mqtt", server.host);
    let mut batch = Batch::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let now = line.open(progress.not_before).await;
        let connection = match line.connect(&server, now).await {
            Ok(connection) => connection,
            Err(error) => {
                progress.failed(context, None, format_args!("{error}"));
                continue;
            }
        };
        let mut room = Room;
        let open = pin!(Session::open(&mut room, connection, context.time, &target));
        let opened = context.time.at_most(ANSWER, open).await;
        context.alive(Task::Deliver);
        let mut session = match opened {
            Some(Ok(session)) => session,
            Some(Err(OpenError::Refused(verdict))) => {
                progress.turned_away(context, verdict);
                continue;
            }
            Some(Err(OpenError::Fault(fault))) => {
                progress.failed(context, None, format_args!("{fault}"));
                continue;
            }
            None => {
                progress.failed(context, None, format_args!("the broker does not answer"));
                continue;
            }
        };
        context.say(
            Level::Info,
            format_args!("mqtt: {}: connected", server.host),
        );
        let why = serve(
            line,
            &target,
            &mut session,
            &mut progress,
            &mut batch,
            &mut buffer,
        )
        .await;
        progress.failed(context, None, format_args!("{why}"));
    }
}

/// A state that is older than three intervals is none.
fn expiry(interval: Option<Duration>) -> u32 {
    let interval = interval.unwrap_or_default().as_secs().max(10);
    u32::try_from(3 * interval).unwrap_or(u32::MAX)
}

/// Publishes until the connection is of no more use, and says why.
async fn serve<B: Board, const SECTORS: usize>(
    line: &Line<'_, '_, B, SECTORS>,
    target: &Target<'_>,
    session: &mut Open<'_, '_, B>,
    progress: &mut Progress<'_>,
    batch: &mut Batch,
    buffer: &mut [u8],
) -> Fault {
    let context = line.context;
    loop {
        context.alive(Task::Deliver);
        let random = context.random();
        let now = context.now();
        let until = now.saturating_add(SIGN_OF_LIFE);
        let woken = if progress.not_before > now {
            let until = until.min(progress.not_before);
            session.idle(until, random).await
        } else {
            let filled = {
                let fill = pin!(line.fill(batch));
                let idle = pin!(session.idle(until, random));
                select(fill, idle).await
            };
            match filled {
                Either::Second(woken) => woken,
                Either::First(()) => {
                    context.light(Lit::Sending, true);
                    let sent = publish(line, target, session, progress, batch, buffer).await;
                    context.light(Lit::Sending, false);
                    match sent {
                        Ok(()) => continue,
                        Err(fault) => return fault,
                    }
                }
            }
        };
        match woken {
            Ok(Woken::Time) => {}
            Ok(Woken::Birth) => {
                if let Err(fault) = show(context, session, buffer).await {
                    return fault;
                }
            }
            Err(fault) => return fault,
        }
    }
}

async fn publish<B: Board, const SECTORS: usize>(
    line: &Line<'_, '_, B, SECTORS>,
    target: &Target<'_>,
    session: &mut Open<'_, '_, B>,
    progress: &mut Progress<'_>,
    batch: &Batch,
    buffer: &mut [u8],
) -> Result<(), Fault> {
    let context = line.context;
    let readings = batch.readings(progress.most());
    let count = target.fitting(&readings, buffer.len());
    let Some(readings) = readings.get(..count).filter(|some| !some.is_empty()) else {
        batch.refused(context, line.outbox, TOO_LONG).await;
        return Ok(());
    };
    progress.begin(context, count);
    let published = {
        let publish = pin!(session.publish(readings, buffer));
        context.time.at_most(ANSWER, publish).await
    };
    context.alive(Task::Deliver);
    match published.unwrap_or(Err(Fault::Closed)) {
        Ok(verdict) => progress.settle(line, batch, count, verdict).await,
        Err(fault) => {
            progress.unsure(count);
            return Err(fault);
        }
    }
    tell(context, session).await?;
    // A backlog has no state of now.
    if context.backlog.get() > 0 {
        return Ok(());
    }
    show(context, session, buffer).await
}

/// Tells the broker of the oldest grave event that it has not heard of.
async fn tell<B: Board>(
    context: &Context<'_, B>,
    session: &mut Open<'_, '_, B>,
) -> Result<(), Fault> {
    let Some(event) = context.untold.borrow().first() else {
        return Ok(());
    };
    let tell = pin!(session.tell(&event));
    let told = context.time.at_most(ANSWER, tell).await;
    context.alive(Task::Deliver);
    // A broker that does not want it need not have it: it is in the ring.
    told.unwrap_or(Err(Fault::Closed))?;
    context.untold.borrow_mut().told();
    Ok(())
}

/// Shows the newest reading to Home Assistant.
async fn show<B: Board>(
    context: &Context<'_, B>,
    session: &mut Open<'_, '_, B>,
    buffer: &mut [u8],
) -> Result<(), Fault> {
    let (body, at) = {
        let latest = context.latest.borrow();
        (Rc::clone(&latest.body), latest.at)
    };
    let (Ok(reading), Some(now)) = (Reading::from_bytes(&body), context.utc()) else {
        return Ok(());
    };
    let time = now.saturating_sub(context.now().saturating_sub(at));
    let newest = Stamped { time, reading };
    let statistics = statistics(context);
    let show = pin!(session.show(&newest, &statistics, buffer));
    let shown = context.time.at_most(ANSWER, show).await;
    context.alive(Task::Deliver);
    match shown.unwrap_or(Err(Fault::Closed))? {
        Verdict::Delivered => {}
        Verdict::Later { status, .. } | Verdict::Check { status } | Verdict::Refused { status } => {
            context.fault(
                Level::Warn,
                format_args!("mqtt: the broker does not take the announcement ({status})"),
            );
        }
    }
    Ok(())
}

/// How the device is, for Home Assistant.
fn statistics<B: Board>(context: &Context<'_, B>) -> [Statistic<'static>; 4] {
    let head = context.head.get();
    let counter = |key, name, value: u32| Statistic {
        key,
        name,
        value: value.into(),
        unit: None,
        class: None,
        counts: true,
    };
    [
        counter("crc_errors", "CRC errors", head.crc_errors),
        Statistic {
            counts: false,
            ..counter("backlog", "Readings that wait", context.backlog.get())
        },
        Statistic {
            value: context.link.borrow().signal_dbm.unwrap_or_default().into(),
            unit: Some("dBm"),
            class: Some("signal_strength"),
            counts: false,
            ..counter("signal", "Wi-Fi signal", 0)
        },
        Statistic {
            counts: false,
            ..counter(
                "pin_missing",
                "PIN missing",
                context.latest.borrow().pin_missing.into(),
            )
        },
    ]
}
