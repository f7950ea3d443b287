//! `meterline demo` with each output.

use std::process::Output;

use fixtures::PASSWORD;

use crate::program::{Outcome, meterline, text};
use crate::servers::{Result, Server, mosquitto, text_of};

/// Shows an output, and how many readings have come there.
fn demo(arguments: &[&str]) -> Result<(u64, String)> {
    let output = meterline(&["demo", "--for", "4s"])
        .args(arguments)
        .output()?;
    let told = text(&output.stdout);
    assert!(output.status.success(), "{told}{}", text(&output.stderr));
    assert!(told.contains("missing 0"), "{told}");
    let table = told.split("[output.demo]\n").nth(1).ok_or("no table")?;
    assert!(table.starts_with("type = "), "{told}");
    let sent = told
        .split(" sent ")
        .last()
        .and_then(|rest| rest.split(' ').next());
    let sent = sent.ok_or("nothing was sent")?.parse()?;
    assert!(sent > 3, "{told}");
    Ok((sent, told))
}

#[test]
fn csv_files_hold_what_was_sent() -> Outcome {
    let folder = tempfile::tempdir()?;
    let here = folder.path().to_str().ok_or("path")?;
    let (sent, told) = demo(&["--output", "csv", "--to", here])?;
    assert!(
        told.contains("wrong 0") && told.contains("Every reading arrived"),
        "{told}"
    );
    let text = text_of(folder.path(), "csv")?;
    let energy = text.lines().filter(|line| line.contains("1-0:1.8.0*255"));
    assert_eq!(energy.count() as u64, sent, "{told}");
    Ok(())
}

#[test]
fn json_files_hold_what_was_sent_beside_what_was_there() -> Outcome {
    let folder = tempfile::tempdir()?;
    let here = folder.path().to_str().ok_or("path")?;
    let mut lines = 0;
    for _ in 0..2 {
        let (sent, told) = demo(&["--output", "jsonl", "--to", here])?;
        assert!(
            told.contains("wrong 0") && told.contains("Every reading arrived"),
            "{told}"
        );
        lines += sent;
        let text = text_of(folder.path(), "jsonl")?;
        assert_eq!(text.lines().count() as u64, lines, "{told}");
    }
    Ok(())
}

#[test]
fn a_middleware_gets_what_was_sent_after_an_outage_too() -> Outcome {
    let (_, told) = demo(&["--output", "volkszaehler", "--outage", "1s"])?;
    assert!(
        told.contains("Every reading arrived") && told.contains("wrong 0"),
        "{told}"
    );
    Ok(())
}

#[test]
fn a_broker_passes_on_what_was_sent() -> Outcome {
    let Some(broker) = mosquitto()? else {
        return Ok(());
    };
    let to = format!("mqtt://127.0.0.1:{}", broker.plain);
    let arguments = ["--output", "mqtt", "--to", &to];
    let refused = meterline(&["demo"]).args(arguments).output()?;
    assert_says(&refused, &["does not let us in", "--password"]);
    let file = broker.file("password");
    std::fs::write(&file, PASSWORD)?;
    let place = format!("file:{}", file.display());
    let login = ["--username", "meterline", "--password", &place];
    let (_, told) = demo(&[arguments.as_slice(), &login].concat())?;
    assert!(
        told.contains("Every reading arrived") && told.contains("wrong 0"),
        "{told}"
    );
    assert!(told.contains(&place) && !told.contains(PASSWORD), "{told}");
    Ok(())
}

#[test]
fn influxdb_holds_what_was_sent() -> Outcome {
    let Some(server) = Server::influxd()? else {
        return Ok(());
    };
    let to = format!("http://127.0.0.1:{}", server.port);
    // Without its database nothing begins.
    let refused = meterline(&["demo", "--output", "influx", "--to", &to]).output()?;
    assert_says(&refused, &["meterline_demo", "database"]);
    server.query("", "CREATE DATABASE meterline_demo")?;
    let (sent, told) = demo(&["--output", "influx", "--to", &to])?;
    assert!(
        told.contains("The server has acknowledged every reading"),
        "{told}"
    );
    let count = "SELECT count(\"1.8.0_Wh\") FROM electricity";
    let answer = server.query("meterline_demo", count)?;
    assert_eq!(
        answer["results"][0]["series"][0]["values"][0][1], sent,
        "{answer}"
    );
    Ok(())
}

#[test]
fn postgresql_holds_what_was_sent() -> Outcome {
    let Some(server) = Server::postgres()? else {
        return Ok(());
    };
    server.until_sql()?;
    let to = server.database("meterline_demo");
    let arguments = [
        "--output",
        "postgres",
        "--to",
        &to,
        "--username",
        "postgres",
    ];
    let refused = meterline(&["demo"]).args(arguments).output()?;
    assert_says(&refused, &["meterline_demo"]);
    server.sql("postgres", "CREATE DATABASE meterline_demo")?;
    let (sent, told) = demo(&arguments)?;
    assert!(
        told.contains("The server has acknowledged every reading"),
        "{told}"
    );
    let count = "SELECT count(DISTINCT (meter, time)) FROM meterline.registers";
    assert_eq!(
        server.sql("meterline_demo", count)?.trim(),
        sent.to_string()
    );
    Ok(())
}

/// What is said when it cannot begin.
fn assert_says(output: &Output, parts: &[&str]) {
    let told = text(&output.stderr);
    assert!(!output.status.success(), "{told}");
    for part in parts {
        assert!(told.contains(part), "{part:?} is missing in {told}");
    }
}

#[test]
fn who_is_not_there_is_named_with_the_way_to_one() -> Outcome {
    for (arguments, parts) in [
        (
            &["mqtt", "--to", "mqtt://127.0.0.1:1"][..],
            &[
                "refuses connections on port 1",
                "apt install mosquitto",
                "--to",
            ][..],
        ),
        (
            &["influx", "--to", "http://127.0.0.1:1"],
            &[
                "refuses connections on port 1",
                "apt install influxdb",
                "--to",
            ],
        ),
        (
            &["postgres", "--to", "postgres://127.0.0.1:1/meters"],
            &["apt install postgresql", "--to"],
        ),
        (
            &["mqtt", "--to", "localhost"],
            &["meterline: url must look like mqtts://HOST", "--to mqtt://"],
        ),
        (
            &["postgres", "--to", "postgres://me:hunter2@localhost/meters"],
            &["must not hold a user name or password", "--password"],
        ),
        (
            &["mqtt", "--username", "me", "--password", "env:NO_SUCH"],
            &["environment variable NO_SUCH is not set"],
        ),
        (
            &["csv", "--to", "/nonexistent/folder"],
            &["/nonexistent/folder", "--to"],
        ),
    ] {
        let output = meterline(&["demo", "--output"]).args(arguments).output()?;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_says(&output, parts);
    }
    for (arguments, part) in [
        (&["rest", "--to", "https://example.org"][..], "--to is for"),
        (&["mqtt", "--outage", "3s"], "--outage takes away"),
        (
            &["csv", "--username", "me"],
            "--username and --password are for",
        ),
        (
            &["mqtt", "--password", "hunter2"],
            "with file:PATH or env:NAME",
        ),
        (
            &["volkszaehler", "--model", "mt175", "--model", "q3a"],
            "one meter",
        ),
    ] {
        let output = meterline(&["demo", "--output"]).args(arguments).output()?;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_says(&output, &[part]);
        assert!(!text(&output.stderr).contains("hunter2"));
    }
    Ok(())
}
