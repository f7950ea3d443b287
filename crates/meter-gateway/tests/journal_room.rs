//! What goes first when the room runs out, on a disk of our own where we may mount one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod journal_log;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fixtures::Disk;
use meter_core::UnixMillis;
use meter_gateway::journal::{
    AppendError, Cursor, Journal, Losses, OpenError, Options, Record, Start,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const QUARTER: i64 = 900_000;

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn options(directory: &Path, kib: u64) -> Options {
    journal_log::listen();
    Options {
        max_size: kib << 10,
        reserve: kib << 7,
        tidy_interval: Duration::from_millis(50),
        ..Options::in_directory(directory)
    }
}

/// Bytes of everything in the directory.
fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory)
        .unwrap()
        .filter_map(|entry| entry.ok()?.metadata().ok());
    entries.map(|data| data.len()).sum()
}

fn body(time: i64) -> Vec<u8> {
    format!("{time:300}").into_bytes()
}

/// Appends a reading every `step` milliseconds.
async fn append(
    journal: &Journal,
    first: i64,
    step: i64,
    readings: i64,
) -> Result<(), AppendError> {
    for index in 0..readings {
        let time = first + index * step;
        match journal.append(b"meter", UnixMillis(time), body(time)).await {
            Ok(_) | Err(AppendError::Held { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn drain(cursor: &mut Cursor) -> Result<Vec<Record>, Box<dyn std::error::Error>> {
    let mut all = Vec::new();
    loop {
        let records = cursor.next(500).await?;
        let Some(last) = records.last() else {
            return Ok(all);
        };
        cursor.ack(last.seq).await?;
        for record in &records {
            assert_eq!(record.body, body(record.time.0));
        }
        all.extend(records);
    }
}

/// Waits until retention has done what there is to do.
async fn settle(journal: &Journal) -> Outcome {
    let mut before = journal.status().await?;
    loop {
        tokio::time::sleep(Duration::from_millis(120)).await;
        let status = journal.status().await?;
        if status.losses == before.losses && status.bytes == before.bytes {
            return Ok(());
        }
        before = status;
    }
}

/// The quarter-hours that have a reading.
fn quarters(times: impl Iterator<Item = i64>) -> BTreeSet<i64> {
    times.map(|time| time.div_euclid(QUARTER)).collect()
}

#[tokio::test]
async fn delivered_readings_make_way_and_nothing_is_said() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = Journal::open(options(directory.path(), 1024))?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    let start = now() - 3000 * 10_000;
    for round in 0..12 {
        append(&journal, start + round * 2_500_000, 10_000, 250).await?;
        assert_eq!(drain(&mut cursor).await?.len(), 250);
        assert!(
            size(directory.path()) <= 1024 << 10,
            "{} bytes",
            size(directory.path())
        );
    }
    assert_eq!(journal.status().await?.losses, Losses::default());
    assert_eq!(journal_log::about(directory.path()), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn undelivered_readings_are_thinned_oldest_first() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = Journal::open(options(directory.path(), 1024))?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    let start = now() - 6000 * 10_000;
    append(&journal, start, 10_000, 6000).await?;
    assert!(
        size(directory.path()) <= 1024 << 10,
        "{} bytes",
        size(directory.path())
    );
    settle(&journal).await?;
    let backlog = cursor.backlog().await?;
    let losses = journal.status().await?.losses;
    let records = drain(&mut cursor).await?;
    assert_eq!(backlog.readings, records.len() as u64);
    assert_eq!(backlog.oldest, Some(records[0].time));
    assert_eq!(
        losses,
        Losses {
            thinned: 6000 - records.len() as u64,
            ..Losses::default()
        }
    );
    let kept = quarters(records.iter().map(|record| record.time.0));
    assert_eq!(
        kept,
        quarters((0..6000).map(|index| start + index * 10_000)),
        "each quarter-hour has one"
    );
    assert_eq!(
        records[0].time.0, start,
        "the first of each quarter-hour stays"
    );
    let raw: Vec<i64> = records
        .iter()
        .rev()
        .take(500)
        .map(|record| record.time.0)
        .collect();
    assert!(
        raw.windows(2).all(|pair| pair[0] - pair[1] == 10_000),
        "the newest are as they were"
    );
    let lines = journal_log::about(directory.path());
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains("one of each quarter-hour is kept"));
    Ok(())
}

#[tokio::test]
async fn then_the_oldest_quarter_hours_go_and_never_the_newest_reading() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = Journal::open(options(directory.path(), 512))?;
    let silent = now() - 1000 * QUARTER;
    journal
        .append(b"silent", UnixMillis(silent), body(silent))
        .await?;
    let mut cursor = journal.cursor("home", Start::Beginning).await?;
    let start = now() - 1000 * QUARTER;
    append(&journal, start, QUARTER / 3, 3000).await?;
    assert!(
        size(directory.path()) <= 512 << 10,
        "{} bytes",
        size(directory.path())
    );
    settle(&journal).await?;
    let backlog = cursor.backlog().await?.readings;
    let losses = journal.status().await?.losses;
    let records = drain(&mut cursor).await?;
    assert_eq!(backlog, records.len() as u64);
    assert_eq!(losses.thinned + losses.dropped + backlog, 3001);
    assert!(losses.dropped > 50 && losses.thinned > 500, "{losses:?}");
    assert_eq!(
        (&*records[0].meter, records[0].time.0),
        (&b"silent"[..], silent)
    );
    assert_eq!(
        records.last().map(|record| record.time.0),
        Some(start + 2999 * (QUARTER / 3))
    );
    let kept = quarters(records[1..].iter().map(|record| record.time.0));
    let gone = quarters((0..3000).map(|index| start + index * (QUARTER / 3)));
    let gone: Vec<i64> = gone.difference(&kept).copied().collect();
    assert!(gone.last() < kept.first(), "the oldest went first");
    let lines = journal_log::about(directory.path());
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.starts_with("ERROR"))
            .count(),
        1,
        "{lines:#?}"
    );
    assert_eq!(lines.len(), 2, "{lines:#?}");
    // What is lost stays counted.
    journal.close().await;
    let journal = Journal::open(options(directory.path(), 512))?;
    assert_eq!(journal.status().await?.losses, losses);
    Ok(())
}

#[tokio::test]
async fn age_takes_what_is_delivered_and_a_removed_output_does_not_hold_it_back() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = Journal::open(options(directory.path(), 4096))?;
    let mut home = journal.cursor("home", Start::Now).await?;
    let mut dead = journal.cursor("dead", Start::Now).await?;
    append(&journal, 0, 10_000, 400).await?; // in 1970
    assert_eq!(drain(&mut home).await?.len(), 400);
    append(&journal, now(), 10_000, 1).await?;
    // Retention has had its turn when a younger journal has lost what it had delivered.
    let other = tempfile::tempdir()?;
    let delivered = Journal::open(options(other.path(), 4096))?;
    let mut cursor = delivered.cursor("home", Start::Now).await?;
    append(&delivered, 0, 10_000, 400).await?;
    drain(&mut cursor).await?;
    append(&delivered, now(), 10_000, 1).await?;
    let full = delivered.status().await?.bytes;
    let aged = async {
        while delivered.status().await.unwrap().bytes > full / 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), aged).await?;
    assert_eq!(
        dead.next(1000).await?.len(),
        401,
        "undelivered readings do not age"
    );
    let before = journal.status().await?.bytes;
    journal.retain_outputs(vec!["home".to_owned()]).await?;
    let told = journal_log::about(directory.path());
    assert!(
        told.iter().any(|line| line.starts_with("WARN")
            && line.contains("output dead is no longer configured, and 401 readings")),
        "{told:?}"
    );
    let shrunk = async {
        while journal.status().await.unwrap().bytes > before / 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), shrunk).await?;
    let mut all = journal.cursor("all", Start::Beginning).await?;
    assert_eq!(drain(&mut all).await?.len(), 1);
    assert_eq!(journal.status().await?.losses, Losses::default());
    Ok(())
}

