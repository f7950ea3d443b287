//! The emulated board itself: cable, button, display, and what outlives a reset.

use emulator::{Board, HEIGHT, Result, WIDTH};

#[test]
fn the_device_starts_and_answers() -> Result {
    let Some(mut board) = Board::start()? else {
        return Ok(());
    };
    board.until("outbox: new")?;
    board.enter("info")?;
    board.until("\"board\":\"qemu-virt\",\"boot\":1,\"start\":\"power\"")?;
    board.enter("restart")?;
    board.until(": asked")?;
    Ok(())
}

#[test]
fn a_pulled_cable_loses_the_network_and_a_plugged_one_brings_it_back() -> Result {
    let Some(mut board) = Board::trial()? else {
        return Ok(());
    };
    board.enter("join|qemu|let me in 1234")?;
    board.until("joined 10.0.2.15")?;
    board.enter("lost")?;
    board.plug(false)?;
    board.until("lost")?;
    board.enter("join|qemu|let me in 1234")?;
    board.until("not in reach")?;
    board.plug(true)?;
    board.enter("join|qemu|let me in 1234")?;
    board.until("joined 10.0.2.15")?;
    board.enter("join|qemu|let me in")?;
    board.until("refused the password")?;
    Ok(())
}

#[test]
fn what_is_drawn_is_seen_and_the_button_is_felt() -> Result {
    let Some(mut board) = Board::trial()? else {
        return Ok(());
    };
    assert_eq!(board.picture()?.light, 0);
    board.enter("screen")?;
    board.until("shown")?;
    let picture = board.picture()?;
    assert_eq!(picture.light, 255);
    assert_eq!(picture.points.len(), WIDTH * HEIGHT);
    // A ring of 48 points across and 3 wide, from (40, 8).
    let lit = |x: usize, y: usize| picture.points[y * WIDTH + x];
    assert!(lit(64, 8) && !lit(64, 32) && lit(40, 32) && !lit(30, 32));
    board.enter("button")?;
    board.press()?;
    board.until("pressed")?;
    Ok(())
}

#[test]
fn last_words_and_flash_outlive_a_reset() -> Result {
    let Some(mut board) = Board::trial()? else {
        return Ok(());
    };
    board.enter("words")?;
    board.until("(Power, None)")?;
    board.enter("flash")?;
    board.until("[255, 255, 255, 255] Ok(()) Ok(()) Err(NotErased)")?;
    board.enter("panic")?;
    board.until("on qemu-virt")?;
    board.enter("words")?;
    board.until("as asked")?;
    board.enter("flash")?;
    board.until("[1, 2, 3, 4]")?;
    board.reset()?;
    board.until("on qemu-virt")?;
    board.enter("words")?;
    board.until("(Power, None)")?;
    Ok(())
}
