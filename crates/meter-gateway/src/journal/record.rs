//! What goes into the journal and what comes out of it.

use std::sync::Arc;

use meter_core::UnixMillis;

/// One reading as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the log. Grows by at least one from reading to reading and is never used twice.
    pub seq: u64,
    /// The octets of the meter's server id.
    pub meter: Box<[u8]>,
    /// When the reading was taken, by the host's clock.
    pub time: UnixMillis,
    /// The meter's own bytes: a `GetList.Res` body. The journal never looks inside.
    pub body: Vec<u8>,
}

/// The readings of one meter in a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The octets of the meter's server id.
    pub meter: Box<[u8]>,
    /// From this time on.
    pub from: UnixMillis,
    /// Before this time.
    pub to: UnixMillis,
}

/// Some of the readings of a [`Span`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The readings, in the order in which they were stored.
    pub records: Vec<Record>,
    /// The place behind which there are more, if there are.
    pub next: Option<u64>,
}

/// When a reading was taken, as long as the wall clock cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Which run of the host's kernel: the content of `/proc/sys/kernel/random/boot_id`.
    pub boot: Arc<str>,
    /// The monotonic clock of that boot, in milliseconds.
    pub monotonic_ms: u64,
}

/// Where an output that the journal has never heard of begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the next reading that is appended.
    Now,
    /// With the oldest reading that the journal still has.
    Beginning,
}

/// What an output has yet to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Readings that this output has not acknowledged.
    pub readings: u64,
    /// The time stamp of the oldest of them.
    pub oldest: Option<UnixMillis>,
}

/// A reading that a backend refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The output whose backend refused it.
    pub output: String,
    /// The reading.
    pub record: Record,
    /// When it was refused, by the host's clock.
    pub at: UnixMillis,
    /// Why, in the output's words.
    pub reason: String,
    /// What the server said.
    pub answer: String,
}

/// A reading that the plausibility guard kept out of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Its number among the suspects.
    pub id: u64,
    /// The octets of the meter's server id.
    pub meter: Box<[u8]>,
    /// When it was taken.
    pub time: UnixMillis,
    /// What the guard has against it.
    pub reason: String,
    /// The meter's own bytes.
    pub body: Vec<u8>,
}

/// Readings that the journal had to give up, counted over its whole life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Undelivered, and given up so that one of each quarter-hour and meter could stay.
    pub thinned: u64,
    /// Undelivered, and given up although they were the only ones of their quarter-hour.
    pub dropped: u64,
    /// Never on disk: the disk took nothing and the memory set aside for this was used up.
    pub from_memory: u64,
    /// Kept apart by the guard, and given up before anybody accepted or discarded them.
    pub suspects: u64,
    /// Found altered on the disk and therefore not delivered; once for each output.
    pub altered: u64,
}

/// How the journal is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Sequence number of the newest reading; 0 before the first.
    pub last_seq: u64,
    /// Everything up to this sequence number survives a power cut.
    pub durable_seq: u64,
    /// Bytes in use in the database file; free pages inside it do not count.
    pub bytes: u64,
    /// Rows that are in memory only, because the disk does not take them.
    pub in_memory: u64,
    /// Why the disk does not take them.
    pub trouble: Option<String>,
    /// Readings set aside because a backend refused them.
    pub rejected: u64,
    /// Readings kept out by the plausibility guard.
    pub suspects: u64,
    /// Readings that wait for a time stamp.
    pub provisional: u64,
    /// What was given up so far.
    pub losses: Losses,
}
