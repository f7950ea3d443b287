//! A program that crashes or hangs starts anew, loses nothing that was in flash, and tells what it was.

use emulator::{Board, Result};
use meter_sim::{Meter, MeterConfig, model};
use std::time::Duration;

use crate::readings::{account, send};
use crate::world::World;

/// The watchdog waits for so long, and the emulator may be slow.
const WATCHDOG: Duration = Duration::from_mins(3);

/// What was read before is delivered after, and the log says what it was.
fn falls(fall: impl FnOnce(&mut Board) -> Result, start: &str, said: &str) -> Result {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    let Some(mut board) = world.bring_up(&world.rest(""))? else {
        return Ok(());
    };
    let mut meter = Meter::new(model::find("emh-mme40")?, &MeterConfig::default());
    let mut sent = send(&mut board, meter.by_ref().take(3))?;
    world.drain(&board)?;
    fall(&mut board)?;
    board.until_within(WATCHDOG, &format!(": {start}: {said}"))?;
    board.until("wifi: joined")?;
    sent.extend(send(&mut board, meter.take(3))?);
    let info = world.drain(&board)?;
    assert_eq!(info["start"], start, "{info}");
    let log = world.device(&board, &["log"])?;
    assert!(log.contains(said), "{log}");
    let account = account(&world.backend.accepted_readings(), &sent)?;
    assert_eq!(account.lost, [] as [usize; 0]);
    Ok(())
}

#[test]
fn a_crash_is_named_afterwards() -> Result {
    falls(Board::crash, "panic", "exception 1 at 0x0")
}

#[test]
fn a_program_that_hangs_is_started_anew() -> Result {
    falls(Board::hang, "watchdog", "the watchdog was not fed")
}
