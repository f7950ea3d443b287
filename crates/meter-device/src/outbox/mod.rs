//! Readings that wait for delivery: in RAM, and in NOR flash when the backend is away.
//!
//! It is for a device what the journal is for the host. A reading is pushed, given out oldest first,
//! and removed when it is acknowledged, not before. What the backend takes in time never touches the
//! flash.
//!
//! # What a power cut costs
//!
//! At most the readings that had not spilled: fewer than [`Options::spill_after`], none older than
//! [`Options::spill_within`], or that many while they are being written. By default 16 readings or
//! one minute. All that was spilled and is not acknowledged is there again after a restart. Of what was
//! acknowledged, about [`Options::record_after`] readings or those of [`Options::record_within`] are
//! given out again: twice, never missing. This holds at any moment, in the middle of a write or an erase.
//!
//! # When the flash is full
//!
//! The oldest readings are thinned to one of each quarter-hour and meter, a sector at a time. Only when
//! there is nothing left to thin, the oldest of these are dropped. The sector that is written to stays,
//! so the newest reading is never dropped. [`Counters`] say what happened.
//!
//! While the flash refuses to be written, readings stay in RAM as long as there is room, and then the
//! oldest there are dropped.
//!
//! # How it lies in flash
//!
//! Two logs share the sectors of 4 KiB: fresh readings, and thinned ones, which are older than all
//! fresh ones. The order of sectors is in their headers and not in their addresses, so thinning moves
//! nothing but the few readings that stay. Each word is written once after an erase. Whatever was
//! written counts only if its CRC-32 is right, and is passed over and counted otherwise; what follows
//! it is found again. `layout.rs` has the byte tables.
//!
//! A queue from a crate does not do: that of `sequential-storage` pops by writing a word a second
//! time, which this flash need not allow, wears the flash with each pop, knows no acknowledgement apart
//! from it, and can only forget its oldest page when it is full.
//!
//! # How long the flash lives
//!
//! A reading takes 32 bytes and its body, a sector has room for 4000 bytes of them, and each sector
//! endures 100 000 erases. An erase makes room for a sector full of readings, and sectors take turns by
//! how often they were erased. So a store of 384 KiB (96 sectors) takes 96 · 100 000 · `n` readings,
//! with `n` readings of a sector. The worst is a backend that never answers:
//!
//! | body | `n` | readings in full | a reading each second | each 10 s | quarter-hours kept |
//! |---|---|---|---|---|---|
//! | 150 bytes | 21 | 1953 | 6.4 years | 64 years | 20 days |
//! | 300 bytes | 12 | 1116 | 3.7 years | 37 years | 11 days |
//! | 400 bytes | 9 | 837 | 2.7 years | 27 years | 8.7 days |
//! | 600 bytes | 6 | 558 | 1.8 years | 18 years | 5.8 days |
//!
//! Thinning adds little: at ten seconds, one of 90 readings is written a second time. Sectors that hold
//! thinned readings rest while the others take turns, until they are dropped, so in an outage of weeks
//! some are ahead of others: by less than 350 erases at ten seconds, and by some 3000, 3 % of a life,
//! at one second. With a backend that is only late they differ by one, and with one that answers in
//! time nothing is written at all. `tests/outbox/wear.rs` holds the numbers against the code.

mod layout;
mod mount;
mod report;
mod room;
mod scan;
mod store;
mod waiting;

use core::time::Duration;

use embedded_storage_async::nor_flash::NorFlash;
use meter_core::clock::Stamp;
use meter_core::{ServerId, UnixMillis};

use crate::checksum;
use layout::{HEADER, Header, Kind, LONGEST, SECTOR, padded};
pub use report::{
    Counters, Moment, NextError, OpenError, Opened, Options, PushError, Record, Status, Time,
    Unopened,
};
use store::Store;
use waiting::Waiting;

/// After a write that the flash refused, it is left alone for so long; twice as long after the next one,
/// and so on.
const HOLD: Duration = Duration::from_secs(10);

/// So often that is doubled: 80 seconds.
const DOUBLINGS: u32 = 3;

/// Readings that wait for delivery. See the [module](self).
///
/// It uses the first `SECTORS` sectors of 4 KiB of the flash, at least 6, and keeps some 50 bytes
/// about each on the heap, and `RAM` bytes more: all of it is taken when it is opened. `RAM` is the room for readings that have not spilled: 40 bytes and the body for each, so
/// it should hold [`Options::spill_after`] of them.
///
/// A future that is dropped before its end costs nothing but a few bytes of flash.
#[derive(Debug)]
pub struct Outbox<F, const SECTORS: usize, const RAM: usize> {
    store: Store<F, SECTORS>,
    waiting: Waiting<RAM>,
    options: Options,
    boot: u32,
    last_seq: u32,
    /// There may be readings in flash that wait for the time of this boot.
    undated: bool,
    /// Acknowledgements that are not in flash.
    unrecorded: u32,
    unrecorded_since: Option<Duration>,
    hold: Duration,
    /// Writes that the flash refused since the last that it took.
    refusals: u32,
}

