//! Days that are over: compressed, late readings, and what is kept.

use std::fs;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use meter_core::UnixMillis;

use super::setup::*;

const DAY: i64 = 86_400_000;

fn today() -> Result<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    Ok(i64::try_from(now)?)
}

#[tokio::test]
async fn days_that_are_over_are_compressed_and_today_is_not() -> Result {
    let mut setup = Setup::new().await?;
    setup.config.compress_after = millis(100);
    setup.append_all(0..10).await?;
    setup.append_at(&METER, START + DAY, 10).await?;
    let now = today()?;
    setup.append_at(&METER, now, 11).await?;
    let running = setup.start(CSV).await?;
    let (year, month, day) = UnixMillis(now).date();
    let open = format!("test-{year}-{month:02}-{day:02}.csv");
    let (first, second) = ("test-2026-05-28.csv.gz", "test-2026-05-29.csv.gz");
    until_there(setup.directory(), &[first, second, &open]).await?;
    // A reading that comes late goes into a further part.
    setup.append_at(&METER, START + 60_000, 12).await?;
    let further = "test-2026-05-28.2.csv.gz";
    until_there(setup.directory(), &[further, first, second, &open]).await?;
    running.stop().await?;
    assert_eq!(
        rows(setup.directory())?,
        expected_rows(&setup.records().await?)?
    );
    let left = fs::read_dir(setup.directory())?.count();
    assert_eq!(left, 5, "the files and the lock");
    Ok(())
}

#[tokio::test]
async fn a_power_cut_in_the_middle_of_compressing_doubles_nothing() -> Result {
    let mut setup = Setup::new().await?;
    setup.append_all(0..50).await?;
    setup.deliver_all(CSV).await?;
    let plain = fs::read(setup.path("test-2026-05-28.csv"))?;
    let packed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes)?;
        encoder.finish()
    };
    // Renamed and not yet removed; and the half of a copy.
    fs::write(setup.path("test-2026-05-28.csv.gz"), packed(&plain)?)?;
    fs::write(
        setup.path(".test.csv.gz.unfinished"),
        &packed(&plain)?[..100],
    )?;
    setup.config.compress_after = millis(100);
    let running = setup.start(CSV).await?;
    until_there(setup.directory(), &["test-2026-05-28.csv.gz"]).await?;
    running.stop().await?;
    assert_eq!(
        rows(setup.directory())?,
        expected_rows(&setup.records().await?)?
    );
    Ok(())
}

#[tokio::test]
async fn a_damaged_copy_is_not_taken_for_the_file() -> Result {
    let mut setup = Setup::new().await?;
    setup.append_all(0..50).await?;
    fs::write(setup.path("test-2026-05-28.csv.gz"), b"no gzip")?;
    setup.config.compress_after = millis(100);
    let running = setup.start(CSV).await?;
    let further = setup.path("test-2026-05-28.2.csv.gz");
    let plain = setup.path("test-2026-05-28.csv");
    let deadline = std::time::Instant::now() + LIMIT;
    while !further.exists() || plain.exists() {
        assert!(std::time::Instant::now() < deadline, "never compressed");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    running.stop().await?;
    fs::remove_file(setup.path("test-2026-05-28.csv.gz"))?;
    assert_eq!(
        rows(setup.directory())?,
        expected_rows(&setup.records().await?)?
    );
    Ok(())
}

#[tokio::test]
async fn only_the_newest_days_are_kept_when_that_is_asked_for() -> Result {
    let mut setup = Setup::new().await?;
    setup.config.compress_after = millis(100);
    setup.config.keep_days = Some(3.try_into()?);
    for day in 0..6 {
        setup.append_at(&METER, START + day * DAY, day).await?;
    }
    fs::write(setup.path("test-2020-01-01.txt.gz"), "somebody's")?;
    fs::write(setup.path("other-2020-01-01.csv.gz"), "another output's")?;
    let running = setup.start(CSV).await?;
    let wanted = ["05-31", "06-01", "06-02"].map(|day| format!("test-2026-{day}.csv.gz"));
    let deadline = std::time::Instant::now() + LIMIT;
    loop {
        let mut found: Vec<String> = fs::read_dir(setup.directory())?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with("test-2026"))
            .collect();
        found.sort();
        if found == wanted {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{found:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    running.stop().await?;
    assert!(setup.path("test-2020-01-01.txt.gz").exists());
    assert!(setup.path("other-2020-01-01.csv.gz").exists());
    Ok(())
}
