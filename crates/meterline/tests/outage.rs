//! Nothing is lost on any output, whoever is killed. `cargo xtask bench outage --all-outputs` is the same with every
//! meter and more readings.

use std::error::Error;
use std::time::Duration;

use rig::outage::{self, Case, Plan};

#[test]
fn every_server_holds_the_journal_row_by_row_after_all_were_killed_in_turn()
-> Result<(), Box<dyn Error + Send + Sync>> {
    if let Some(what) = rig::server::missing() {
        recordings::missing(&what);
        return Ok(());
    }
    let plan = Plan {
        program: env!("CARGO_BIN_EXE_meterline").into(),
        models: vec!["iskra-mt691", "dzg-dvs74", "easymeter-q3a"],
        readings: 32,
        pace: Duration::from_millis(100),
    };
    let outcomes = outage::run(&plan, Case::AllKilled)?;
    let outputs: Vec<_> = outcomes.iter().map(|it| it.output.as_str()).collect();
    assert_eq!(
        outputs,
        [
            "journal",
            "rest",
            "mqtt",
            "influx",
            "victoria",
            "volkszaehler",
            "push",
            "postgres",
            "csv",
            "jsonl"
        ]
    );
    for outcome in outcomes {
        assert!(outcome.is_whole() && outcome.sent > 100, "{outcome:#?}");
    }
    Ok(())
}
