//! The scenarios, each written once for every output.

use std::time::Duration;

use meter_gateway::output::{State, Status};

use super::{Scenario, Scene, Server, trouble};
use crate::gate::Way;
use crate::stage::{Result, assert_says, wait_for};

/// So slow that a word takes longer than anybody waits.
const TRICKLE: Way = Way::Trickle(Duration::from_millis(100));
/// What an output with a second of patience says then.
const TOO_LATE: &[&str] = &["no answer within 1 s"];

pub async fn outage<S: Server>() -> Result {
    let Some(mut scene) = Scene::<S>::set(Scenario::Outage).await? else {
        return Ok(());
    };
    scene.leave().await?;
    scene.stage.append_all(0..20).await?;
    let running = scene.start().await?;
    running.complaint(S::AWAY).await?;
    scene.come_back().await?;
    running
        .until("at 20", |status| status.delivered == 20)
        .await?;
    scene.leave().await?;
    scene.stage.append_all(20..120).await?;
    let waits = |status: &Status| status.state == S::AWAY && status.backlog == 100;
    running.until("with a backlog", waits).await?;
    scene.come_back().await?;
    running
        .until("at 120", |status| status.delivered == 120)
        .await?;
    // A line for each outage, and one where a connection broke before none could be had.
    let warnings = scene.stage.warnings();
    assert!((2..=3).contains(&warnings.len()), "{warnings:?}");
    assert_says(&scene.stage.log(), &["delivering again after"]);
    scene.end(running, 0).await
}

pub async fn killed<S: Server>() -> Result {
    let Some(mut scene) = Scene::<S>::set(Scenario::Killed).await? else {
        return Ok(());
    };
    scene.stage.append_all(0..300).await?;
    let running = scene.start().await?;
    if S::OUTLIVES_A_KILL {
        running
            .until("at 20", |status| status.delivered >= 20)
            .await?;
        scene.server.kill().await?;
        scene.cut().await;
    } else {
        running
            .until("at 300", |status| status.delivered == 300)
            .await?;
        scene.cut().await;
        scene.server.rows().await?;
        scene.server.kill().await?;
    }
    scene.stage.append_all(300..400).await?;
    running.complaint(State::Retrying).await?;
    scene.server.again().await?;
    scene.come_back().await?;
    scene.end(running, 1).await
}

pub async fn restart<S: Server>() -> Result {
    let Some(scene) = Scene::<S>::set(Scenario::Restart).await? else {
        return Ok(());
    };
    let rounds: u32 = 24;
    for round in 0..rounds {
        let first = i64::from(round) * 10;
        scene.stage.append_all(first..first + 10).await?;
        let running = scene.start().await?;
        // Somewhere between the name of the server and its last answer.
        tokio::time::sleep(Duration::from_micros(400) * round * round).await;
        running.kill().await;
    }
    let running = scene.start().await?;
    scene.end(running, rounds.try_into()?).await
}

pub async fn refused<S: Server>() -> Result {
    let Some(mut scene) = Scene::<S>::set(Scenario::Refused).await? else {
        return Ok(());
    };
    scene.stage.append_all(0..6).await?;
    let running = scene.start().await?;
    running
        .until("at 6", |status| status.delivered == 6)
        .await?;
    running.stop().await?;
    let words = scene.server.refuse(&scene.stage, 6).await?;
    scene.stage.append_all(7..20).await?;
    let running = scene.start().await?;
    let status = running.until_delivered().await?;
    running.stop().await?;
    assert_eq!((status.delivered, status.rejected), (13, 1));
    assert_says(&scene.stage.rejected().await?[0].answer, words);
    let warnings = scene.stage.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_says(
        &warnings[0],
        &["set aside a reading of meter 1 EMH00 1234 5678"],
    );
    scene.compare(0, &[6]).await
}

