//! `kill -9` at random moments: every reading of the journal is in the files once.
//!
//! The test starts itself again as the victim, which appends readings and writes files.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use meter_core::{Reading, Stamped, payload};
use rand::RngExt;

use super::setup::*;

const VICTIM: &str = "METERLINE_TEST_FILES_VICTIM";
const KILLS: u32 = 40;
/// A day has a few hundred readings, so that days end, and are compressed, all the time.
const STEP: i64 = 300_000;

async fn stage_in(directory: &Path) -> Result<Stage> {
    let mut stage = Stage::at(directory).await?;
    stage.further = all_kinds().into();
    Ok(stage)
}

/// Appends and writes, for ever.
#[tokio::test]
async fn victim() -> Result {
    let Some(directory) = std::env::var_os(VICTIM) else {
        return Ok(());
    };
    let directory = Path::new(&directory);
    let stage = stage_in(directory).await?;
    let mut config = config(&directory.join("files"));
    config.compress_after = millis(100);
    let kind = if directory.join("csv").exists() {
        CSV
    } else {
        JSONL
    };
    let _running = stage.start(kind(config)).await?;
    let mut index = i64::try_from(stage.journal.status().await?.last_seq)?;
    loop {
        // A handful, and a pause in which it may be written.
        for _ in 0..rand::rng().random_range(1..200) {
            index += 1;
            stage.append_at(&METER, START + index * STEP, index).await?;
        }
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(0..40))).await;
    }
}

fn live_and_die(directory: &Path, after: Duration) -> Result {
    let mut child = Command::new(std::env::current_exe()?)
        .args([
            "--exact",
            "files::kill::victim",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(VICTIM, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    std::thread::sleep(after);
    child.kill()?; // SIGKILL
    child.wait()?;
    Ok(())
}

/// Whether any file is not compressed, or not yet whole; all of the readings' days are over.
fn days_left(directory: &Path) -> Result<bool> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let end = path.extension().and_then(|extension| extension.to_str());
        if !matches!(end, Some("gz" | "lock")) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Kills, and then writes what is left. Returns what the journal holds.
async fn kill_and_finish(directory: &Path, kind: Kind) -> Result<Stage> {
    std::fs::create_dir(directory.join("files"))?;
    for _ in 0..KILLS {
        let after = rand::rng().random_range(20..300);
        live_and_die(directory, Duration::from_millis(after))?;
    }
    let stage = stage_in(directory).await?;
    let mut config = config(&directory.join("files"));
    config.compress_after = millis(100);
    let running = stage.start(kind(config)).await?;
    running.until_delivered().await?;
    // Until a day is compressed, a kill may have left its file beside the copy.
    let files = directory.join("files");
    wait_for("all days compressed", async || Ok(!days_left(&files)?)).await?;
    running.stop().await?;
    Ok(stage)
}

#[tokio::test]
async fn rows_are_there_once() -> Result {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("csv"), "")?;
    let stage = kill_and_finish(directory.path(), CSV).await?;
    let records = stage.records().await?;
    assert!(records.len() > 1000, "only {} readings", records.len());
    let rows = rows(&directory.path().join("files"))?;
    assert!(
        rows == expected_rows(&records)?,
        "other rows than the journal's"
    );
    Ok(())
}

#[tokio::test]
async fn lines_are_there_once() -> Result {
    let directory = tempfile::tempdir()?;
    let stage = kill_and_finish(directory.path(), JSONL).await?;
    let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
    let records = stage.records().await?;
    for record in &records {
        let reading = Reading::from_bytes(&record.body)?;
        let time = record.time;
        let mut line = String::new();
        payload::json(&[Stamped { time, reading }], &mut line)?;
        *wanted.entry(line).or_default() += 1;
    }
    assert!(records.len() > 1000, "only {} readings", records.len());
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for text in files(&directory.path().join("files"))?.values() {
        for line in text.lines() {
            *found.entry(line.to_owned()).or_default() += 1;
        }
    }
    assert!(found == wanted, "other lines than the journal's");
    Ok(())
}