impl<F: NorFlash, const SECTORS: usize, const RAM: usize> Outbox<F, SECTORS, RAM> {
    /// Finds out what is in the flash, which takes a look at all of it. Writes nothing.
    pub async fn open(flash: F, options: Options) -> Result<(Self, Opened), Unopened<F>> {
        const {
            assert!(SECTORS >= 6, "too few sectors");
            assert!(
                SECTOR.is_multiple_of(F::ERASE_SIZE),
                "erases more than 4 KiB"
            );
            assert!(
                4_usize.is_multiple_of(F::WRITE_SIZE),
                "writes more than a word"
            );
            assert!(
                4_usize.is_multiple_of(F::READ_SIZE),
                "reads more than a word"
            );
        }
        let (store, newest, opened) = Store::mount(flash).await?;
        let outbox = Self {
            store,
            waiting: Waiting::new(),
            options,
            boot: newest.boot.wrapping_add(1).max(1),
            last_seq: newest.seq,
            undated: false,
            unrecorded: 0,
            unrecorded_since: None,
            hold: Duration::ZERO,
            refusals: 0,
        };
        Ok((outbox, opened))
    }

    /// The number of this boot, for provisional times. No reading of an earlier boot that is still here
    /// has it.
    #[must_use]
    pub const fn boot(&self) -> u32 {
        self.boot
    }

    /// Takes a reading in: the meter's `GetList.Res` body as [`Reading::emit`] wrote it. Returns its
    /// sequence number. Spills when that is due.
    ///
    /// [`Reading::emit`]: meter_core::Reading::emit
    pub async fn push(
        &mut self,
        now: Duration,
        meter: ServerId<'_>,
        stamp: Stamp,
        body: &[u8],
    ) -> Result<u32, PushError<F::Error>> {
        let longest = LONGEST.min(Waiting::<RAM>::longest());
        let length = match u16::try_from(body.len()) {
            Ok(length) if body.len() <= longest => length,
            _ => return Err(PushError::TooLong),
        };
        let (boot, time) = match stamp {
            Stamp::Utc(time) => (0, time.0),
            Stamp::Provisional(at) => {
                (self.boot, i64::try_from(at.as_millis()).unwrap_or(i64::MAX))
            }
        };
        self.last_seq = self.last_seq.saturating_add(1);
        let header = Header {
            kind: Kind::Reading,
            length,
            seq: self.last_seq,
            time,
            boot,
            meter: checksum::of(meter.as_bytes()),
            body: checksum::of(body),
        };
        let mut spilled = Ok(());
        while !self.waiting.push(now, &header, body) {
            spilled = self.spill(now).await;
            if spilled.is_err() {
                // The flash does not help, and the newest is worth most.
                self.waiting.pop();
                self.store.mark.counters.dropped += 1;
            }
        }
        if self.waiting.count() >= self.options.spill_after && now >= self.hold {
            spilled = self.spill(now).await;
        }
        match spilled {
            Ok(()) => Ok(header.seq),
            Err(error) => Err(PushError::Held {
                seq: header.seq,
                error,
            }),
        }
    }

    /// When [`poll`](Self::poll) has something to do; `None` if never, as it is now.
    #[must_use]
    pub fn poll_at(&self) -> Option<Duration> {
        let spill = self.spill_at();
        let record = self.record_at();
        let clock = self.unwritten_clock().map(|_| Duration::ZERO);
        let due = [spill, record, clock].into_iter().flatten().min()?;
        Some(due.max(self.hold))
    }

    /// Spills what is in RAM for too long, records acknowledgements, and writes the time of this boot if
    /// the flash refused it.
    pub async fn poll(&mut self, now: Duration) -> Result<(), F::Error> {
        if now < self.hold {
            return Ok(());
        }
        if self.spill_at().is_some_and(|at| at <= now) {
            self.spill(now).await?;
        }
        if self.record_at().is_some_and(|at| at <= now) {
            self.record(now).await?;
        }
        self.write_clock(now).await
    }

    /// Writes all that is in RAM only, readings, acknowledgements and the time of this boot, as before a
    /// planned restart.
    pub async fn flush(&mut self, now: Duration) -> Result<(), F::Error> {
        self.spill(now).await?;
        if self.unrecorded > 0 {
            self.record(now).await?;
        }
        self.write_clock(now).await
    }

