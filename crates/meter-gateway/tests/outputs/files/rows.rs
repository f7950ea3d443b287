//! What is in the files is what is in the journal.

use std::fs::{self, OpenOptions};
use std::io::Write;

use meter_core::{Reading, Stamped, payload};
use meter_gateway::config;

use super::setup::*;

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn three_days_of_two_meters_as_csv() -> Result {
    let setup = Setup::new().await?;
    for index in 0..300 {
        let time = START + index * 3 * DAY / 300;
        setup.append_at(&METER, time, index).await?;
        setup.append_at(NAMED, time + 7, index).await?;
    }
    setup.deliver_all(CSV).await?;
    let wanted = [
        "test-2026-05-28.csv",
        "test-2026-05-29.csv",
        "test-2026-05-30.csv",
        "test-2026-05-31.csv",
    ];
    assert_eq!(names(setup.directory())?, wanted);
    let rows = rows(setup.directory())?;
    assert_eq!(rows.len(), 600 * 5);
    assert_eq!(rows, expected_rows(&setup.records().await?)?);
    let first = "2026-05-28T20:26:40.000Z,1 EMH00 1234 5678,1-0:1.8.0*255,Import total (A+),1000000.0,Wh,\r\n";
    let text = fs::read_to_string(setup.path(wanted[0]))?;
    assert!(text.contains(first), "{text:.400}");
    Ok(())
}

#[tokio::test]
async fn a_reading_is_a_line_of_json() -> Result {
    let setup = Setup::new().await?;
    setup.append_all(0..250).await?;
    setup.deliver_all(JSONL).await?;
    let mut wanted = String::new();
    for record in setup.records().await? {
        let reading = Reading::from_bytes(&record.body)?;
        let time = record.time;
        payload::json(&[Stamped { time, reading }], &mut wanted)?;
        wanted.push('\n');
    }
    assert_eq!(
        fs::read_to_string(setup.path("test-2026-05-28.jsonl"))?,
        wanted
    );
    assert_eq!(wanted.lines().count(), 250);
    Ok(())
}

#[tokio::test]
async fn an_unfinished_line_is_cut_off_and_what_is_there_is_not_written_again() -> Result {
    for kind in [CSV, JSONL] {
        let setup = Setup::new().await?;
        setup.append_all(0..150).await?;
        setup.deliver_all(kind).await?;
        let name = names(setup.directory())?.remove(0);
        let whole = fs::read(setup.path(&name))?;
        // As after a kill: a piece of what was written last, and a journal that knows nothing of it.
        for length in [whole.len(), whole.len() - 1, whole.len() - 300, 30, 0] {
            fs::write(setup.path(&name), &whole[..length])?;
            let again = stage().await?;
            again.append_all(0..150).await?;
            again.deliver_all(kind(setup.config.clone())).await?;
            assert!(
                fs::read(setup.path(&name))? == whole,
                "{name} cut to {length}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn noughts_of_a_power_cut_are_cut_off() -> Result {
    let setup = Setup::new().await?;
    setup.append_all(0..10).await?;
    setup.deliver_all(CSV).await?;
    let path = setup.path("test-2026-05-28.csv");
    OpenOptions::new()
        .append(true)
        .open(&path)?
        .write_all(&[b"2026-05-28T".as_slice(), &[0; 5000]].concat())?;
    setup.append_all(10..20).await?;
    setup.deliver_all(CSV).await?;
    assert_eq!(
        rows(setup.directory())?,
        expected_rows(&setup.records().await?)?
    );
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_moved_away_is_begun_anew() -> Result {
    let setup = Setup::new().await?;
    let running = setup.start(CSV).await?;
    setup.append_all(0..10).await?;
    running
        .until("at 10", |status| status.delivered == 10)
        .await?;
    let moved = tempfile::tempdir()?;
    let name = "test-2026-05-28.csv";
    fs::copy(setup.path(name), moved.path().join(name))?;
    fs::remove_file(setup.path(name))?;
    setup.append_all(10..20).await?;
    running
        .until("at 20", |status| status.delivered == 20)
        .await?;
    running.stop().await?;
    let mut found = rows(moved.path())?;
    found.extend(rows(setup.directory())?);
    assert_eq!(found, expected_rows(&setup.records().await?)?);
    Ok(())
}

/// The page's own configuration, with another directory.
#[tokio::test]
async fn the_documented_example_works() -> Result {
    let page = include_str!("../../../../../docs/files.md");
    let blocks: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("```")?.0))
        .collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let setup = Setup::new().await?;
        let here = setup.directory().display().to_string();
        let text = block.replace("/var/lib/meterline/files", &here);
        let config = config::Config::parse("docs/files.md", &text)?;
        let output = config.output.into_values().next().ok_or("no output")?;
        setup.append_all(0..10).await?;
        Stage::deliver_all(&setup, output).await?;
        let files = files(setup.directory())?;
        assert!(files.values().any(|text| text.contains("1-0:1.8.0*255")));
    }
    Ok(())
}
