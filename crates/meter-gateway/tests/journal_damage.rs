//! Damaged files, files that are not ours, and two processes on one journal.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod journal_log;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use meter_core::UnixMillis;
use meter_gateway::journal::{Journal, OpenError, Options, Start};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const LATE: UnixMillis = UnixMillis(i64::MAX / 2);

fn open(directory: &Path) -> Result<Journal, OpenError> {
    journal_log::listen();
    Journal::open(Options::in_directory(directory))
}

/// A closed journal with `readings` readings, of which the first 100 are delivered.
async fn make(directory: &Path, readings: u64) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let journal = open(directory)?;
    let mut cursor = journal.cursor("home", Start::Beginning).await?;
    for index in 0..readings {
        journal.append(b"meter", LATE, body(index)).await?;
    }
    cursor.ack(100).await?;
    journal.close().await;
    Ok(directory.join("journal.db"))
}

fn body(index: u64) -> Vec<u8> {
    format!("{index:300}").into_bytes()
}

/// The databases that were set aside, without what belongs to them.
fn set_aside(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| {
            let name = path.to_string_lossy();
            name.contains("journal.db.damaged-")
                && !name.ends_with("-wal")
                && !name.ends_with("-shm")
        })
        .collect()
}

/// What "home" gets, and that the journal works.
async fn delivered(journal: &Journal) -> Result<Vec<u64>, Box<dyn std::error::Error>> {
    let mut cursor = journal.cursor("home", Start::Now).await?;
    let mut seqs = Vec::new();
    loop {
        let records = cursor.next(1000).await?;
        let Some(last) = records.last() else { break };
        for record in &records {
            assert_eq!(
                record.body,
                body(record.seq - 1),
                "a wrong reading came out"
            );
            seqs.push(record.seq);
        }
        cursor.ack(last.seq).await?;
    }
    let seq = journal.append(b"meter", LATE, b"new".to_vec()).await?;
    assert!(
        seqs.last().is_none_or(|last| *last < seq),
        "a number is used twice"
    );
    assert_eq!(cursor.next(10).await?.len(), 1);
    assert_eq!(cursor.backlog().await?.readings, 1);
    Ok(seqs)
}

fn assert_told(directory: &Path, what: &str) {
    let lines = journal_log::about(directory);
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("ERROR") && line.contains(what)),
        "{what:?} is not in {lines:#?}"
    );
}

#[tokio::test]
async fn garbage_is_set_aside() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("journal.db");
    fs::write(&path, "this has never been a database\n".repeat(500))?;
    let journal = open(directory.path())?;
    assert!(delivered(&journal).await?.is_empty());
    let aside = set_aside(directory.path());
    assert_eq!(aside.len(), 1);
    assert!(
        fs::read_to_string(&aside[0])?.starts_with("this has never"),
        "it is kept as it was"
    );
    assert_told(directory.path(), "set aside");
    Ok(())
}

#[tokio::test]
async fn of_a_truncated_file_the_rest_is_taken_over() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = make(directory.path(), 1000).await?;
    let length = fs::metadata(&path)?.len();
    fs::OpenOptions::new()
        .write(true)
        .open(&path)?
        .set_len(length / 2)?;
    let journal = open(directory.path())?;
    let seqs = delivered(&journal).await?;
    assert_eq!(seqs.first(), Some(&101), "the output goes on where it was");
    assert!(
        seqs.len() > 200,
        "only {} readings came out of half a file",
        seqs.len()
    );
    assert_eq!(set_aside(directory.path()).len(), 1);
    assert_told(directory.path(), "set aside");
    Ok(())
}

#[tokio::test]
async fn around_a_flipped_page_the_rest_is_taken_over() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = make(directory.path(), 1000).await?;
    let length = fs::metadata(&path)?.len();
    let file = fs::OpenOptions::new().write(true).open(&path)?;
    file.write_all_at(&[0xA5; 4096], length / 2 / 4096 * 4096)?;
    let journal = open(directory.path())?;
    let seqs = delivered(&journal).await?;
    assert_eq!((seqs.first(), seqs.last()), (Some(&101), Some(&1000)));
    assert!(
        (870..900).contains(&seqs.len()),
        "{} readings came out",
        seqs.len()
    );
    assert_told(directory.path(), "set aside");
    Ok(())
}

