//! The program between simulated meters and a real Home Assistant, which a script outside of the project
//! sets up beside a broker. Home Assistant, the broker and the program are restarted, and whatever
//! happens, Home Assistant shows what the meters send.

mod control;
mod expected;
mod head;
mod house;
#[expect(dead_code, reason = "other tests run programs that end")]
#[path = "../program/mod.rs"]
mod program;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value as Json;

use control::control;
use house::{End, House};
use program::Outcome;

/// What is said of a broker that is away is not about us.
const ABOUT_THE_BROKER: [&str; 3] = [
    "Error returned from MQTT server: The connection was lost",
    "Disconnected from MQTT server",
    "Failed to connect to MQTT",
];

#[test]
#[ignore = "takes minutes and a gigabyte: `cargo xtask test` runs it"]
fn home_assistant_shows_what_the_meters_send() -> Outcome {
    let script = recordings::folder().map(|shared| shared.join("tools/home-assistant/ha_check.sh"));
    let Some(script) = script.filter(|script| script.is_file()) else {
        recordings::missing("no script for Home Assistant in $METERLINE_SHARED or ../shared");
        return Ok(());
    };
    let place = env::var_os("METERLINE_HOME_ASSISTANT").map_or_else(
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("home-assistant"),
        PathBuf::from,
    );
    let output = Command::new("bash")
        .arg(script)
        .arg(&place)
        .args(["--prefix", "meterline_", "--seconds", "1"])
        .args(["--after-command", "--"])
        .arg(env::current_exe()?)
        .args(["--ignored", "--exact", "--nocapture", "scenario"])
        .env("METERLINE_SCENARIO", "1")
        .stderr(Stdio::inherit())
        .output()?;
    let said = fs::read_to_string(place.join("command.log")).unwrap_or_default();
    assert!(said.contains("test result: ok. 1 passed"), "{said}");
    say(&said);
    let seen: Json = serde_json::from_slice(&output.stdout)?;
    let log = seen["mqtt_log"].as_array().ok_or("no log")?;
    let ours: Vec<_> = log
        .iter()
        .filter_map(Json::as_str)
        .filter(|line| !ABOUT_THE_BROKER.iter().any(|words| line.contains(words)))
        .collect();
    assert_eq!(ours, [""; 0]);
    Ok(())
}

/// The second half of the test above, started beside a Home Assistant.
#[test]
#[ignore = "is a part of the test above"]
fn scenario() -> Outcome {
    if env::var_os("METERLINE_SCENARIO").is_none() {
        return Ok(());
    }
    let mut house = House::new()?;
    house.start()?;
    house.all_is_there("at the start")?;
    house.a_line_gets_bad()?;
    house.a_pin_is_entered()?;
    house.the_broker_is_away()?;
    house.all_is_there("after a restart of the broker")?;
    control("ha-restart")?;
    house.all_is_there("after a restart of Home Assistant")?;
    for end in [End::Asked, End::Killed] {
        house.end(end)?;
        house.start()?;
        house.all_is_there(&format!("after a restart of meterline ({end:?})"))?;
    }
    house.end(End::Killed)?;
    // They come back in any order.
    let restart = thread::spawn(|| {
        let restart = || {
            control("ha-stop")?;
            control("broker-restart")?;
            control("ha-start")
        };
        restart().map_err(|error| error.to_string())
    });
    house.start()?;
    house.goes_on(&restart)?;
    restart.join().map_err(|_| "the restart failed")??;
    house.all_is_there("after a restart of all three")?;
    house.a_meter_goes()?;
    house.all_is_there("without one meter")?;
    house.end(End::Asked)?;
    house.nothing_is_to_worry_about();
    Ok(())
}

#[expect(clippy::print_stdout, reason = "how long it took is worth a line")]
fn say(line: &str) {
    println!("{line}");
}