    /// The oldest reading behind `after` that is not acknowledged; 0 begins with the oldest of all.
    /// The buffer must have room for the body, rounded up to a multiple of four bytes.
    ///
    /// A batch is made by asking for the reading behind the one before, and acknowledged by its last.
    pub async fn next<'b>(
        &mut self,
        after: u32,
        buffer: &'b mut [u8],
    ) -> Result<Option<Record<'b>>, NextError<F::Error>> {
        let after = after.max(self.store.mark.done);
        while let Some(found) = self
            .store
            .next_after(after)
            .await
            .map_err(NextError::Flash)?
        {
            let header = found.header;
            let room = take(buffer, header.length)?;
            self.store
                .read(found.sector, found.at + HEADER, room)
                .await
                .map_err(NextError::Flash)?;
            let length = usize::from(header.length);
            let sound = room
                .get(..length)
                .is_some_and(|body| checksum::of(body) == header.body);
            if sound {
                self.store.advance(&found, header.seq);
                let header = self.store.clocks.dated(header);
                return Ok(Some(record(&header, buffer)));
            }
            // A copy that was cut short may be followed by its original.
            self.store.advance(&found, after);
            // Counts it, if it was altered since the start.
            self.store
                .inspect(found.sector)
                .await
                .map_err(NextError::Flash)?;
        }
        let Some(entry) = self.waiting.after(after) else {
            return Ok(None);
        };
        take(buffer, entry.header.length)?.copy_from_slice(entry.body);
        let header = self.store.clocks.dated(entry.header);
        Ok(Some(record(&header, buffer)))
    }

    /// Everything up to and including `through` is delivered. Counts at once, also when the flash
    /// fails; it is recorded there a little later.
    pub async fn ack(&mut self, now: Duration, through: u32) -> Result<(), F::Error> {
        let through = through.min(self.last_seq);
        self.waiting.remove_through(through);
        let acked = self.store.ack(through).await?;
        if acked > 0 {
            self.unrecorded += acked;
            self.unrecorded_since.get_or_insert(now);
        }
        if self.unrecorded >= self.options.record_after.into() && now >= self.hold {
            self.record(now).await?;
        }
        Ok(())
    }

    /// The time at which this boot began became known: the wall clock less the monotonic one. Readings
    /// with provisional times get theirs, also those in flash. What the flash refuses is tried again by
    /// [`poll`](Self::poll).
    pub async fn restamp(&mut self, now: Duration, began: UnixMillis) -> Result<(), F::Error> {
        self.store.clocks.note(self.boot, began);
        self.write_clock(now).await
    }

    /// How the outbox is.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut counters = self.store.mark.counters;
        let sectors = &self.store.sectors;
        counters.corrupt += sectors.iter().map(|sector| sector.damaged).sum::<u32>();
        Status {
            in_memory: self.waiting.count().into(),
            in_flash: self.store.waiting(),
            erases: sectors
                .iter()
                .map(|sector| sector.erases)
                .max()
                .unwrap_or(0),
            counters,
        }
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.store.flash
    }

    fn spill_at(&self) -> Option<Duration> {
        let oldest = self.waiting.front()?;
        Some(oldest.arrival.saturating_add(self.options.spill_within))
    }

    fn record_at(&self) -> Option<Duration> {
        let since = self.unrecorded_since?;
        Some(since.saturating_add(self.options.record_within))
    }

    /// Moves what is in RAM into flash.
    async fn spill(&mut self, now: Duration) -> Result<(), F::Error> {
        while let Some(entry) = self.waiting.front() {
            let header = self.store.clocks.dated(entry.header);
            let written = self.store.append(&header, entry.body).await;
            self.held(now, written)?;
            self.undated |= header.boot != 0;
            self.waiting.pop();
        }
        Ok(())
    }

    async fn record(&mut self, now: Duration) -> Result<(), F::Error> {
        let written = self.store.record().await;
        self.held(now, written)?;
        self.unrecorded = 0;
        self.unrecorded_since = None;
        Ok(())
    }

    /// When this boot began, if readings in flash wait for it.
    fn unwritten_clock(&self) -> Option<UnixMillis> {
        let began = self.store.clocks.began(self.boot);
        began.filter(|_| self.undated)
    }

    async fn write_clock(&mut self, now: Duration) -> Result<(), F::Error> {
        if let Some(began) = self.unwritten_clock() {
            let clock = Header::clock(self.boot, began.0);
            let written = self.store.append(&clock, &[]).await;
            self.held(now, written)?;
            self.undated = false;
        }
        Ok(())
    }

    /// Leaves the flash alone for a while after an error.
    fn held<T>(&mut self, now: Duration, outcome: Result<T, F::Error>) -> Result<T, F::Error> {
        if outcome.is_ok() {
            self.refusals = 0;
        } else {
            let longer = 1 << self.refusals.min(DOUBLINGS);
            self.hold = now.saturating_add(HOLD * longer);
            self.refusals = self.refusals.saturating_add(1);
        }
        outcome
    }
}

/// The part of a buffer for a body.
fn take<E>(buffer: &mut [u8], length: u16) -> Result<&mut [u8], NextError<E>> {
    let needed = padded(length.into());
    buffer.get_mut(..needed).ok_or(NextError::Buffer(needed))
}

fn record<'b>(header: &Header, buffer: &'b [u8]) -> Record<'b> {
    let time = match header.boot {
        0 => Time::Utc(UnixMillis(header.time)),
        boot => Time::Provisional(Moment {
            boot,
            monotonic_ms: header.time.unsigned_abs(),
        }),
    };
    Record {
        seq: header.seq,
        time,
        body: buffer.get(..header.length.into()).unwrap_or_default(),
    }
}
