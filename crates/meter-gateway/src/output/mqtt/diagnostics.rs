//! How the way of a meter's readings is doing, from its line to the broker.

use meter_core::payload::homeassistant::Statistic;
use tokio::sync::watch;

use crate::output::Status;
use crate::run::Snapshot;

/// What this output and the inputs show of themselves, while readings are sent.
#[derive(Debug)]
pub(super) struct Insight<'a> {
    backlog: u64,
    view: &'a watch::Receiver<Snapshot>,
}

impl<'a> Insight<'a> {
    /// While so many of the readings that wait are on their way.
    pub(super) fn new(
        status: &watch::Receiver<Status>,
        view: &'a watch::Receiver<Snapshot>,
        on_their_way: usize,
    ) -> Self {
        let on_their_way = u64::try_from(on_their_way).unwrap_or(u64::MAX);
        Self {
            backlog: status.borrow().backlog.saturating_sub(on_their_way),
            view,
        }
    }

    /// What concerns the meter with this server id.
    pub(super) fn of(&self, meter: &[u8]) -> Diagnostics {
        let view = self.view.borrow();
        let meter = view.meters.get(meter);
        let input = meter.and_then(|meter| view.inputs.get(meter.input.as_ref()?));
        Diagnostics {
            backlog: self.backlog,
            line: input.and_then(|input| {
                Some(LineDiagnostics {
                    crc_errors: input.counts.crc,
                    quality: input.quality.percent()?,
                })
            }),
        }
    }
}

/// What Home Assistant is told of it.
#[derive(Debug)]
pub(super) struct Diagnostics {
    /// Readings that are still to be sent.
    backlog: u64,
    /// Of the line; nothing before its first frame.
    pub(super) line: Option<LineDiagnostics>,
}

/// How a line is doing.
#[derive(Debug)]
pub(super) struct LineDiagnostics {
    /// Frames whose checksum was wrong since the start.
    crc_errors: u64,
    /// Of the last hundred frames so many were good.
    quality: u32,
}

impl Diagnostics {
    pub(super) fn statistics(&self) -> Vec<Statistic<'static>> {
        let statistic = |key, name, value: u64, unit, counts| Statistic {
            key,
            name,
            value: i64::try_from(value).unwrap_or(i64::MAX),
            unit,
            class: None,
            counts,
        };
        let mut all = vec![statistic(
            "backlog",
            "Readings waiting",
            self.backlog,
            None,
            false,
        )];
        if let Some(line) = &self.line {
            let quality = line.quality.into();
            all.extend([
                statistic("crc_errors", "CRC errors", line.crc_errors, None, true),
                statistic(
                    "signal_quality",
                    "Signal quality",
                    quality,
                    Some("%"),
                    false,
                ),
            ]);
        }
        all
    }
}
