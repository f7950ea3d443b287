//! An hour of the device's life in little more than a minute, with as many faults as a day has. The whole
//! day is `cargo xtask firmware day`.

use std::time::Duration;

use emulator::{Result, day};

#[test]
fn an_hour_of_faults_costs_no_reading() -> Result {
    let Some(mut report) = hour(42)? else {
        return Ok(());
    };
    // Either the device hangs, and will again, or the host had other things to do: a second without the
    // processor is most of a minute to the device. At half the pace it is half of that.
    if report.wrong.iter().any(|wrong| wrong.contains("watchdog")) {
        eprintln!("{report}\nonce more, slower");
        let Some(slower) = hour(21)? else {
            return Ok(());
        };
        report = slower;
    }
    eprintln!("{report}");
    assert!(report.wrong.is_empty(), "{report}");
    // It was not quiet by mistake.
    assert!(report.balance.cuts >= 2, "{report}");
    assert!(report.balance.once > 200, "{report}");
    Ok(())
}

fn hour(pace: u32) -> Result<Option<day::Report>> {
    day::run(day::Config {
        length: Duration::from_hours(1),
        seed: 7,
        pace,
        talks: false,
        transcript: None,
    })
}
