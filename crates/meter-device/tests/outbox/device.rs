//! A device with an outbox, and a book of what it should have.

use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use meter_core::clock::Stamp;
use meter_core::{ServerId, UnixMillis};
use meter_device::outbox::{NextError, Opened, Options, Outbox, PushError, Status, Time};

use crate::flash::{Cut, Flash};

pub const START: i64 = 1_700_000_100_000;

/// Runs a future that never has to wait.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the flash is always ready"),
    }
}

/// A reading as it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub id: u32,
    pub meter: u8,
    /// When it was taken, whether the device knows it or not.
    pub time: i64,
    length: usize,
}

impl Taken {
    /// Begins with the number, so that the test knows it again.
    pub fn body(&self) -> Vec<u8> {
        let mut body = self.id.to_le_bytes().to_vec();
        body.extend((4..self.length).map(|at| self.id.to_le_bytes()[0] ^ at.to_le_bytes()[0]));
        body
    }
}

pub struct Device<const SECTORS: usize> {
    pub flash: Flash,
    pub outbox: Outbox<Flash, SECTORS, 4096>,
    pub options: Options,
    pub opened: Opened,
    /// Since the first start of all.
    pub clock: Duration,
    booted: Duration,
    pub clock_known: bool,
    pub taken: Vec<Taken>,
    pub acked: BTreeSet<u32>,
    /// Readings that a power cut may have cost.
    pub lost: BTreeSet<u32>,
    /// The flash did not take everything, so there may be more in memory than the options say.
    pub refused: bool,
}

impl<const SECTORS: usize> Device<SECTORS> {
    pub fn new(options: Options) -> Self {
        Self::on(Flash::new(SECTORS), options)
    }

    pub fn on(flash: Flash, options: Options) -> Self {
        let (outbox, opened) = now(Outbox::open(flash.clone(), options)).unwrap();
        Self {
            flash,
            outbox,
            options,
            opened,
            clock: Duration::ZERO,
            booted: Duration::ZERO,
            clock_known: true,
            taken: Vec::new(),
            acked: BTreeSet::new(),
            lost: BTreeSet::new(),
            refused: false,
        }
    }

    pub fn uptime(&self) -> Duration {
        self.clock.checked_sub(self.booted).unwrap()
    }

    pub fn wall(&self) -> i64 {
        START + i64::try_from(self.clock.as_millis()).unwrap()
    }

    pub fn push(&mut self, meter: u8, length: usize) -> Result<(), Cut> {
        let taken = Taken {
            id: u32::try_from(self.taken.len()).unwrap() + 1,
            meter,
            time: self.wall(),
            length: length.max(4),
        };
        self.taken.push(taken);
        let stamp = if self.clock_known {
            Stamp::Utc(UnixMillis(taken.time))
        } else {
            Stamp::Provisional(self.uptime())
        };
        let meter = [0x0A, 1, b'T', b'S', b'T', meter];
        let (uptime, body, before) = (self.uptime(), taken.body(), self.status());
        let pushed = now(self.outbox.push(uptime, ServerId(&meter), stamp, &body));
        if pushed.is_err() {
            // Where the flash takes nothing and the memory is used up, the oldest there goes.
            let (counters, then) = (self.status().counters, before.counters);
            let dropped = counters.dropped - then.dropped;
            let first = taken.id - before.in_memory + counters.spilled - then.spilled;
            self.lost.extend(first..first + dropped);
        }
        match pushed {
            Ok(_) => Ok(()),
            Err(PushError::Held { .. }) => Err(Cut),
            Err(PushError::TooLong) => unreachable!("all of them fit"),
        }
    }

    /// Time passes, and what becomes due is done.
    pub fn pass(&mut self, time: Duration) -> Result<(), Cut> {
        let until = self.clock + time;
        while let Some(due) = self.outbox.poll_at().map(|at| at + self.booted)
            && due <= until
        {
            self.clock = self.clock.max(due);
            now(self.outbox.poll(self.uptime()))?;
        }
        self.clock = until;
        Ok(())
    }

