//! Disks and directories that do not take what they are given.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use meter_gateway::output::{self, State};
use tempfile::TempDir;

use super::setup::*;

/// A file system of our own.
struct Disk(TempDir);

impl Disk {
    /// `None` where only root may mount one, which is a failure in CI.
    fn mount(arguments: &str) -> Option<Self> {
        let directory = tempfile::tempdir().ok()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", arguments, "tmpfs"])
            .arg(directory.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(directory));
        }
        recordings::missing("only root may mount a file system of its own");
        None
    }

    fn remount(&self, arguments: &str) -> Result {
        let mounted = Command::new("mount")
            .args(["-o", &format!("remount,{arguments}")])
            .arg(self.0.path())
            .output()?;
        assert!(mounted.status.success(), "{mounted:?}");
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

#[tokio::test]
async fn a_full_disk_is_waited_for() -> Result {
    let Some(disk) = Disk::mount("size=256k") else {
        return Ok(());
    };
    let mut setup = Setup::new().await?;
    setup.config.directory = disk.path();
    // Not a whole number of lines fits what is left.
    let filler = disk.path().join("filler");
    fs::write(&filler, vec![1; 196_608])?;
    let running = setup.start(CSV).await?;
    setup.append_all(0..400).await?;
    let retrying = |status: &output::Status| status.state == State::Retrying;
    let status = running.until("retrying", retrying).await?;
    assert_says(
        &status.last_error.unwrap_or_default(),
        &["house-2026-05-28.csv: the disk is full: make room on it"],
    );
    // What was begun is taken back, so that nobody reads half of it.
    let text = fs::read_to_string(disk.path().join("house-2026-05-28.csv"))?;
    assert!(text.ends_with("\r\n"), "{text}");
    fs::remove_file(filler)?;
    running.until_delivered().await?;
    running.stop().await?;
    assert_eq!(rows(&disk.path())?, expected_rows(&setup.records().await?)?);
    Ok(())
}

#[tokio::test]
async fn a_disk_that_is_read_only_for_a_while() -> Result {
    let Some(disk) = Disk::mount("size=1m") else {
        return Ok(());
    };
    let mut setup = Setup::new().await?;
    setup.config.directory = disk.path();
    setup.append_all(0..10).await?;
    setup.deliver_all(CSV).await?;
    disk.remount("ro")?;
    let refused = CSV(setup.config.clone())
        .probe()
        .await
        .err()
        .ok_or("good")?;
    assert_says(&refused.to_string(), &["is read-only", "`ReadWritePaths="]);
    let running = setup.start(CSV).await?;
    setup.append_all(10..20).await?;
    let stuck = |status: &output::Status| status.state == State::Misconfigured;
    let status = running.until("misconfigured", stuck).await?;
    assert_says(
        &status.last_error.unwrap_or_default(),
        &["is read-only: a service of systemd needs `ReadWritePaths="],
    );
    disk.remount("rw")?;
    running.until_delivered().await?;
    running.stop().await?;
    assert_eq!(rows(&disk.path())?, expected_rows(&setup.records().await?)?);
    Ok(())
}

#[tokio::test]
async fn a_directory_that_is_not_there_yet() -> Result {
    let mut setup = Setup::new().await?;
    let missing = setup.path("missing");
    setup.config.directory = missing.clone();
    setup.append_all(0..10).await?;
    let refused = JSONL(setup.config.clone())
        .probe()
        .await
        .err()
        .ok_or("good")?;
    let running = setup.start(CSV).await?;
    let stuck = |status: &output::Status| status.state == State::Misconfigured;
    let status = running.until("misconfigured", stuck).await?;
    let fix = format!(
        "make it with `sudo install -d -o meterline {}`",
        missing.display()
    );
    for words in [refused.to_string(), status.last_error.unwrap_or_default()] {
        assert_says(&words, &["is not there", &fix]);
    }
    fs::create_dir(&missing)?;
    running.until_delivered().await?;
    running.stop().await?;
    assert_eq!(rows(&missing)?, expected_rows(&setup.records().await?)?);
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
    let second = start(&other.journal, CSV(setup.config.clone())).await?;
    let retrying = |status: &output::Status| status.state == State::Retrying;
    let status = second.until("retrying", retrying).await?;
    assert_says(
        &status.last_error.unwrap_or_default(),
        &[".house.csv.lock: another process writes these files"],
    );
    first.stop().await?;
    second.until_delivered().await?;
    second.stop().await?;
    assert_eq!(rows(setup.directory())?.len(), 20 * 4);
    Ok(())
}

#[tokio::test]
async fn a_file_of_somebody_else_is_left_alone() -> Result {
    let setup = Setup::new().await?;
    let path = setup.path("house-2026-05-28.csv");
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)?
        .write_all(&vec![1; 3 << 20])?;
    setup.append_all(0..10).await?;
    let running = setup.start(CSV).await?;
    let stuck = |status: &output::Status| status.state == State::Misconfigured;
    let status = running.until("misconfigured", stuck).await?;
    assert_says(
        &status.last_error.unwrap_or_default(),
        &["house-2026-05-28.csv was not written by this output: move it away"],
    );
    assert_eq!(fs::metadata(&path)?.len(), 3 << 20);
    fs::remove_file(&path)?;
    running.until_delivered().await?;
    running.stop().await
}