#[tokio::test]
async fn a_flipped_bit_in_a_reading_is_noticed() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = make(directory.path(), 1000).await?;
    let mut bytes = fs::read(&path)?;
    let needle = format!("{:300}", 499);
    let at = bytes
        .windows(300)
        .position(|window| window == needle.as_bytes())
        .ok_or("no such reading")?;
    bytes[at + 299] ^= 1;
    fs::write(&path, bytes)?;
    let journal = open(directory.path())?;
    let seqs = delivered(&journal).await?;
    assert_eq!(seqs.len(), 899);
    assert!(!seqs.contains(&500));
    let rejected = journal.rejected(10).await?;
    assert_eq!((rejected.len(), rejected[0].record.seq), (1, 500));
    assert!(rejected[0].reason.contains("altered on the disk"));
    assert_eq!(journal.status().await?.losses.altered, 1);
    assert_told(directory.path(), "altered on the disk");
    assert!(
        set_aside(directory.path()).is_empty(),
        "the rest of the file is sound"
    );
    Ok(())
}

#[tokio::test]
async fn damage_while_it_runs_is_survived() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = make(directory.path(), 2000).await?;
    let journal = open(directory.path())?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    assert_eq!(cursor.next(1).await?[0].seq, 101);
    let file = fs::OpenOptions::new().write(true).open(&path)?;
    let length = file.metadata()?.len();
    file.write_all_at(&vec![0x5A; 40 * 4096], length / 2 / 4096 * 4096)?;
    let seqs = delivered(&journal).await?;
    assert_eq!((seqs.first(), seqs.last()), (Some(&101), Some(&2000)));
    assert!(
        (1300..1800).contains(&seqs.len()),
        "{} readings came out",
        seqs.len()
    );
    assert_eq!(set_aside(directory.path()).len(), 1);
    assert_told(directory.path(), "set aside");
    Ok(())
}

#[tokio::test]
async fn a_file_removed_while_it_runs_is_noticed() -> Outcome {
    let directory = tempfile::tempdir()?;
    let options = Options {
        tidy_interval: std::time::Duration::from_millis(20),
        ..Options::in_directory(directory.path())
    };
    journal_log::listen();
    let journal = Journal::open(options)?;
    journal.append(b"meter", LATE, body(0)).await?;
    for part in ["", "-wal", "-shm"] {
        fs::remove_file(directory.path().join(format!("journal.db{part}")))?;
    }
    while !directory.path().join("journal.db").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(journal.append(b"meter", LATE, body(1)).await?, 2);
    assert_told(directory.path(), "removed or replaced");
    journal.close().await;
    let journal = open(directory.path())?;
    let mut cursor = journal.cursor("all", Start::Beginning).await?;
    assert_eq!(cursor.next(10).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_second_process_is_told_who_is_first() -> Outcome {
    let directory = tempfile::tempdir()?;
    let first = open(directory.path())?;
    let refused = open(directory.path()).err().ok_or("two at once")?;
    assert!(
        matches!(refused, OpenError::InUse { pid: Some(pid), .. } if pid == std::process::id())
    );
    let expected = format!(
        "the journal {}/journal.db is in use by process {}. Stop that one first, or give this one another directory",
        directory.path().display(),
        std::process::id()
    );
    assert_eq!(refused.to_string(), expected);
    first.close().await;
    open(directory.path())?;
    Ok(())
}

#[tokio::test]
async fn databases_of_others_are_refused_and_untouched() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("journal.db");
    let other = rusqlite::Connection::open(&path)?;
    other.execute_batch("CREATE TABLE cookies (host TEXT)")?;
    drop(other);
    let before = fs::read(&path)?;
    assert!(matches!(open(directory.path()), Err(OpenError::Foreign(_))));
    assert_eq!(fs::read(&path)?, before);

    fs::remove_file(&path)?;
    make(directory.path(), 1).await?;
    rusqlite::Connection::open(&path)?.pragma_update(None, "user_version", 99)?;
    assert!(matches!(
        open(directory.path()),
        Err(OpenError::Newer { found: 99, .. })
    ));
    assert!(set_aside(directory.path()).is_empty());
    Ok(())
}