    /// What would be delivered next, checked against what was taken.
    pub fn batch(&mut self, limit: usize) -> Result<Vec<(u32, Taken)>, Cut> {
        let mut buffer = [0; 2048];
        let mut batch: Vec<(u32, Taken)> = Vec::new();
        while batch.len() < limit {
            let after = batch.last().map_or(0, |(seq, _)| *seq);
            let next = now(self.outbox.next(after, &mut buffer));
            let Some(record) = next.map_err(|error| match error {
                NextError::Flash(cut) => cut,
                NextError::Buffer(_) => unreachable!("all of them fit"),
            })?
            else {
                break;
            };
            let id = u32::from_le_bytes(*record.body.first_chunk().unwrap());
            let taken = self.taken[usize::try_from(id).unwrap() - 1];
            assert_eq!(record.body, taken.body(), "reading {id} is altered");
            if let Time::Utc(time) = record.time {
                assert_eq!(time, UnixMillis(taken.time), "the time of reading {id}");
            }
            if let Some((seq, before)) = batch.last() {
                assert!(
                    record.seq > *seq && taken.id > before.id,
                    "{id} is not in order"
                );
            }
            batch.push((record.seq, taken));
        }
        Ok(batch)
    }

    /// Delivers and acknowledges up to so many readings.
    pub fn deliver(&mut self, limit: usize) -> Result<Vec<Taken>, Cut> {
        let batch = self.batch(limit)?;
        let Some((last, _)) = batch.last() else {
            return Ok(Vec::new());
        };
        self.acked.extend(batch.iter().map(|(_, taken)| taken.id));
        now(self.outbox.ack(self.uptime(), *last))?;
        Ok(batch.into_iter().map(|(_, taken)| taken).collect())
    }

    pub fn restamp(&mut self) -> Result<(), Cut> {
        self.clock_known = true;
        let began = START + i64::try_from(self.booted.as_millis()).unwrap();
        now(self.outbox.restamp(self.uptime(), UnixMillis(began)))
    }

    pub fn flush(&mut self) -> Result<(), Cut> {
        now(self.outbox.flush(self.uptime()))
    }

    pub fn status(&self) -> Status {
        self.outbox.status()
    }

    /// The power goes and comes again. What had not spilled may be lost: those that came last and
    /// are in memory, and no more than the options allow.
    pub fn restart(&mut self) {
        let in_memory = usize::try_from(self.status().in_memory).unwrap();
        assert!(self.refused || in_memory <= usize::from(self.options.spill_after));
        let late = self.taken.iter().rev().take(in_memory);
        self.lost.extend(late.map(|taken| taken.id));
        self.flash.power();
        self.booted = self.clock;
        let (outbox, opened) = now(Outbox::open(self.flash.clone(), self.options)).unwrap();
        (self.outbox, self.opened) = (outbox, opened);
    }

    /// Everything that may not be missing is delivered now or was before.
    ///
    /// Missing may be what a power cut cost, what another reading of the same meter and quarter-hour
    /// stands for, and what was dropped: older than all that is left.
    pub fn check(&mut self) {
        let left: Vec<Taken> = self
            .batch(usize::MAX)
            .unwrap()
            .into_iter()
            .map(|(_, taken)| taken)
            .collect();
        let status = self.status();
        assert_eq!(
            usize::try_from(status.in_memory + status.in_flash).unwrap(),
            left.len(),
            "{status:?}"
        );
        let thinning = status.counters.thinned > 0 || self.flash.has_thinned();
        let there: BTreeSet<u32> = left.iter().map(|taken| taken.id).collect();
        let safe = |id: u32| there.contains(&id) || self.acked.contains(&id);
        let first = left.first().map_or(u32::MAX, |first| first.id);
        let dropped = |id: u32| status.counters.dropped > 0 && id < first;
        for missing in self.taken.iter().filter(|taken| !safe(taken.id)) {
            let lost = self.lost.contains(&missing.id);
            let stands_for = |other: &Taken| {
                other.meter == missing.meter
                    && (missing.time - other.time).abs() < 900_000
                    && (safe(other.id) || dropped(other.id))
            };
            let thinned = thinning && self.taken.iter().any(stands_for);
            let dropped = dropped(missing.id);
            assert!(
                lost || thinned || dropped,
                "{missing:?} is missing, {status:?}"
            );
        }
    }
}