#[tokio::test]
async fn a_smaller_bound_gives_space_back() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = Journal::open(options(directory.path(), 4096))?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    append(&journal, now(), 10_000, 4000).await?;
    drain(&mut cursor).await?;
    journal.close().await;
    assert!(size(directory.path()) > 1 << 20);
    let journal = Journal::open(options(directory.path(), 512))?;
    let shrunk = async {
        while fs::metadata(directory.path().join("journal.db"))
            .unwrap()
            .len()
            > 384 << 10
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
            journal.sync().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(10), shrunk).await?;
    Ok(())
}

#[tokio::test]
async fn what_the_disk_does_not_take_is_delivered_from_memory_and_written_later() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = Journal::open(Options {
        memory: 8 << 10,
        ..options(directory.path(), 1024)
    })?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    append(&journal, now(), 1, 1).await?;
    let blocker = rusqlite::Connection::open(directory.path().join("journal.db"))?;
    blocker.execute_batch("BEGIN IMMEDIATE")?;
    let held = journal.append(b"meter", UnixMillis(7), body(7)).await;
    assert_eq!(held, Err(AppendError::Held { seq: 2 }));
    append(&journal, 8, 1, 3).await?;
    assert_eq!(journal.status().await?.in_memory, 4);
    assert_eq!(
        drain(&mut cursor).await?.len(),
        5,
        "outputs get them all the same"
    );
    append(&journal, 100, 1, 100).await?;
    let losses = journal.status().await?.losses;
    assert!(losses.from_memory > 70, "{losses:?}");
    let kept = 100 + 4 - losses.from_memory;
    assert_eq!(cursor.backlog().await?.readings, kept);
    blocker.execute_batch("ROLLBACK")?;
    let written = async {
        while journal.status().await.unwrap().in_memory > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), written).await?;
    journal.close().await;
    let journal = Journal::open(options(directory.path(), 1024))?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    let records = drain(&mut cursor).await?;
    assert_eq!(
        records.len() as u64,
        kept,
        "what was delivered from memory is not delivered again"
    );
    assert_eq!(
        records.last().map(|record| record.time.0),
        Some(199),
        "the newest are kept"
    );
    let lines = journal_log::about(directory.path());
    assert!(
        lines.len() == 1 && lines[0].contains("another program has it locked"),
        "{lines:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_told_once_and_survived() -> Outcome {
    let Some(disk) = Disk::mount("size=2m") else {
        return Ok(());
    };
    let directory = disk.path();
    let journal = Journal::open(Options {
        reserve: 256 << 10,
        ..options(directory, 1 << 20)
    })?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    let start = now() - 6000 * 10_000;
    append(&journal, start, 10_000, 500).await?;
    // Somebody else fills the rest.
    while fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(directory.join("filler"))
        .and_then(|mut file| {
            use std::io::Write;
            file.write_all(&[1; 4096])
        })
        .is_ok()
    {}
    append(&journal, start + 5_000_000, 10_000, 5500).await?;
    let status = journal.status().await?;
    assert_eq!(
        (status.in_memory, status.trouble),
        (0, None),
        "it goes on in the space that it has"
    );
    assert_eq!(status.losses.from_memory, 0);
    let backlog = cursor.backlog().await?.readings;
    let records = drain(&mut cursor).await?;
    assert_eq!(backlog, records.len() as u64);
    assert_eq!(
        backlog + status.losses.thinned + status.losses.dropped,
        6000
    );
    assert_eq!(
        records.last().map(|record| record.time.0),
        Some(start + 5999 * 10_000)
    );
    let lines = journal_log::about(directory);
    let told = lines
        .iter()
        .filter(|line| line.contains("the disk is full"))
        .count();
    assert_eq!(told, 1, "{lines:#?}");
    assert!(
        lines
            .iter()
            .all(|line| line.contains("the disk is full")
                || line.contains("one of each quarter-hour")),
        "{lines:#?}"
    );

    // There is room again: the reserve is taken back and the journal may grow.
    fs::remove_file(directory.join("filler"))?;
    let reserve = directory.join("journal.reserve");
    let back = async {
        while fs::metadata(&reserve).map_or(0, |data| data.len()) < 256 << 10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), back).await?;
    append(&journal, now(), 10_000, 2000).await?;
    assert_eq!(journal.status().await?.losses, status.losses);
    journal.close().await;
    let journal = Journal::open(options(directory, 1 << 20))?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    assert_eq!(drain(&mut cursor).await?.len(), 2000);
    Ok(())
}

