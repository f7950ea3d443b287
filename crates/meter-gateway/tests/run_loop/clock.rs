//! Time stamps while the clock of the host is wrong.

use meter_core::UnixMillis;
use meter_sim::MeterConfig;

use crate::bench::{Head, Program, Result, TODAY, TestClocks, journal};

const YEAR: i64 = 365 * 86_400_000;

fn near(time: UnixMillis, wanted: UnixMillis) -> bool {
    (time.0 - wanted.0).abs() < 60_000
}

#[tokio::test]
async fn readings_from_before_the_clock_was_right_get_their_time() -> Result {
    let clocks = TestClocks::at(UnixMillis(5000));
    let mut head = Head::new(&MeterConfig::default()).await?;
    let mut program =
        Program::start_at(&head.table("house")?, tempfile::tempdir()?, clocks.clone())?;
    program.expect("which cannot be");
    head.send(3).await?;
    let view = program
        .until("three wait", |view| view.journal.provisional == 3)
        .await?;
    assert!(view.clock_wrong);
    assert_eq!(view.stored, 0);

    clocks.set(TODAY);
    let view = program
        .until("stamped", |view| view.journal.last_seq == 3)
        .await?;
    assert_eq!(view.journal.provisional, 0);
    head.send(2).await?;
    program.stored(2).await?;
    let records = journal(program.stop().await?.path()).await?;
    assert_eq!(records.len(), 5);
    assert!(
        records.iter().all(|record| near(record.time, TODAY)),
        "{records:?}"
    );
    assert!(records.is_sorted_by_key(|record| record.time));
    Ok(())
}

#[tokio::test]
async fn a_machine_without_a_clock_chip_is_doubted_after_its_start() -> Result {
    let clocks = TestClocks::without_chip(TODAY);
    let mut head = Head::new(&MeterConfig::default()).await?;
    let mut program =
        Program::start_at(&head.table("house")?, tempfile::tempdir()?, clocks.clone())?;
    head.send(3).await?;
    let view = program
        .until("three wait", |view| view.journal.provisional == 3)
        .await?;
    assert!(view.clock_wrong);
    // Shown live all the same.
    assert_eq!(view.meters[head.server_id()].readings, 3);

    clocks.set(UnixMillis(TODAY.0 + 7 * 3_600_000));
    program
        .until("stamped", |view| view.journal.last_seq == 3)
        .await?;
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn readings_that_a_restart_left_waiting_get_their_time() -> Result {
    let mut head = Head::new(&MeterConfig::default()).await?;
    let table = head.table("house")?;
    let early = TestClocks::at(UnixMillis(5000));
    let mut program = Program::start_at(&table, tempfile::tempdir()?, early)?;
    program.expect("which cannot be");
    head.send(2).await?;
    program
        .until("two wait", |view| view.journal.provisional == 2)
        .await?;
    let state = program.stop().await?;
    head.hang_up();

    // The meter says nothing any more.
    let mut program = Program::start_at(&table, state, TestClocks::at(TODAY))?;
    program
        .until("both are stamped", |view| view.journal.last_seq == 2)
        .await?;
    let records = journal(program.stop().await?.path()).await?;
    assert!(records.iter().all(|record| near(record.time, TODAY)));
    Ok(())
}

#[tokio::test]
async fn readings_of_an_earlier_boot_get_their_time_by_the_meters_own_clock() -> Result {
    let mut head = Head::new(&MeterConfig {
        step_ms: Some(60_000),
        ..MeterConfig::default()
    })
    .await?;
    let table = head.table("house")?;
    let state = tempfile::tempdir()?;
    let early = TestClocks::at(UnixMillis(5000));
    let mut program = Program::start_at(&table, state, early)?;
    program.expect("which cannot be");
    head.send(2).await?;
    program
        .until("two wait", |view| view.journal.provisional == 2)
        .await?;
    let state = program.stop().await?;
    head.hang_up();
    // As if the machine had been started again: nothing is known of that boot's clock.
    let database = rusqlite::Connection::open(state.path().join("journal.db"))?;
    let changed = database.execute("UPDATE provisional SET boot = 'an earlier one'", [])?;
    assert_eq!(changed, 2);
    drop(database);

    let mut program = Program::start_at(&table, state, TestClocks::at(TODAY))?;
    head.send(1).await?;
    program
        .until("all are stamped", |view| view.journal.last_seq == 3)
        .await?;
    let records = journal(program.stop().await?.path()).await?;
    let mut times: Vec<_> = records.iter().map(|record| record.time.0).collect();
    times.sort_unstable();
    assert_eq!([times[1] - times[0], times[2] - times[1]], [60_000, 60_000]);
    assert!(near(UnixMillis(times[2]), TODAY));
    Ok(())
}

#[tokio::test]
async fn a_clock_that_jumps_by_a_year_is_not_followed_at_once() -> Result {
    let clocks = TestClocks::at(TODAY);
    let mut head = Head::new(&MeterConfig::default()).await?;
    let mut program =
        Program::start_at(&head.table("house")?, tempfile::tempdir()?, clocks.clone())?;
    program.expect("too much to be believed at once");
    for (sent, wall) in [
        (1, TODAY.0),
        (2, TODAY.0 + YEAR),
        (3, TODAY.0 - YEAR),
        (4, TODAY.0),
    ] {
        clocks.set(UnixMillis(wall));
        head.send(1).await?;
        program.stored(sent).await?;
    }
    let records = journal(program.stop().await?.path()).await?;
    assert_eq!(records.len(), 4);
    assert!(
        records.iter().all(|record| near(record.time, TODAY)),
        "{records:?}"
    );
    Ok(())
}
