//! Readings that are too strange to be true, and the way out.

use meter_core::ServerId;
use meter_gateway::run::request_accept;
use meter_sim::MeterConfig;

use crate::bench::{Head, Program, Result, journal};

fn meter(import_wh: u64) -> MeterConfig {
    MeterConfig {
        import_wh: Some(import_wh),
        ..MeterConfig::default()
    }
}

#[tokio::test]
async fn a_spike_is_kept_apart_and_the_meter_goes_on() -> Result {
    let mut head = Head::new(&meter(5_000_000)).await?;
    let mut program = Program::start(&head.table("house")?)?;
    program.expect("not plausible");
    head.send(2).await?;
    program.stored(2).await?;
    head.replace(&meter(5_524_288))?;
    head.send(1).await?;
    let view = program
        .until("one suspect", |view| view.journal.suspects == 1)
        .await?;
    assert_eq!(view.meters[head.server_id()].suspects, 1);
    assert!(view.to_string().contains("1 suspect kept apart"), "{view}");

    head.replace(&meter(5_000_001))?;
    head.send(1).await?;
    program.stored(3).await?;
    assert_eq!(journal(program.stop().await?.path()).await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn the_guard_remembers_over_a_restart() -> Result {
    let mut head = Head::new(&meter(5_000_000)).await?;
    let table = head.table("house")?;
    let mut program = Program::start(&table)?;
    head.send(1).await?;
    program.stored(1).await?;
    let state = program.stop().await?;
    head.hang_up();

    let clocks = crate::bench::TestClocks::at(crate::bench::TODAY);
    let mut program = Program::start_at(&table, state, clocks)?;
    program.expect("not plausible");
    head.replace(&meter(4_000_000))?;
    head.send(1).await?;
    let view = program
        .until("one suspect", |view| view.journal.suspects == 1)
        .await?;
    assert_eq!(view.stored, 0);
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_meter_that_was_reset_is_accepted_by_a_person() -> Result {
    let mut head = Head::new(&meter(5_000_000)).await?;
    let mut program = Program::start(&head.table("house")?)?;
    program.expect("not plausible");
    head.send(1).await?;
    program.stored(1).await?;
    // A spike, which stays a suspect for ever.
    head.replace(&meter(9_000_000))?;
    head.send(1).await?;
    // The counters begin anew.
    head.replace(&meter(0))?;
    head.send(3).await?;
    program
        .until("four suspects", |view| view.journal.suspects == 4)
        .await?;

    let name = ServerId(head.server_id()).meter_id().to_string();
    request_accept(program.state.path(), &name.parse()?)?;
    let view = program
        .until("accepted", |view| view.journal.suspects == 1)
        .await?;
    assert_eq!(view.journal.last_seq, 4);
    head.send(2).await?;
    program.stored(3).await?;
    let records = journal(program.stop().await?.path()).await?;
    assert_eq!(records.len(), 6);
    Ok(())
}

#[tokio::test]
async fn two_inputs_that_read_one_meter_do_not_fight() -> Result {
    let mut here = Head::new(&meter(5_000_000)).await?;
    // The same meter, seen a little earlier.
    let mut there = Head::new(&meter(4_999_000)).await?;
    assert_eq!(here.server_id(), there.server_id());
    let text = format!("{}{}", here.table("here")?, there.table("there")?);
    let mut program = Program::start(&text)?;
    program.expect("both read it");
    for sent in 1..=3 {
        here.send(1).await?;
        program.stored(2 * sent - 1).await?;
        there.send(1).await?;
        program.stored(2 * sent).await?;
    }
    let view = program.stored(6).await?;
    assert_eq!(view.meters[here.server_id()].suspects, 0);
    program.stop().await?;
    Ok(())
}
