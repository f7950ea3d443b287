//! SIGHUP.

use meter_sim::MeterConfig;

use crate::bench::{Head, Program, Result, journal};

#[tokio::test]
async fn what_is_unchanged_goes_on_without_losing_a_byte() -> Result {
    let mut house = Head::new(&MeterConfig::default()).await?;
    let mut garage = Head::new(&MeterConfig {
        serial: Some(77),
        ..MeterConfig::default()
    })
    .await?;
    let both = house.table("house")? + &garage.table("garage")?;
    let mut program = Program::start(&house.table("house")?)?;
    program.expect("no [output.NAME]");
    // Half a telegram before the reload, half of it after: the decoder must not have been replaced.
    for round in 0..20 {
        let rest = house.begin().await?;
        let text = if round % 2 == 0 {
            both.clone()
        } else {
            house.table("house")?
        };
        program.reload(&text).await?;
        let reloaded = round % 2 == 0;
        program
            .until("reloaded", |view| {
                view.inputs.contains_key("garage") == reloaded
            })
            .await?;
        house.end(&rest).await?;
    }
    program.stored(20).await?;
    program.reload(&both).await?;
    program
        .until("the garage is read", |view| {
            view.inputs.contains_key("garage")
        })
        .await?;
    garage.hang_up();
    let state = program.stop().await?;
    assert_eq!(house.connections, 1);
    assert_eq!(journal(state.path()).await?.len(), 20);
    Ok(())
}

#[tokio::test]
async fn inputs_come_and_go() -> Result {
    let mut house = Head::new(&MeterConfig::default()).await?;
    let mut garage = Head::new(&MeterConfig {
        serial: Some(77),
        ..MeterConfig::default()
    })
    .await?;
    let mut program = Program::start(&house.table("house")?)?;
    program.expect("no [output.NAME]");
    house.send(1).await?;
    program.stored(1).await?;

    program.reload(&garage.table("garage")?).await?;
    garage.send(1).await?;
    let view = program.stored(2).await?;
    assert_eq!(view.meters.len(), 2);
    let view = program
        .until("the house is gone", |view| {
            !view.inputs.contains_key("house")
        })
        .await?;
    assert_eq!(view.inputs.keys().collect::<Vec<_>>(), ["garage"]);

    // The same meter with another setting is opened anew.
    program
        .reload(&(garage.table("garage")? + "silence = \"5m\"\n"))
        .await?;
    garage.hang_up();
    garage.send(1).await?;
    program.stored(3).await?;
    assert_eq!(garage.connections, 2);
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_one_and_says_why() -> Result {
    let mut head = Head::new(&MeterConfig::default()).await?;
    let mut program = Program::start(&head.table("house")?)?;
    program.expect("did you mean `interval`?");
    program.expect("no [output.NAME]");
    head.send(1).await?;
    program.stored(1).await?;

    program
        .reload(&(head.table("house")? + "intervall = \"10s\"\n"))
        .await?;
    let view = program
        .until("refused", |view| view.bad_config.is_some())
        .await?;
    assert_eq!(
        view.bad_config.as_deref(),
        Some(
            "meterline.toml:5:1: unknown key `intervall` in [input.house]: did you mean `interval`?"
        )
    );
    head.send(1).await?;
    program.stored(2).await?;

    program.reload(&head.table("house")?).await?;
    program
        .until("taken", |view| view.bad_config.is_none())
        .await?;
    program.stop().await?;
    assert_eq!(head.connections, 1);
    Ok(())
}
