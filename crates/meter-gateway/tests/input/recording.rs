use std::time::{Duration, Instant};

use meter_gateway::config::Interval;
use meter_gateway::input::{Config, State, file};

use super::running::start;
use super::{meter, telegrams};

#[tokio::test]
async fn a_recording_is_read_to_its_end_through_all_garbage() {
    let all = telegrams(&mut meter(1), 50);
    let mut bytes = b"\x1b\x1b\x1b".to_vec();
    for (number, telegram) in all.iter().enumerate() {
        bytes.extend_from_slice(&vec![0x1b; number]);
        bytes.extend_from_slice(telegram);
        bytes.extend_from_slice(&telegram[..number]);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let (readings, status) = start("recording", Config::File(file::Config::new(file.path())))
        .end()
        .await;
    assert_eq!(readings.len(), 50);
    for (reading, telegram) in readings.iter().zip(&all) {
        assert!(
            telegram
                .windows(reading.body.len())
                .any(|part| part == reading.body)
        );
    }
    assert_eq!(status.state, State::Finished);
    let counts = status.counts;
    let other = counts.noise_bytes + counts.cut_bytes + counts.invalid_bytes + counts.crc_bytes;
    assert_eq!(counts.frame_bytes + other, bytes.len() as u64);
}

#[tokio::test]
async fn the_last_reading_of_a_recording_is_not_lost_in_an_interval() {
    let all = telegrams(&mut meter(1), 5);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), all.concat()).unwrap();
    let config = file::Config {
        interval: Interval::from_secs(10),
        ..file::Config::new(file.path())
    };
    let (readings, _) = start("last", Config::File(config)).end().await;
    assert_eq!(readings.len(), 1);
    let body = &readings[0].body;
    assert!(
        all[4]
            .windows(body.len())
            .any(|part| part == body.as_slice())
    );
}

#[tokio::test]
async fn the_pace_of_a_recording_is_the_meters() {
    let all = telegrams(&mut meter(1), 3);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), all.concat()).unwrap();
    let config = file::Config {
        pace: file::Pace::Recorded,
        ..file::Config::new(file.path())
    };
    let begun = Instant::now();
    let (readings, _) = start("pace", Config::File(config)).end().await;
    assert_eq!(readings.len(), 3);
    assert!(
        begun.elapsed() >= Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    let apart = readings[2].at.mono.saturating_sub(readings[0].at.mono);
    assert!(apart >= Duration::from_secs(2), "{apart:?}");
}

#[tokio::test]
async fn a_recording_without_telegrams_says_what_it_is() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "1-0:1.8.0*255(00000999.0000000*kWh)\r\n").unwrap();
    let running = start("text", Config::File(file::Config::new(file.path())));
    let (readings, _) = running.end().await;
    assert_eq!(readings.len(), 0);
    let warnings = super::log::said(tracing::Level::WARN, "text");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("this meter speaks D0"), "{warnings:?}");
}

#[tokio::test]
async fn a_recording_that_is_not_there_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.bin");
    let mut running = start("missing", Config::File(file::Config::new(&path)));
    let trouble = running.trouble("file").await;
    assert!(
        trouble
            .text
            .starts_with(&format!("cannot read {}: No such file", path.display())),
        "{trouble}"
    );
    let whole = directory.path().join("whole.bin");
    std::fs::write(&whole, telegrams(&mut meter(1), 2).concat()).unwrap();
    std::fs::rename(&whole, &path).unwrap();
    let (readings, _) = running.end().await;
    assert_eq!(readings.len(), 2);
}
