//! Settings under power cuts at every word and every erase.

use meter_core::UnixMillis;
use meter_device::settings::{SCRATCH, SECTORS, Settings, Store, StoreError};

use crate::flash::{Cut, Flash, HALVES};
use crate::settings;

/// Long enough that each sector holds one of them.
fn variant(number: usize) -> Settings {
    let url = format!("https://h/{number}/{}", "x".repeat(200));
    let ca = "A".repeat(2600);
    // A certificate of 1956 octets whose length fits its head.
    let ca = format!("MIIHoDCC{ca}");
    settings(&format!(
        r#"{{"name":"n{number}","output":{{"rest":{{"url":"{url}","ca":"{ca}"}}}}}}"#
    ))
}

fn open(flash: &Flash) -> Store<Flash> {
    Store::new(flash.clone()).unwrap()
}

#[tokio::test]
async fn keeps_the_newest() {
    let flash = Flash::new(SECTORS);
    let mut scratch = [0; SCRATCH];
    assert_eq!(open(&flash).load(&mut scratch).await, Ok(None));
    for number in 0..20 {
        let mut store = open(&flash);
        store.save(&variant(number), &mut scratch).await.unwrap();
        let time = UnixMillis(1_800_000_000_000 + i64::try_from(number).unwrap());
        store.save_last_good_time(time, &mut scratch).await.unwrap();
        let mut store = open(&flash);
        assert_eq!(store.load(&mut scratch).await, Ok(Some(variant(number))));
        assert_eq!(store.last_good_time(&mut scratch).await, Ok(Some(time)));
    }
}

#[tokio::test]
async fn an_hourly_time_wears_little() {
    let flash = Flash::new(SECTORS);
    let mut scratch = [0; SCRATCH];
    let mut store = open(&flash);
    store.save(&variant(1), &mut scratch).await.unwrap();
    for hour in 0..24 * 365 {
        let time = UnixMillis(hour * 3_600_000);
        store.save_last_good_time(time, &mut scratch).await.unwrap();
    }
    assert_eq!(store.load(&mut scratch).await, Ok(Some(variant(1))));
    let erases = *flash.0.borrow().erases.iter().max().unwrap();
    // 10 000 are the least that NOR flash endures.
    assert!(
        (1..100).contains(&erases),
        "{erases} erases of a sector in a year"
    );
}

/// The number that the module's documentation counts with.
#[tokio::test]
async fn seventy_million_starts_wear_a_sector_out() {
    let flash = Flash::new(SECTORS);
    let mut scratch = [0; SCRATCH];
    open(&flash).save(&variant(1), &mut scratch).await.unwrap();
    let starts = 8_000;
    for start in 1..=starts {
        let mut store = open(&flash);
        store.save_starts(start, &mut scratch).await.unwrap();
    }
    let mut store = open(&flash);
    assert_eq!(store.starts(&mut scratch).await, Ok(starts));
    assert_eq!(store.load(&mut scratch).await, Ok(Some(variant(1))));
    let erases = *flash.0.borrow().erases.iter().max().unwrap();
    let life = u64::from(starts) * 100_000 / u64::from(erases);
    assert!((70_000_000..100_000_000).contains(&life), "{life} starts");
}

/// Some saves, until the power goes. How many were told to be done.
async fn script(flash: &Flash, marks: &mut Vec<u64>) -> (usize, bool) {
    let mut scratch = [0; SCRATCH];
    let mut store = open(flash);
    for number in 1..=6 {
        let saved = match store.save(&variant(number), &mut scratch).await {
            Ok(()) => {
                let time = UnixMillis(i64::try_from(number).unwrap());
                store.save_last_good_time(time, &mut scratch).await
            }
            Err(error) => {
                assert_eq!(error, StoreError::Flash(Cut));
                return (number - 1, false);
            }
        };
        if saved.is_err() {
            return (number, false);
        }
        marks.push(flash.steps());
    }
    (6, true)
}

#[tokio::test]
async fn a_power_cut_leaves_the_old_or_the_new() {
    let whole = Flash::new(SECTORS);
    let mut marks = Vec::new();
    assert_eq!(script(&whole, &mut marks).await, (6, true));
    // The words within the text of an item are all alike. Heads, marks and erases stand around it.
    let near =
        |step: u64| marks.iter().any(|mark| mark.abs_diff(step) < 10) || step.is_multiple_of(53);
    for half in HALVES {
        for step in (1..=whole.steps()).filter(|step| near(*step)) {
            let flash = Flash::new(SECTORS);
            flash.cut_in(step, half);
            let (done, finished) = script(&flash, &mut Vec::new()).await;
            assert!(!finished && flash.power(), "at {step}");
            check(&flash, done, step).await;
        }
    }
}

async fn check(flash: &Flash, done: usize, step: u64) {
    let mut scratch = [0; SCRATCH];
    let mut store = open(flash);
    let found = store.load(&mut scratch).await.unwrap();
    let number = match &found {
        None => 0,
        Some(settings) => settings.name[1..].parse().unwrap(),
    };
    assert!(
        number == done || number == done + 1,
        "{number} at {step}, {done} were stored"
    );
    assert!(
        found.is_none_or(|found| found == variant(number)),
        "at {step}"
    );
    let time = store.last_good_time(&mut scratch).await.unwrap();
    let time = time.map_or(0, |time| usize::try_from(time.0).unwrap());
    assert!(
        (done.saturating_sub(1)..=done).contains(&time),
        "{time} at {step}, {done} were stored"
    );
    store.save(&variant(9), &mut scratch).await.unwrap();
    assert_eq!(open(flash).load(&mut scratch).await, Ok(Some(variant(9))));
}

#[tokio::test]
async fn forgetting_leaves_no_secret_and_survives_power_cuts() {
    for half in HALVES {
        for step in 1..=4 {
            let flash = Flash::new(SECTORS);
            script(&flash, &mut Vec::new()).await;
            flash.cut_in(step, half);
            assert_eq!(open(&flash).forget().await, Err(StoreError::Flash(Cut)));
            flash.power();
            let mut scratch = [0; SCRATCH];
            let mut store = open(&flash);
            // Whatever is left of them, it is told, and can be forgotten.
            let _ = store.load(&mut scratch).await;
            store.forget().await.unwrap();
            assert!(flash.0.borrow().bytes.iter().all(|byte| *byte == 0xFF));
            assert_eq!(store.load(&mut scratch).await, Ok(None));
            store.save(&variant(1), &mut scratch).await.unwrap();
        }
    }
}

#[tokio::test]
async fn settings_of_a_newer_firmware_are_kept() {
    use sequential_storage::cache::Cache;
    use sequential_storage::map::{MapConfig, MapStorage};
    let flash = Flash::new(SECTORS);
    let mut scratch = [0; SCRATCH];
    let newer: &[u8] = br#"{"version":7,"colour":"red"}"#;
    let config = MapConfig::new(0..4 * 4096);
    MapStorage::new(flash.clone(), config, Cache::new_uncached())
        .store_item(&mut scratch, &1_u8, &newer)
        .await
        .unwrap();
    let before = flash.0.borrow().bytes.clone();
    let error = open(&flash).load(&mut scratch).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the settings in flash are not used: the settings have version 7, and this firmware knows 1: install a newer firmware, or configure again"
    );
    assert_eq!(flash.0.borrow().bytes, before);
}

#[test]
fn too_small_a_flash_is_refused() {
    let store = Store::new(Flash::new(SECTORS - 1));
    assert_eq!(store.err(), Some(StoreError::Unfit));
}
