//! All outputs at once, each with the server that it is made for.

use std::time::Duration;

use rig::Outcome;
use rig::outage::{self, Case, Plan};

use crate::outage::Arguments;
use crate::{Failure, Verdict, program};

/// What the table does not say by itself.
const NOTES: &str = "\
Each output is compared with what the meters sent, register by register, numbers as decimals. Those with `-` store a
reading once by meter and time, however often it comes; volkszaehler's middleware skips what comes twice. In the third
case every server is killed by SIGKILL, but for mosquitto and VictoriaMetrics, which acknowledge before they write and
end by SIGTERM. What their SIGKILL costs shows the last case: nobody can send again what was acknowledged, so it is
measured and not judged. mosquitto's subscriber is connected there; what waits for one that is not is written every
second (`autosave_interval 1`).";

/// Goes through the cases and prints what was lost, doubled and wrong on each output.
pub fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    if let Some(what) = rig::server::missing() {
        return Err(what.into());
    }
    let plan = Plan {
        program: program()?,
        models: meter_sim::model::names().collect(),
        readings: arguments.readings,
        pace: Duration::from_secs(1) / arguments.rate.max(1),
    };
    println!(
        "{} readings of each of {} meters while servers are away, {} a second, every output fed \
         from one journal\n",
        plan.readings,
        plan.models.len(),
        arguments.rate
    );
    println!("| case | output | sent | lost | twice | wrong |");
    println!("|---|---|---|---|---|---|");
    let mut whole = true;
    let mut examples = Vec::new();
    for case in [Case::Away, Case::AwayAndKilled, Case::AllKilled] {
        for outcome in outage::run(&plan, case)? {
            whole &= outcome.is_whole();
            print(case, &outcome);
            let example = outcome
                .example
                .map(|it| format!("{}: {it}", outcome.output));
            examples.extend(example);
        }
    }
    for outcome in outage::run(&plan, Case::Forgetful)? {
        print(Case::Forgetful, &outcome);
    }
    for example in examples {
        println!("\n{example}");
    }
    println!("\n{NOTES}");
    Ok(if whole {
        Verdict::AsItMustBe
    } else {
        Verdict::Not
    })
}

fn print(case: Case, outcome: &Outcome) {
    let doubled = if outcome.stored_by_key {
        "-".to_owned()
    } else {
        outcome.doubled.to_string()
    };
    println!(
        "| {} | {} | {} | {} | {doubled} | {} |",
        case.title(),
        outcome.output,
        outcome.sent,
        outcome.lost,
        outcome.wrong
    );
}
