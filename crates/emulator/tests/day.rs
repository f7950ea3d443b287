//! An hour of the device's life in little more than a minute, with as many faults as a day has. The whole
//! day is `cargo xtask firmware day`.

use std::time::Duration;

use emulator::{Result, day};

#[test]
fn an_hour_of_faults_costs_no_reading() -> Result {
    let config = day::Config {
        length: Duration::from_hours(1),
        seed: 7,
        pace: 50,
        talks: false,
        transcript: None,
    };
    let Some(report) = day::run(config)? else {
        return Ok(());
    };
    eprintln!("{report}");
    assert!(report.wrong.is_empty(), "{report}");
    // It was not quiet by mistake.
    assert!(report.balance.cuts >= 2, "{report}");
    assert!(report.balance.once > 200, "{report}");
    Ok(())
}
