//! The part of the flash that is the application's, found by the partition table.

use embassy_embedded_hal::adapter::BlockingAsync;
use embassy_embedded_hal::flash::partition::Partition;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use esp_bootloader_esp_idf::partitions::{PARTITION_TABLE_MAX_LEN, read_partition_table};
use esp_storage::FlashStorage;
use static_cell::StaticCell;

/// What the partition is called.
const NAME: &str = "store";
/// The least that can be erased.
const SECTOR: u32 = FlashStorage::SECTOR_SIZE;
/// For the settings.
const SETTINGS: u32 = 4 * SECTOR;
/// For the ring of crashes and errors.
const RING: u32 = 4 * SECTOR;
/// Sectors for the readings that wait: the rest of what `partitions.csv` gives.
pub const OUTBOX_SECTORS: usize = 88;

type Chip = Mutex<NoopRawMutex, BlockingAsync<FlashStorage<'static>>>;

/// A part of the flash.
pub type Part = Partition<'static, NoopRawMutex, BlockingAsync<FlashStorage<'static>>>;

/// The parts of the partition.
pub struct Parts {
    pub settings: Part,
    pub ring: Part,
    /// Readings that wait.
    pub outbox: Part,
}

/// Finds the partition and divides it. `None` without it, or when it is too small.
pub fn divide(flash: esp_hal::peripherals::FLASH<'static>) -> Option<Parts> {
    static FLASH: StaticCell<Chip> = StaticCell::new();
    let mut storage = FlashStorage::new(flash);
    let mut table = [0; PARTITION_TABLE_MAX_LEN];
    let (start, length) = read_partition_table(&mut storage, &mut table)
        .ok()?
        .iter()
        .find(|entry| entry.label_as_str() == NAME)
        .map(|entry| (entry.offset(), entry.len()))?;
    let outbox = u32::try_from(OUTBOX_SECTORS).ok()? * SECTOR;
    if start % SECTOR != 0 || length < SETTINGS + RING + outbox {
        return None;
    }
    let flash: &'static Chip = FLASH.init(Mutex::new(BlockingAsync::new(storage)));
    Some(Parts {
        settings: Partition::new(flash, start, SETTINGS),
        ring: Partition::new(flash, start + SETTINGS, RING),
        outbox: Partition::new(flash, start + SETTINGS + RING, outbox),
    })
}
