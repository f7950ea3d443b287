//! What becomes of readings that the guard keeps apart when nobody looks at them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod journal_log;

use std::path::Path;
use std::time::{Duration, SystemTime};

use meter_core::UnixMillis;
use meter_gateway::journal::{Journal, Moment, Options, Start};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const QUARTER: i64 = 900_000;

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn options(directory: &Path) -> Options {
    journal_log::listen();
    Options {
        tidy_interval: Duration::from_millis(50),
        ..Options::in_directory(directory)
    }
}

/// As many suspects of one meter, one each `step` milliseconds, as if they had been kept apart earlier.
async fn make(directory: &Path, first: i64, step: i64, count: i64) -> Outcome {
    let journal = Journal::open(options(directory))?;
    journal.append(b"meter", UnixMillis(first), vec![1]).await?;
    journal.close().await;
    let mut database = rusqlite::Connection::open(directory.join("journal.db"))?;
    let transaction = database.transaction()?;
    for index in 0..count {
        transaction.execute(
            "INSERT INTO suspects (meter, time, reason, body) VALUES (1, ?, 'fell', x'00')",
            [first + index * step],
        )?;
    }
    transaction.commit()?;
    Ok(())
}

#[tokio::test]
async fn too_many_suspects_are_thinned_before_any_quarter_hour_is_lost() -> Outcome {
    let directory = tempfile::tempdir()?;
    let first = (now() - 11_000 * 10_000) / QUARTER * QUARTER;
    make(directory.path(), first, 10_000, 11_000).await?;
    let journal = Journal::open(options(directory.path()))?;
    while journal.status().await?.losses.suspects == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let status = journal.status().await?;
    assert_eq!((status.suspects, status.losses.suspects), (10_000, 1000));
    let kept = journal.suspects_of(b"meter", 20_000).await?;
    assert_eq!(kept[0].time, UnixMillis(first), "the first of its quarter");
    assert_eq!(kept[1].time, UnixMillis(first + QUARTER));
    let lines = journal_log::about(directory.path());
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains("meterline suspects"));
    Ok(())
}

#[tokio::test]
async fn suspects_that_nobody_accepted_do_not_vanish_silently() -> Outcome {
    let directory = tempfile::tempdir()?;
    let month = 32 * 86_400_000;
    make(directory.path(), now() - month, 1000, 5).await?;
    let journal = Journal::open(options(directory.path()))?;
    // Another meter shows what time it is.
    journal.append(b"other", UnixMillis(now()), vec![1]).await?;
    journal.close().await;
    let journal = Journal::open(options(directory.path()))?;
    while journal.status().await?.suspects > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(journal.status().await?.losses.suspects, 5);
    let lines = journal_log::about(directory.path());
    assert!(
        lines.len() == 1 && lines[0].starts_with("ERROR"),
        "{lines:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn suspects_make_way_before_undelivered_readings() -> Outcome {
    let directory = tempfile::tempdir()?;
    let small = Options {
        max_size: 512 << 10,
        reserve: 64 << 10,
        ..options(directory.path())
    };
    let journal = Journal::open(small)?;
    let cursor = journal.cursor("home", Start::Now).await?;
    let start = now() - 2000 * 10_000;
    for index in 0..500 {
        journal
            .append_suspect(
                b"meter",
                UnixMillis(start + index * 1000),
                "fell",
                vec![0; 300],
            )
            .await?;
    }
    for index in 0..700 {
        journal
            .append(b"meter", UnixMillis(start + index * 10_000), vec![0; 300])
            .await?;
    }
    let status = journal.status().await?;
    assert!(status.losses.suspects > 100, "{status:?}");
    assert_eq!((status.losses.thinned, status.losses.dropped), (0, 0));
    assert_eq!(cursor.backlog().await?.readings, 700);
    Ok(())
}

#[tokio::test]
async fn suspects_get_their_time_when_the_clock_is_right() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = Journal::open(options(directory.path()))?;
    let moment = |boot: &str, monotonic_ms| Moment {
        boot: boot.into(),
        monotonic_ms,
    };
    for (boot, monotonic) in [("earlier", 1000), ("now", 2000), ("now", 3000)] {
        journal
            .append_provisional_suspect(
                b"meter",
                moment(boot, monotonic),
                UnixMillis(7),
                "fell",
                vec![1],
            )
            .await?;
    }
    let boot_time = now();
    journal.restamp("now", UnixMillis(boot_time)).await?;
    assert_eq!(journal.accept_suspects(b"meter", 0).await?, 2);
    let mut cursor = journal.cursor("home", Start::Beginning).await?;
    let times: Vec<i64> = cursor.next(10).await?.iter().map(|it| it.time.0).collect();
    assert_eq!(times, [boot_time + 2000, boot_time + 3000]);
    assert_eq!(
        journal.status().await?.suspects,
        1,
        "nobody knows when that was"
    );
    Ok(())
}

#[tokio::test]
async fn a_clock_that_jumped_forward_makes_nothing_old() -> Outcome {
    let directory = tempfile::tempdir()?;
    let mut journal = Journal::open(options(directory.path()))?;
    // The wall clock is a year ahead of every reading.
    let before = now() - 365 * 86_400_000;
    for index in 0..10 {
        journal
            .append(b"meter", UnixMillis(before + index), vec![1])
            .await?;
    }
    journal
        .append_suspect(b"meter", UnixMillis(before), "fell", vec![1])
        .await?;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut all = journal.cursor("all", Start::Beginning).await?;
        assert_eq!(all.next(100).await?.len(), 10);
        assert_eq!(journal.status().await?.suspects, 1);
        journal.retain_outputs(Vec::new()).await?;
        journal.close().await;
        journal = Journal::open(options(directory.path()))?;
    }
    Ok(())
}

#[tokio::test]
async fn readings_of_one_moment_get_times_of_their_own() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = Journal::open(options(directory.path()))?;
    for _ in 0..3 {
        let moment = Moment {
            boot: "now".into(),
            monotonic_ms: 5,
        };
        journal
            .append_provisional(b"meter", moment, None, vec![1])
            .await?;
    }
    journal.restamp("now", UnixMillis(1000)).await?;
    let mut cursor = journal.cursor("home", Start::Beginning).await?;
    let times: Vec<i64> = cursor.next(10).await?.iter().map(|it| it.time.0).collect();
    assert_eq!(times, [1005, 1006, 1007]);
    Ok(())
}