pub async fn forbidden<S: Server>() -> Result {
    let Some(mut scene) = Scene::<S>::set(Scenario::Forbidden).await? else {
        return Ok(());
    };
    scene.stage.append_all(0..20).await?;
    let (wrong, words) = scene.server.forbid(scene.port()).await?;
    let running = scene.start_with(wrong, 5000).await?;
    trouble(&running, State::Misconfigured, words).await?;
    running
        .until("with a backlog", |status| status.backlog == 20)
        .await?;
    running.stop().await?;
    let warnings = scene.stage.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    scene.server.allow().await?;
    let running = scene.start().await?;
    scene.end(running, 0).await
}

pub async fn mistrusted<S: Server>() -> Result {
    let Some(mut scene) = Scene::<S>::set(Scenario::Mistrusted).await? else {
        return Ok(());
    };
    scene.stage.append_all(0..20).await?;
    for (wrong, words) in scene.server.mistrust(scene.port()).await? {
        let running = scene.start_with(wrong, 5000).await?;
        trouble(&running, State::Retrying, words).await?;
        running.stop().await?;
    }
    let running = scene.start().await?;
    let status = running.until_delivered().await?;
    assert_eq!(status.delivered, 20);
    scene.end(running, 0).await
}

pub async fn slow<S: Server>() -> Result {
    let Some(scene) = Scene::<S>::set(Scenario::Slow).await? else {
        return Ok(());
    };
    scene.gate()?.set(Way::Slow(Duration::from_millis(50)));
    scene.stage.append_all(0..20).await?;
    let running = scene.start().await?;
    running
        .until("at 20", |status| status.delivered == 20)
        .await?;
    running.stop().await?;
    assert_eq!(scene.stage.warnings(), [""; 0]);
    scene.gate()?.set(TRICKLE);
    scene.stage.append_all(20..40).await?;
    let right = scene.server.output(scene.port());
    let running = scene.start_with(right, 1000).await?;
    trouble(&running, State::Retrying, TOO_LATE).await?;
    scene.gate()?.set(Way::Open);
    let breaks = scene.gate()?.opened();
    scene.end(running, breaks).await
}

pub async fn silent<S: Server>() -> Result {
    let Some(scene) = Scene::<S>::set(Scenario::Silent).await? else {
        return Ok(());
    };
    let right = || scene.server.output(scene.port());
    let running = scene.start_with(right(), 1000).await?;
    scene.stage.append_all(0..5).await?;
    running
        .until("at 5", |status| status.delivered == 5)
        .await?;
    // On a connection that was good so far, and on a new one.
    scene.gate()?.set(Way::Silent);
    scene.stage.append_all(5..10).await?;
    trouble(&running, State::Retrying, TOO_LATE).await?;
    running.stop().await?;
    let running = scene.start_with(right(), 1000).await?;
    trouble(&running, State::Retrying, TOO_LATE).await?;
    scene.gate()?.set(Way::Open);
    let breaks = scene.gate()?.opened();
    scene.end(running, breaks).await
}

pub async fn drops<S: Server>() -> Result {
    let Some(scene) = Scene::<S>::set(Scenario::Drops).await? else {
        return Ok(());
    };
    let gate = scene.gate()?;
    gate.set(Way::Drops);
    scene.stage.append_all(0..20).await?;
    let running = scene.start().await?;
    running.complaint(State::Retrying).await?;
    gate.until_opened(2).await?;
    // So many connections break, or everything is through in spite of that.
    let broken = async |further: usize, through: u64| {
        let before = gate.opened();
        wait_for("broken", async || {
            let delivered = running.status.borrow().delivered;
            Ok(gate.opened() >= before + further || delivered == through)
        })
        .await
    };
    // After nothing, in the middle of a handshake, and after some answers.
    for (round, most) in (2..).zip([0, 4, 40, 400, 1600, 2400, 3200]) {
        gate.set(Way::Deaf(most));
        scene.stage.append_all(round * 10..round * 10 + 10).await?;
        broken(2, u64::try_from(round * 10 + 10)?).await?;
    }
    // Again and again in the middle of many.
    gate.set(Way::Deaf(200));
    scene.stage.append_all(90..590).await?;
    broken(8, 590).await?;
    gate.set(Way::Open);
    let breaks = gate.opened();
    scene.end(running, breaks).await
}
