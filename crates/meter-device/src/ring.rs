//! The last crashes and errors, in flash: who comes after a crash finds its cause here.
//!
//! A ring in flash by `sequential-storage`: each entry is a line of JSON with the time, the cause and
//! what the memory was like then, as the console's `log` tells it. When it is full, the oldest sector of
//! entries is forgotten. Four sectors hold some 70 entries.
//!
//! ```text
//! {"kind":"ERROR","boot":3,"uptime_s":5,"time_ms":1790000005000,"text":"…","heap_peak":41200,
//!  "stack_peak":9100,"backlog":0}
//! {"kind":"REFUSED","status":400,"time_ms":1790000000000,"reading":"7677…"}
//! ```
//!
//! A refused reading is the body of the meter's own message in hexadecimal.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use meter_core::UnixMillis;
use meter_core::payload::{Hex, JsonString};
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};

use crate::LONGEST_BODY;
use crate::board::Memory;
use crate::log::Event;

/// An entry is never longer.
pub const LONGEST_ENTRY: usize = 2 * LONGEST_BODY + 128;

/// What the device was like at an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Which run of the device.
    pub boot: u32,
    /// The wall clock, if it was known.
    pub time: Option<UnixMillis>,
    /// How much memory was in use.
    pub memory: Memory,
    /// Readings that waited.
    pub backlog: u32,
}

/// The flash is looked through each time: it is written seldom.
type Forgetful = Cache<Uncached, Uncached, Uncached, ()>;

/// The ring.
pub struct Ring<F: NorFlash> {
    queue: QueueStorage<F, Forgetful>,
    kept: u32,
    refused: u32,
}

impl<F: NorFlash> Ring<F> {
    /// A ring over all of this flash: two sectors at least. `None` if it has fewer.
    pub fn new(flash: F) -> Option<Self> {
        let end = u32::try_from(flash.capacity()).ok()?;
        let config = QueueConfig::try_new(Range { start: 0, end }).ok()?;
        Some(Self {
            queue: QueueStorage::new(flash, config, Cache::new_uncached()),
            kept: 0,
            refused: 0,
        })
    }

    /// Keeps a reading that a server refused for good, as the meter's own bytes in hexadecimal.
    pub async fn keep_refused(&mut self, time: UnixMillis, status: u16, body: &[u8]) {
        let entry = format!(
            r#"{{"kind":"REFUSED","status":{status},"time_ms":{},"reading":"{}"}}"#,
            time.0,
            Hex(body)
        );
        self.keep(&entry).await;
    }

    /// Keeps an event, as [`entry`] writes it.
    pub async fn keep(&mut self, entry: &str) {
        let mut pushed = self.queue.push(entry.as_bytes(), true).await;
        if matches!(pushed, Err(sequential_storage::Error::Corrupted { .. })) {
            // Something else lay in the flash, or it rotted beyond what can be read over.
            if self.queue.erase_all().await.is_ok() {
                pushed = self.queue.push(entry.as_bytes(), true).await;
            }
        }
        match pushed {
            Ok(()) => self.kept = self.kept.saturating_add(1),
            Err(_) => self.refused = self.refused.saturating_add(1),
        }
    }

    /// Calls `each` with every entry, oldest first, one line of JSON each, until it says that it has
    /// enough by `false`.
    pub async fn read(&mut self, mut each: impl AsyncFnMut(&str) -> bool) {
        let mut buffer = vec![0; LONGEST_ENTRY];
        let Ok(mut entries) = self.queue.iter().await else {
            return;
        };
        while let Ok(Some(entry)) = entries.next(&mut buffer).await {
            let entry = entry.into_buf();
            if let Ok(text) = core::str::from_utf8(entry)
                && !each(text).await
            {
                return;
            }
        }
    }

    /// Forgets everything.
    pub async fn erase(&mut self) {
        // What cannot be erased cannot be read either.
        let _ = self.queue.erase_all().await;
    }

    /// Entries that were kept since the start.
    #[must_use]
    pub const fn kept(&self) -> u32 {
        self.kept
    }

    /// Entries since the start that the flash did not take.
    #[must_use]
    pub const fn refused(&self) -> u32 {
        self.refused
    }
}

/// An event as a line of JSON.
#[must_use]
pub fn entry(event: &Event, circumstances: &Circumstances) -> String {
    let Circumstances {
        boot,
        time,
        memory,
        backlog,
    } = circumstances;
    let time = time.map_or_else(String::new, |time| format!(r#","time_ms":{}"#, time.0));
    format!(
        r#"{{"kind":"{}","boot":{boot},"uptime_s":{}{time},"text":{},"heap_peak":{},"stack_peak":{},"backlog":{backlog}}}"#,
        event.level.as_str(),
        event.at.as_secs(),
        JsonString(&event.text),
        memory.heap_peak,
        memory.stack_peak,
    )
}
