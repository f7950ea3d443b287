//! The server is away, and then the power: what is lost is within the stated bound.

use std::time::{Duration, Instant};

use emulator::{Board, Result};
use meter_sim::backend::{Answer, Behaviour, Step};
use meter_sim::{Faults, Line, Meter, MeterConfig, model};
use serde_json::Value;

use crate::readings::{Sent, account, must_be_each_once, send, send_fast};
use crate::world::World;

/// The bound of `meter_device::outbox`: fewer readings than this.
const UNSPILLED: usize = 16;

/// A meter that sends each second of its own time, and is hurried: for a guard that allows it.
fn meter() -> Result<Meter> {
    let model = model::find("emh-mme40")?;
    Ok(Meter::new(model, &MeterConfig::default()))
}

fn settings(world: &World) -> String {
    world.rest("guard.max_power = 1000000")
}

fn count(info: &Value, what: &str) -> usize {
    let count = info["outbox"][what].as_u64();
    count
        .and_then(|count| count.try_into().ok())
        .unwrap_or(usize::MAX)
}

#[test]
fn the_server_is_away_and_then_the_power() -> Result {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    let Some(mut board) = world.bring_up(&settings(&world))? else {
        return Ok(());
    };
    let mut meter = meter()?;
    let mut sent = send(&mut board, meter.by_ref().take(3))?;
    world.arrive(sent.len());

    // More than fits into RAM.
    world.outage(true);
    sent.extend(send_fast(&mut board, 4, meter.by_ref().take(60))?);
    let delivered = 3;
    // The last telegram may still be on its way through a busy host.
    let late = Instant::now() + Duration::from_secs(30);
    let (info, in_memory, in_flash) = loop {
        let info = world.info(&board)?;
        let (in_memory, in_flash) = (count(&info, "in_memory"), count(&info, "in_flash"));
        if in_memory + in_flash >= sent.len() - delivered || Instant::now() > late {
            break (info, in_memory, in_flash);
        }
    };
    assert!(in_flash >= 32 && in_memory < UNSPILLED, "{info}");
    drop(board);
    let at_risk = sent.len() - in_memory..sent.len();

    let Some(mut board) = world.switch_on()? else {
        return Ok(());
    };
    board.until(&format!("outbox: {in_flash} readings wait"))?;
    board.until("wifi: joined")?;
    sent.extend(send_fast(&mut board, 4, meter.take(5))?);
    world.outage(false);
    let info = world.drain(&board)?;
    let account = account(&world.backend.accepted_readings(), &sent)?;
    eprintln!("{account:?} of {} readings", sent.len());
    // How old these may be is tested where the clock is turned by hand: here it runs on while the host is busy.
    let within = |at: &usize| at_risk.contains(at);
    assert!(account.lost.iter().all(within), "{account:?}");
    assert!(account.lost.len() < UNSPILLED, "{account:?}");
    assert_eq!(
        count(&info, "dropped") + count(&info, "thinned"),
        0,
        "{info}"
    );
    Ok(())
}

/// Sends until readings are given up, as fast as the device takes them.
fn fill(board: &mut Board, mut meter: Meter) -> Result<Vec<Sent>> {
    /// Telegrams that fit together into the room behind the head.
    const AT_ONCE: usize = 8;
    let mut sent = Vec::new();
    loop {
        for telegram in meter.by_ref().take(AT_ONCE) {
            board.send_at(u32::MAX, &telegram.bytes)?;
            sent.push(Sent::now(&telegram));
        }
        let taken = loop {
            board.enter("info")?;
            let line = board.until("{\"info\":")?;
            let info: Value = serde_json::from_str(&line)?;
            let counts = ["in_memory", "in_flash", "thinned", "dropped"];
            let counts = counts.map(|what| count(&info["info"], what));
            if counts.iter().sum::<usize>() == sent.len() {
                break counts;
            }
        };
        if taken[2] > 100 {
            return Ok(sent);
        }
        assert!(sent.len() < 3_000, "{taken:?}");
    }
}

/// When there is no room in flash, the device says how many it gave up, and for which.
#[test]
fn the_flash_is_full() -> Result {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    let Some(mut board) = world.bring_up(&settings(&world))? else {
        return Ok(());
    };
    world.outage(true);
    let sent = fill(&mut board, meter()?)?;
    // All of it would take minutes: an answer that is neither yes nor no ends it at a known place.
    let accepted = 10;
    world.backend.set_behaviour(Behaviour {
        script: std::iter::repeat_n(Step::Accept, accepted).collect(),
        ..Behaviour::always(Answer::status(503))
    });
    // Its next try may be minutes away.
    world.device(&board, &["restart"])?;
    world.outage(false);
    board.until("the server asks to wait (503)")?;
    let info = world.info(&board)?;
    let arrived = world.backend.accepted_readings();
    let rest = ["in_memory", "in_flash", "thinned", "dropped"].map(|what| count(&info, what));
    assert_eq!(
        arrived.len() + rest.iter().sum::<usize>(),
        sent.len(),
        "{info}"
    );
    assert_eq!(count(&info, "corrupt"), 0, "{info}");
    assert_eq!(info["overrun"], 0, "{info}");
    // What was given up is older than all that has arrived or waits.
    let account = account(&arrived, &sent)?;
    assert_eq!(account.duplicates, 0, "{info}");
    let [in_memory, in_flash, thinned, dropped] = rest;
    let waiting = sent.len() - in_memory - in_flash..sent.len();
    assert!(
        account
            .lost
            .iter()
            .skip(thinned + dropped)
            .copied()
            .eq(waiting),
        "{account:?}"
    );
    Ok(())
}

#[test]
fn a_pulled_cable_costs_nothing() -> Result {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    let Some(mut board) = world.bring_up(&settings(&world))? else {
        return Ok(());
    };
    let mut meter = meter()?;
    let mut sent = Vec::new();
    for _ in 0..2 {
        sent.extend(send(&mut board, meter.by_ref().take(3))?);
        world.arrive(sent.len());
        board.plug(false)?;
        board.until("wifi: lost")?;
        sent.extend(send(&mut board, meter.by_ref().take(4))?);
        board.plug(true)?;
        board.until("wifi: joined")?;
    }
    sent.extend(send(&mut board, meter.take(3))?);
    world.drain(&board)?;
    let account = account(&world.backend.accepted_readings(), &sent)?;
    // Of what was on its way at that moment nobody knows whether it arrived.
    eprintln!("{account:?} of {} readings", sent.len());
    assert_eq!(account.lost, [] as [usize; 0]);
    Ok(())
}

/// What the line damages is left out; what arrives whole is delivered, and nothing else.
#[test]
fn a_bad_line_brings_fewer_readings_and_no_wrong_one() -> Result {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    let Some(mut board) = world.bring_up(&settings(&world))? else {
        return Ok(());
    };
    let mut line = Line::new(Faults::POOR, 11);
    let mut whole = Vec::new();
    for telegram in meter()?.take(60) {
        let passed = line.pass(&telegram.bytes);
        board.send_at(4 * emulator::BYTES_A_SECOND, &passed.bytes)?;
        if passed.intact {
            whole.push(Sent::now(&telegram));
        }
    }
    assert!((30..55).contains(&whole.len()), "{} are whole", whole.len());
    must_be_each_once(&world.arrive(whole.len()), &whole);
    let info = world.drain(&board)?;
    assert_eq!(info["overrun"], 0, "{info}");
    must_be_each_once(&world.backend.accepted_readings(), &whole);
    Ok(())
}
