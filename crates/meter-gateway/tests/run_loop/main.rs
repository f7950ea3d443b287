//! The program as a whole, with real sockets, a real journal and a clock that can be set.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod clock;
mod delivery;
mod guard;
mod reload;
mod watchdog;

use std::time::{Duration, Instant};

use bench::{Head, Program, Result, TODAY, journal};
use meter_core::Reading;
use meter_sim::MeterConfig;
use sml_wire::Obis;

const IMPORT: Obis = Obis([1, 0, 1, 8, 0, 255]);

#[tokio::test]
async fn readings_go_from_the_meter_into_the_journal() -> Result {
    let mut head = Head::new(&MeterConfig::default()).await?;
    let mut program = Program::start(&head.table("house")?)?;
    head.send(5).await?;
    let view = program.stored(5).await?;
    let meter = &view.meters[head.server_id()];
    assert_eq!(
        (meter.input.as_deref(), meter.readings, meter.suspects),
        (Some("house"), 5, 0)
    );
    assert!((meter.time.0 - TODAY.0).abs() < 60_000);
    assert!(Reading::from_bytes(&meter.body)?.register(IMPORT).is_some());

    let state = program.stop().await?;
    let records = journal(state.path()).await?;
    assert_eq!(records.len(), 5);
    assert!(
        records
            .iter()
            .all(|record| *record.meter == *head.server_id())
    );
    assert!(records.is_sorted_by_key(|record| record.time));
    Ok(())
}

#[tokio::test]
async fn the_end_comes_within_two_seconds_and_everything_is_stored() -> Result {
    let mut head = Head::new(&MeterConfig::default()).await?;
    // Takes connections and never answers.
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let text = format!(
        "{}[output.backend]\ntype = \"rest\"\nurl = \"http://{}/\"\nallow_insecure = true\n",
        head.table("house")?,
        server.local_addr()?
    );
    let mut program = Program::start(&text)?;
    head.send(3).await?;
    program.stored(3).await?;
    let (_hanging, _) = server.accept().await?;
    head.send(20).await?;
    program.stored(23).await?;

    let begin = Instant::now();
    let state = program.stop().await?;
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(journal(state.path()).await?.len(), 23);
    Ok(())
}

/// The newest reading of an interval that is not over is not thrown away.
#[tokio::test]
async fn an_unfinished_interval_is_stored_when_its_input_stops() -> Result {
    let mut head = Head::new(&MeterConfig::default()).await?;
    let table = head.table("house")?;
    let hourly = table.replace("\"every\"", "\"1h\"");
    let mut program = Program::start(&hourly)?;
    program.expect("no [output.NAME]");
    head.send(3).await?;
    program
        .until("three readings", |view| {
            view.inputs
                .get("house")
                .is_some_and(|input| input.readings == 3)
        })
        .await?;
    // By another setting of the input, and by the end of the program.
    program
        .reload(&format!("{hourly}silence = \"5m\"\n"))
        .await?;
    program.stored(1).await?;
    head.hang_up();
    head.send(2).await?;
    program
        .until("two readings", |view| {
            view.inputs
                .get("house")
                .is_some_and(|input| input.readings == 2)
        })
        .await?;
    let state = program.stop().await?;
    assert_eq!(journal(state.path()).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_second_program_on_the_same_journal_is_refused() -> Result {
    let head = Head::new(&MeterConfig::default()).await?;
    let mut first = Program::start(&head.table("house")?)?;
    first.until("reads", |view| !view.inputs.is_empty()).await?;
    let state = first.state.path().to_owned();
    let second = Program::start(&format!("state_dir = {state:?}\n"))?;
    let error = second.stop().await.map(drop).unwrap_err().to_string();
    assert!(error.contains("is in use by process"), "{error}");
    first.stop().await?;
    Ok(())
}
