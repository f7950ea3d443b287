//! Other programs' configurations.

#[expect(dead_code, reason = "other tests start programs that go on")]
mod program;

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use meter_gateway::config::Config;
use program::{Outcome, meterline, run, text};

const VZLOGGER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/expected/vzlogger.conf");
const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/expected/vzlogger.toml");
const NOTES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/expected/vzlogger.notes");

#[test]
fn vzloggers_configuration_becomes_ours_and_what_does_not_is_told() -> Outcome {
    let output = run(&["import", "vzlogger", VZLOGGER])?;
    assert_eq!(output.status.code(), Some(0));
    let (ours, notes) = (text(&output.stdout), text(&output.stderr));
    if std::env::var_os("METERLINE_BLESS").is_some() {
        fs::write(OURS, &ours)?;
        fs::write(NOTES, &notes)?;
    }
    assert_eq!(ours, fs::read_to_string(OURS)?);
    assert_eq!(notes, fs::read_to_string(NOTES)?);
    let config = Config::parse("vzlogger.toml", &ours)?;
    assert_eq!((config.input.len(), config.output.len()), (1, 4));
    // Two things may have the same reason, but nothing is told twice, and no secret at all.
    let mut lines: Vec<_> = notes.lines().collect();
    lines.dedup();
    assert_eq!(lines.len(), notes.lines().count());
    assert!(!notes.contains("secret"), "{notes}");
    Ok(())
}

#[test]
fn meters_that_share_a_middleware_have_an_output_each() -> Outcome {
    let channel = r#"{ "uuid": "6836dd20-0000-4000-8000-000000000001", "identifier": "1.8.0" }"#;
    let meter = |device: &str| {
        format!(r#"{{ "protocol": "sml", "device": "{device}", "channels": [{channel}] }}"#)
    };
    let file = format!(
        r#"{{ "meters": [{}, {{ "protocol": "sml", "host": "cellar:3333", "interval": 60, "channels": [{channel}] }}] }}"#,
        meter("/dev/ttyUSB0")
    );
    let mut child = meterline(&["import", "vzlogger", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    stdin.write_all(file.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let ours = text(&output.stdout);
    let config = Config::parse("vzlogger.toml", &ours)?;
    assert_eq!((config.input.len(), config.output.len()), (2, 2));
    for line in [
        "address = \"cellar:3333\"",
        "interval = \"60s\"",
        "[output.volkszaehler2]",
        "# These are the channels of meter 2: write its number, as `meterline run` shows it, into meters = [\"…\"]",
    ] {
        assert!(ours.lines().any(|other| other == line), "{line} in {ours}");
    }
    Ok(())
}

#[test]
fn what_is_no_configuration_is_told_with_its_place() -> Outcome {
    let directory = tempfile::tempdir()?;
    for (content, wanted) in [
        ("{ \"meters\": [\n  { \"device\" } ] }", ":2:14: "),
        (
            "[1]",
            ": this is no configuration of vzlogger: it has no list `meters`",
        ),
        (
            "",
            ": this is no configuration of vzlogger: it has no list `meters`",
        ),
    ] {
        let path = directory.path().join("vzlogger.conf");
        fs::write(&path, content)?;
        let output = run(&["import", "vzlogger", &path.display().to_string()])?;
        assert_eq!(output.status.code(), Some(1), "{content}");
        let told = text(&output.stderr);
        let wanted = format!("{}{wanted}", path.display());
        assert!(told.contains(&wanted) && output.stdout.is_empty(), "{told}");
    }
    Ok(())
}
