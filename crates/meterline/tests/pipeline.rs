//! `meterline demo`, `run` and `check`, with real ports, a real server and a real journal.

mod program;

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use program::{Outcome, Running, meterline, run, start, text};

/// A simulated meter on a port of this name, once it is there.
fn simulate(model: &str, link: &Path) -> Result<(Running, String), Box<dyn Error>> {
    let link = link.to_str().ok_or("path")?;
    let (child, told) = start(&["sim", model, "--link", link])?;
    let id = told.split(" (").next().ok_or("no id")?.to_owned();
    Ok((child, id))
}

#[test]
fn nothing_is_lost_in_an_outage() -> Outcome {
    let output = run(&["demo", "--for", "8s", "--outage", "3s"])?;
    let told = text(&output.stdout);
    assert!(output.status.success(), "{told}{}", text(&output.stderr));
    for part in [
        "the server goes away",
        "the server is back",
        "missing 0, wrong 0",
        "Every reading arrived",
    ] {
        assert!(told.contains(part), "{part:?} is missing in {told}");
    }
    assert!(!told.contains(" sent 0 readings"), "{told}");
    assert!(!told.contains('\x1b'), "a pipe gets plain lines: {told}");
    Ok(())
}

/// The verdict is a verdict: a reading that the server refuses for good makes it no.
#[test]
fn a_reading_that_does_not_arrive_is_noticed() -> Outcome {
    let output = run(&[
        "demo",
        "--for",
        "5s",
        "--refuse-every",
        "2",
        "--model",
        "mme40",
    ])?;
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("Not every reading arrived") && !told.contains("missing 0"),
        "{told}"
    );
    Ok(())
}

#[test]
fn run_without_a_configuration_shows_the_meter_and_how_to_go_on() -> Outcome {
    let dir = tempfile::tempdir()?;
    let link = dir.path().join("head");
    let (_meter, id) = simulate("mme40", &link)?;
    let output = meterline(&["run", "--for", "4s", "--dir"])
        .arg(dir.path())
        .output()?;
    let (shown, told) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{shown}{told}");
    assert!(
        shown.contains(&id) && shown.contains(" W") && shown.contains("import "),
        "{shown}{told}"
    );
    assert!(
        told.contains("[input.house]") && told.contains("[output.backend]"),
        "{told}"
    );
    assert!(told.contains(link.to_str().ok_or("path")?), "{told}");
    Ok(())
}

#[test]
fn run_with_a_wrong_configuration_says_where_it_is_wrong() -> Outcome {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("meterline.toml");
    fs::write(
        &file,
        "[input.house]\ntype = \"serial\"\nprot = \"/dev/ttyUSB0\"\n",
    )?;
    for command in ["run", "check"] {
        let output = meterline(&[command, "--config"]).arg(&file).output()?;
        assert_eq!(output.status.code(), Some(3), "{command}");
        let told = text(&output.stderr);
        assert!(
            told.contains("meterline.toml:3:1") && told.contains("port"),
            "{command}: {told}"
        );
    }
    let output = meterline(&["check", "--config", "/nonexistent/meterline.toml"]).output()?;
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("meterline config example"));
    Ok(())
}

#[test]
fn a_replaced_meter_is_accepted_by_its_number() -> Outcome {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("meterline.toml");
    fs::write(&file, format!("state_dir = {:?}\n", dir.path()))?;
    let suspects = |more: &[&str]| {
        meterline(&["suspects"])
            .args(more)
            .arg("--config")
            .arg(&file)
            .output()
    };
    assert!(text(&suspects(&[])?.stdout).contains("no journal"));
    let output = suspects(&["--accept", "1 EMH00 1059 9732"])?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    // The request waits for the daemon under the server id.
    assert!(dir.path().join("accept-0a01454d480000a1bd34").exists());
    assert_eq!(suspects(&["--accept", "!"])?.status.code(), Some(2));
    Ok(())
}

/// A daemon with a configuration stores what it reads, delivers nothing twice, and stops when told.
#[test]
fn run_with_a_configuration_reads_until_it_is_told_to_stop() -> Outcome {
    let dir = tempfile::tempdir()?;
    let head = dir.path().join("head");
    let (_meter, id) = simulate("mt631", &head)?;
    let file = dir.path().join("meterline.toml");
    let state = dir.path().join("state");
    fs::write(
        &file,
        format!("state_dir = {state:?}\n[input.house]\ntype = \"serial\"\nport = {head:?}\n"),
    )?;
    let mut daemon = Running(
        meterline(&["run", "--config"])
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()?,
    );
    let stderr = daemon.0.stderr.take().ok_or("no standard error")?;
    let mut lines = BufReader::new(stderr).lines();
    let reading = lines
        .by_ref()
        .find(|line| line.as_ref().is_ok_and(|line| line.contains(&id)));
    assert!(reading.is_some(), "no line about meter {id}");
    // `kill` is the shell's own: what a service manager does.
    assert!(
        Command::new("sh")
            .arg("-c")
            .arg(format!("kill {}", daemon.0.id()))
            .status()?
            .success()
    );
    let rest: Vec<String> = lines.collect::<Result<_, _>>()?;
    assert!(daemon.0.wait()?.success());
    assert!(
        rest.iter().any(|line| line.contains("stopped within")),
        "{rest:?}"
    );
    let loud = |line: &&String| line.contains("WARN") || line.contains("ERROR");
    assert_eq!(
        rest.iter().find(loud),
        None,
        "nothing here is to worry about"
    );
    assert!(state.join("journal.db").exists());
    Ok(())
}

#[test]
fn check_tells_what_is_right_and_what_is_wrong() -> Outcome {
    let dir = tempfile::tempdir()?;
    let link = dir.path().join("head");
    let (_meter, id) = simulate("mme40", &link)?;
    let file = dir.path().join("meterline.toml");
    let state = dir.path().join("state");
    fs::write(
        &file,
        format!(
            "state_dir = {state:?}\n\
             [input.house]\ntype = \"serial\"\nport = {link:?}\n\
             [input.gone]\ntype = \"serial\"\nport = \"/dev/ttyUSB77\"\n\
             [output.away]\ntype = \"rest\"\nurl = \"https://localhost:9/readings\"\n"
        ),
    )?;
    let output = meterline(&["check", "--config"]).arg(&file).output()?;
    let told = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{told}{}",
        text(&output.stderr)
    );
    let about = |what: &str| {
        told.lines()
            .find(|line| line.contains(what))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(about("meterline.toml").starts_with("ok"), "{told}");
    assert!(about("state_dir").starts_with("ok"), "{told}");
    assert!(
        about("[input.house]").starts_with("ok") && about("[input.house]").contains(&id),
        "{told}"
    );
    assert!(
        about("[input.gone]").starts_with("wrong") && about("[input.gone]").contains("ttyUSB77"),
        "{told}"
    );
    assert!(
        about("[output.away]").starts_with("wrong") && about("[output.away]").contains("refuses"),
        "{told}"
    );
    assert!(!state.exists(), "check leaves nothing behind");
    let output = meterline(&["check", "--offline", "--config"])
        .arg(&file)
        .output()?;
    assert!(output.status.success());
    Ok(())
}
