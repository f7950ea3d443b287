//! Settings, the last good time and a count of starts in flash.
//!
//! A map of three items. Each is written beside its predecessor and counts only when it is whole, so a
//! power cut leaves the old or the new one, never a mixture. A predecessor stays in flash until its
//! sector is used again: [`Store::forget`] erases all of it.
//!
//! A start writes 16 bytes, so four sectors of 100 000 erases take 70 million starts, beside the longest
//! settings: a device that crashes each five seconds lives for eleven years. `tests/settings/store.rs`
//! holds the number against the code.

use core::fmt;

use embedded_storage_async::nor_flash::NorFlash;
use meter_core::UnixMillis;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage, SerializationError, Value};

use super::{Settings, Unreadable};

/// Fewest sectors: the map keeps one of them free, and the settings fill another.
pub const SECTORS: usize = 4;

/// What the store must be lent to work with: a sector.
pub const SCRATCH: usize = 4096;

const SETTINGS: u8 = 1;
const LAST_GOOD_TIME: u8 = 2;
const STARTS: u8 = 3;

type Map<F> = MapStorage<u8, F, Cache<Uncached, Uncached, Uncached, u8>>;

/// Where settings are kept.
pub struct Store<F: NorFlash> {
    map: Map<F>,
}

/// Why the store has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError<E> {
    /// The flash could not be read or written.
    Flash(E),
    /// The flash has fewer than [`SECTORS`], or sectors of an odd size.
    Unfit,
    /// What is in the flash is no store of settings, or is damaged.
    Damaged,
    /// There are settings which this firmware cannot read. They stay where they are.
    Unreadable(Unreadable),
    /// The settings are longer than a sector: [`Settings::check`] was not asked.
    TooLong,
    /// Less than [`SCRATCH`] was lent.
    Scratch,
}

impl<E: fmt::Debug> fmt::Display for StoreError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "the flash of the settings fails: {error:?}"),
            Self::Unfit => write!(
                f,
                "the settings need {SECTORS} sectors of 4 KiB: check the partition table"
            ),
            Self::Damaged => {
                f.write_str("the settings in flash are damaged: forget them and configure again")
            }
            Self::Unreadable(unreadable) => {
                write!(f, "the settings in flash are not used: {unreadable}")
            }
            Self::TooLong => f.write_str("the settings do not fit into the flash"),
            Self::Scratch => write!(f, "the store needs {SCRATCH} bytes to work with"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for StoreError<E> {}

impl<F: NorFlash> Store<F> {
    /// Uses a part of the flash for settings alone. Nothing is read yet.
    pub fn new(flash: F) -> Result<Self, StoreError<F::Error>> {
        let bytes = u32::try_from(flash.capacity()).map_err(|_| StoreError::Unfit)?;
        if F::ERASE_SIZE != SCRATCH || flash.capacity() < SECTORS * F::ERASE_SIZE {
            return Err(StoreError::Unfit);
        }
        let config = MapConfig::try_new(0..bytes).map_err(|_| StoreError::Unfit)?;
        Ok(Self {
            map: MapStorage::new(flash, config, Cache::new_uncached()),
        })
    }

    /// The settings; `None` when nothing was ever set.
    ///
    /// They were checked when they were stored, so they are not checked again: a firmware that has
    /// become stricter must not lose its network by that.
    pub async fn load(
        &mut self,
        scratch: &mut [u8],
    ) -> Result<Option<Settings>, StoreError<F::Error>> {
        match self.fetch(SETTINGS, scratch).await? {
            None | Some([]) => Ok(None),
            Some(json) => Settings::from_json(json)
                .map(Some)
                .map_err(StoreError::Unreadable),
        }
    }

    /// Replaces the settings. When it fails, the old ones are still there.
    pub async fn save(
        &mut self,
        settings: &Settings,
        scratch: &mut [u8],
    ) -> Result<(), StoreError<F::Error>> {
        self.put(SETTINGS, &Json(settings), scratch).await
    }

    /// The last time that was known to be good; the clock is never before it.
    pub async fn last_good_time(
        &mut self,
        scratch: &mut [u8],
    ) -> Result<Option<UnixMillis>, StoreError<F::Error>> {
        let time = self.fetch(LAST_GOOD_TIME, scratch).await?;
        let time = time.and_then(|octets| octets.try_into().ok());
        Ok(time.map(|octets| UnixMillis(i64::from_le_bytes(octets))))
    }

    /// Keeps a time that is known to be good. Once an hour is often enough, and spares the flash.
    pub async fn save_last_good_time(
        &mut self,
        time: UnixMillis,
        scratch: &mut [u8],
    ) -> Result<(), StoreError<F::Error>> {
        self.put(LAST_GOOD_TIME, &time.0.to_le_bytes().as_slice(), scratch)
            .await
    }

    /// How often the device has started, as far as it was counted; 0 if never.
    pub async fn starts(&mut self, scratch: &mut [u8]) -> Result<u32, StoreError<F::Error>> {
        let starts = self.fetch(STARTS, scratch).await?;
        let starts = starts.and_then(|octets| octets.try_into().ok());
        Ok(starts.map_or(0, u32::from_le_bytes))
    }

    /// Keeps how often the device has started.
    pub async fn save_starts(
        &mut self,
        starts: u32,
        scratch: &mut [u8],
    ) -> Result<(), StoreError<F::Error>> {
        self.put(STARTS, &starts.to_le_bytes().as_slice(), scratch)
            .await
    }

    /// Erases the settings, those before them, the time and the count, so that no secret is left in the flash.
    pub async fn forget(&mut self) -> Result<(), StoreError<F::Error>> {
        self.map.erase_all().await.map_err(refuse)
    }

    /// The flash.
    pub fn into_flash(self) -> F {
        self.map.destroy().0
    }

    async fn fetch<'s>(
        &mut self,
        key: u8,
        scratch: &'s mut [u8],
    ) -> Result<Option<&'s [u8]>, StoreError<F::Error>> {
        let scratch = scratch.get_mut(..SCRATCH).ok_or(StoreError::Scratch)?;
        self.map.fetch_item(scratch, &key).await.map_err(refuse)
    }

    async fn put<'v>(
        &mut self,
        key: u8,
        value: &impl Value<'v>,
        scratch: &mut [u8],
    ) -> Result<(), StoreError<F::Error>> {
        let scratch = scratch.get_mut(..SCRATCH).ok_or(StoreError::Scratch)?;
        self.map
            .store_item(scratch, &key, value)
            .await
            .map_err(refuse)
    }
}

fn refuse<E>(error: sequential_storage::Error<E>) -> StoreError<E> {
    use sequential_storage::Error as Map;
    match error {
        Map::Storage { value, .. } => StoreError::Flash(value),
        Map::BufferTooSmall(_) | Map::BufferTooBig => StoreError::Scratch,
        Map::SerializationError(_) | Map::ItemTooBig | Map::FullStorage => StoreError::TooLong,
        _ => StoreError::Damaged,
    }
}

/// Settings on their way into the flash.
struct Json<'a>(&'a Settings);

impl<'v> Value<'v> for Json<'_> {
    fn serialize_into(&self, buffer: &mut [u8]) -> Result<usize, SerializationError> {
        let json = self.0.to_json(buffer);
        json.map(str::len).ok_or(SerializationError::BufferTooSmall)
    }

    fn deserialize_from(_: &'v [u8]) -> Result<(Self, usize), SerializationError> {
        // They are fetched as octets, because what cannot be read shall be told.
        Err(SerializationError::InvalidFormat)
    }
}
