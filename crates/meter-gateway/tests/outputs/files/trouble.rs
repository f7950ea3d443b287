//! Disks and directories that do not take what they are given.

use std::fs::{self, OpenOptions};
use std::io::Write;

use fixtures::Disk;
use meter_gateway::output::State;

use super::setup::*;

#[tokio::test]
async fn a_full_disk_is_waited_for() -> Result {
    let Some(disk) = Disk::mount("size=256k") else {
        return Ok(());
    };
    let mut setup = Setup::new().await?;
    setup.config.directory = disk.path().to_owned();
    // Not a whole number of lines fits what is left.
    let filler = disk.path().join("filler");
    fs::write(&filler, vec![1; 196_608])?;
    let running = setup.start(CSV).await?;
    setup.append_all(0..400).await?;
    assert_says(
        &running.complaint(State::Retrying).await?,
        &["test-2026-05-28.csv: the disk is full: make room on it"],
    );
    // What was begun is taken back, so that nobody reads half of it.
    let text = fs::read_to_string(disk.path().join("test-2026-05-28.csv"))?;
    assert!(text.ends_with("\r\n"), "{text}");
    fs::remove_file(filler)?;
    running.until_delivered().await?;
    running.stop().await?;
    assert_eq!(rows(disk.path())?, expected_rows(&setup.records().await?)?);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_a_directory_is_said() -> Result {
    let mut setup = Setup::new().await?;
    let file = setup.path("file");
    fs::write(&file, "")?;
    setup.config.directory = file;
    let refused = CSV(setup.config.clone())
        .probe()
        .await
        .err()
        .ok_or("good")?;
    assert_says(
        &refused.to_string(),
        &["file is no directory: name another one"],
    );
    setup.config.directory = "relative".into();
    let refused = CSV(setup.config).validate().err().ok_or("good")?;
    assert_says(&refused.to_string(), &["must be an absolute path"]);
    assert_eq!(refused.key(), Some("directory"));
    Ok(())
}

#[tokio::test]
async fn a_good_directory_is_said_too() -> Result {
    let setup = Setup::new().await?;
    let said = CSV(setup.config.clone()).probe().await?;
    assert_says(&said, &["can be written, ", " MiB are free"]);
    assert_eq!(fs::read_dir(setup.directory())?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn two_that_write_the_same_files_do_not_mix_them() -> Result {
    let setup = Setup::new().await?;
    let other = Setup::new().await?;
    setup.append_all(0..10).await?;
    other.append_all(10..20).await?;
    let first = setup.start(CSV).await?;
    first.until_delivered().await?;
    let second = Stage::start(&other, CSV(setup.config.clone())).await?;
    assert_says(
        &second.complaint(State::Retrying).await?,
        &[".test.csv.lock: another process writes these files"],
    );
    first.stop().await?;
    second.until_delivered().await?;
    second.stop().await?;
    assert_eq!(rows(setup.directory())?.len(), 20 * 5);
    Ok(())
}

#[tokio::test]
async fn a_file_of_somebody_else_is_left_alone() -> Result {
    let setup = Setup::new().await?;
    let path = setup.path("test-2026-05-28.csv");
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)?
        .write_all(&vec![1; 3 << 20])?;
    setup.append_all(0..10).await?;
    let running = setup.start(CSV).await?;
    assert_says(
        &running.complaint(State::Misconfigured).await?,
        &["test-2026-05-28.csv was not written by this output: move it away"],
    );
    assert_eq!(fs::metadata(&path)?.len(), 3 << 20);
    fs::remove_file(&path)?;
    running.until_delivered().await?;
    running.stop().await
}
