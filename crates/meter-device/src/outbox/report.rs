//! What goes in, what comes out, and how the outbox is.

use core::fmt;
use core::time::Duration;

use embedded_storage_async::nor_flash::ErrorType;
use meter_core::UnixMillis;

/// When readings leave RAM for flash, and when acknowledgements do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// This many readings in RAM are spilled. A power cut costs no more than these.
    pub spill_after: u16,
    /// A reading that is in RAM for so long is spilled, with all that came after it.
    pub spill_within: Duration,
    /// This many acknowledgements of spilled readings are recorded. A power cut has no more than
    /// these delivered twice.
    pub record_after: u16,
    /// An acknowledgement of a spilled reading is recorded after so long.
    pub record_within: Duration,
}

impl Default for Options {
    /// 16 readings or a minute, and 64 acknowledgements or a minute.
    fn default() -> Self {
        Self {
            spill_after: 16,
            spill_within: Duration::from_mins(1),
            record_after: 64,
            record_within: Duration::from_mins(1),
        }
    }
}

/// A reading that waits for delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the outbox. Grows by at least one from reading to reading.
    pub seq: u32,
    /// When it was taken.
    pub time: Time,
    /// The meter's own bytes: a `GetList.Res` body. The outbox never looks inside.
    pub body: &'a [u8],
}

/// When a reading was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// The wall clock was known, or became known while the device ran.
    Utc(UnixMillis),
    /// The wall clock was not known yet. Of an earlier boot it never will be: the meter's own seconds
    /// index can tell then.
    Provisional(Moment),
}

/// When a reading was taken, as long as the wall clock is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Which run of the device; see [`Outbox::boot`](super::Outbox::boot).
    pub boot: u32,
    /// The monotonic clock of that boot, in milliseconds.
    pub monotonic_ms: u64,
}

/// What happened to readings, counted over the life of the store.
///
/// The numbers are written with the next mark: a power cut may take back what was counted since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Written to flash, because they were not delivered in time.
    pub spilled: u32,
    /// Given up so that one of each quarter-hour and meter could stay.
    pub thinned: u32,
    /// Given up although they were the only ones of their quarter-hour.
    pub dropped: u32,
    /// Stretches of flash that could not be read: readings that were altered, and what a power cut
    /// left of a write.
    pub corrupt: u32,
}

/// How the outbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Readings in RAM, which a power cut would cost.
    pub in_memory: u32,
    /// Readings in flash that are not acknowledged.
    pub in_flash: u32,
    /// How often the sector was erased that was erased most.
    pub erases: u32,
    /// What happened to readings so far.
    pub counters: Counters,
}

/// What was found when the outbox was opened. All but [`Opened::Resumed`] belongs into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The flash was blank.
    New,
    /// It goes on where it was.
    Resumed,
    /// It was an outbox and nothing in it can be read. It begins anew.
    Damaged,
}

/// Why the outbox was not opened. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError<E> {
    /// The flash could not be read.
    Flash(E),
    /// The flash has fewer sectors than the outbox was made for.
    TooSmall,
    /// The outbox was written by another version of the firmware, with this version of the layout.
    /// Deliver it with that firmware first, or erase the flash.
    Version(u16),
    /// Something else is in the flash. Erase it if nobody needs it.
    Foreign,
}

/// The flash of an outbox that was not opened, as it was.
#[derive(Clone, Copy, Debug)]
pub struct Unopened<F: ErrorType> {
    /// The flash.
    pub flash: F,
    /// Why it was not opened.
    pub error: OpenError<F::Error>,
}

/// Why a reading is not safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError<E> {
    /// No sector or not the RAM has room for a body of this length: it was not taken.
    TooLong,
    /// It was taken and is in RAM only, because the flash did not take what had to be spilled.
    Held {
        /// Its sequence number.
        seq: u32,
        /// What the flash said.
        error: E,
    },
}

/// Why there is no next reading to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextError<E> {
    /// The flash could not be read.
    Flash(E),
    /// The buffer must have this many bytes.
    Buffer(usize),
}

impl<E: fmt::Debug> fmt::Display for OpenError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the flash cannot be read: {error:?}"),
            Self::TooSmall => {
                f.write_str("the flash is too small for the outbox: check the partition table")
            }
            Self::Version(version) => write!(
                f,
                "the outbox has layout {version}, which this firmware does not know: let the firmware that wrote it deliver it, or erase the store"
            ),
            Self::Foreign => f.write_str(
                "the store holds something that is no outbox: erase it if nobody needs it",
            ),
        }
    }
}

impl<E: fmt::Debug> fmt::Display for PushError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the reading is too long for the outbox"),
            Self::Held { seq, error } => {
                write!(
                    f,
                    "reading {seq} is in memory only, the flash does not take it: {error:?}"
                )
            }
        }
    }
}

impl<E: fmt::Debug> fmt::Display for NextError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the flash cannot be read: {error:?}"),
            Self::Buffer(bytes) => write!(f, "the reading needs a buffer of {bytes} bytes"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for OpenError<E> {}
impl<E: fmt::Debug> core::error::Error for PushError<E> {}
impl<E: fmt::Debug> core::error::Error for NextError<E> {}