#[tokio::test]
async fn a_disk_without_any_room_is_refused_with_the_reason() -> Outcome {
    let Some(disk) = Disk::mount("size=64k") else {
        return Ok(());
    };
    fs::write(disk.path().join("filler"), vec![1; 60 << 10])?;
    let refused = Journal::open(options(disk.path(), 1024))
        .err()
        .ok_or("opened on a full disk")?;
    assert!(matches!(refused, OpenError::DiskFull(_)), "{refused:?}");
    assert!(refused.to_string().contains("is full"));
    Ok(())
}

#[tokio::test]
async fn a_read_only_directory_is_named_with_the_fix() -> Outcome {
    let Some(disk) = Disk::mount("ro") else {
        return Ok(());
    };
    let directory = disk.path();
    let refused = Journal::open(options(directory, 1024))
        .err()
        .ok_or("opened on a read-only disk")?;
    let text = refused.to_string();
    assert!(
        matches!(refused, OpenError::NotWritable { .. }),
        "{refused:?}"
    );
    assert!(
        text.starts_with(&format!(
            "the journal cannot be written in {}: ",
            directory.display()
        )),
        "{text}"
    );
    assert!(
        text.contains("write permission") && text.contains("mounted read-only"),
        "{text}"
    );
    Ok(())
}

#[test]
fn a_missing_directory_is_named_with_the_fix() -> Outcome {
    let directory = tempfile::tempdir()?;
    let missing = directory.path().join("state");
    let refused = Journal::open(options(&missing, 1024))
        .err()
        .ok_or("opened nowhere")?;
    assert!(matches!(refused, OpenError::NoDirectory(_)), "{refused:?}");
    assert!(
        refused
            .to_string()
            .contains(&format!("`mkdir -p {}`", missing.display()))
    );
    Ok(())
}
