//! A time server that is silent or lies: no reading is stamped wrongly.

use std::thread;
use std::time::{Duration, Instant};

use emulator::{Board, Result};
use meter_sim::{Meter, MeterConfig, Telegram, model};

use crate::readings::{account, must_be_each_once, send};
use crate::world::World;

const HOUR_MS: i64 = 3_600_000;

fn meter() -> Result<impl Iterator<Item = Telegram>> {
    Ok(Meter::new(
        model::find("emh-mme40")?,
        &MeterConfig::default(),
    ))
}

/// A device that joins the network anew asks for the time at once.
fn rejoin(board: &mut Board) -> Result {
    board.plug(false)?;
    board.until("wifi: lost")?;
    board.plug(true)?;
    board.until("wifi: joined")?;
    Ok(())
}

/// Without the time nothing is sent, and then all of it, with the times at which it was read.
#[test]
fn silent_at_first() -> Result {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    world.time.silence(true);
    let Some(mut board) = world.bring_up(&world.rest(""))? else {
        return Ok(());
    };
    let mut meter = meter()?;
    let mut sent = send(&mut board, meter.by_ref().take(4))?;
    board.until("time: 10.0.2.2")?;
    world.time.silence(false);
    assert_eq!(world.backend.connection_count(), 0);
    sent.extend(send(&mut board, meter.take(2))?);
    must_be_each_once(&world.arrive(sent.len()), &sent);
    Ok(())
}

#[test]
fn a_time_before_the_firmware_was_built() -> Result {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    world.time.lie(-3 * 365 * 24 * HOUR_MS);
    let Some(mut board) = world.bring_up(&world.rest(""))? else {
        return Ok(());
    };
    board.until("which cannot be: it waits for a better one")?;
    let mut meter = meter()?;
    let mut sent = send(&mut board, meter.by_ref().take(3))?;
    assert_eq!(world.backend.connection_count(), 0);
    world.time.lie(0);
    rejoin(&mut board)?;
    sent.extend(send(&mut board, meter.take(2))?);
    must_be_each_once(&world.arrive(sent.len()), &sent);
    Ok(())
}

#[test]
fn hours_ahead_and_back_while_it_runs() -> Result {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    let Some(mut board) = world.bring_up(&world.rest(""))? else {
        return Ok(());
    };
    let mut meter = meter()?;
    let mut sent = send(&mut board, meter.by_ref().take(2))?;
    world.arrive(sent.len());
    for lie in [5 * HOUR_MS, -5 * HOUR_MS, 0] {
        world.time.lie(lie);
        let asked = world.time.asked();
        rejoin(&mut board)?;
        if lie != 0 {
            board.until("which is not believed yet")?;
        }
        sent.extend(send(&mut board, meter.by_ref().take(2))?);
        // In doubt it is asked each minute, else when the network is joined.
        let late = Instant::now() + Duration::from_secs(90);
        while world.time.asked() == asked && Instant::now() < late {
            thread::sleep(Duration::from_millis(100));
        }
        assert!(world.time.asked() > asked, "it was asked");
    }
    world.drain(&board)?;
    let account = account(&world.backend.accepted_readings(), &sent)?;
    assert_eq!(account.lost, [] as [usize; 0]);
    Ok(())
}
