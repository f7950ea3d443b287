//! `meterline demo`, `run` and `check`, with real ports, a real server and a real journal.

mod program;

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::parent_id;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use meter_core::{Reading, UnixMillis};
use meter_gateway::journal::{Journal, Options, Start};
use meter_sim::{Meter, MeterConfig, model};
use sml_wire::GetListRes;

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

/// Suspects of two meters, whose ids are of forms that cannot be told from their numbers, and a
/// reading that a server refused.
fn journal_with_suspects(state: &Path) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let journal = Journal::open(Options::in_directory(state))?;
        for (meter, body) in [
            (&EDL[..], body(&EDL)?),
            (&EDL[..], body(&EDL)?),
            (&MBUS[..], body(&MBUS)?),
        ] {
            let reason = "1-0:1.8.0*255 fell from 9 to 5";
            journal
                .append_suspect(meter, UnixMillis(1_793_577_600_000), reason, body)
                .await?;
        }
        let mut cursor = journal.cursor("backend", Start::Now).await?;
        let time = UnixMillis(1_793_577_601_000);
        let seq = journal.append(&MBUS, time, body(&MBUS)?).await?;
        cursor
            .reject(seq, "refused by the server", "400 Bad Request (\"no\")")
            .await?;
        journal.close().await;
        Ok(())
    })
}

const EDL: [u8; 10] = [6, b'E', b'M', b'H', 1, 2, 0x71, 0x56, 0xcd, 0x45];
const MBUS: [u8; 9] = [1, 0xa8, 0x15, 0x98, 0x64, 0x80, 2, 1, 2];

fn body(meter: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut buffer = [0; 256];
    let body = Reading::new(GetListRes::of(meter)).emit(&mut buffer);
    Ok(body.map_err(|_| "too long")?.to_vec())
}

#[test]
fn what_is_kept_apart_is_shown_and_accepted_while_the_daemon_runs_and_while_not() -> Outcome {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("meterline.toml");
    fs::write(&file, format!("state_dir = {:?}\n", dir.path()))?;
    let ask = |arguments: &[&str]| -> Result<(bool, String), Box<dyn Error>> {
        let output = meterline(arguments).arg("--config").arg(&file).output()?;
        let told = text(&output.stdout) + &text(&output.stderr);
        Ok((output.status.success(), told))
    };
    let accept = |meter| ask(&["suspects", "--accept", meter]);
    for command in ["suspects", "rejected"] {
        assert!(ask(&[command])?.1.contains("no journal"));
    }
    journal_with_suspects(dir.path())?;

    let (shown, told) = ask(&["suspects"])?;
    assert!(shown && told.lines().count() == 3, "{told}");
    assert!(
        told.contains("06-EMH-01027156CD45") && told.contains("fell"),
        "{told}"
    );
    let (accepted, told) = accept("1 EMH00 1059 9732")?;
    assert!(
        !accepted && told.contains("no reading of a meter 1 EMH00"),
        "{told}"
    );
    let (accepted, told) = accept("06-EMH-01027156CD45")?;
    assert!(accepted && told.contains("not accepted yet"), "{told}");

    let _daemon = Running(
        meterline(&["run", "--config"])
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()?,
    );
    let begin = Instant::now();
    while ask(&["suspects"])?.1.lines().count() > 1 {
        assert!(begin.elapsed() < Duration::from_secs(20), "never accepted");
    }
    let (shown, told) = ask(&["rejected"])?;
    assert!(
        shown && told.contains("output backend") && told.contains("400 Bad Request (\"no\")"),
        "{told}"
    );
    let (accepted, told) = accept("01a815986480020102")?;
    assert!(accepted && told.contains("with all readings"), "{told}");
    assert_eq!(ask(&["suspects"])?.1, "no reading is kept apart\n");
    Ok(())
}

/// An open pipe as input and a server that never answers do not hold the program up.
#[test]
fn the_end_comes_within_two_seconds_whatever_hangs() -> Outcome {
    let dir = tempfile::tempdir()?;
    let server = TcpListener::bind("127.0.0.1:0")?;
    let file = dir.path().join("meterline.toml");
    fs::write(
        &file,
        format!(
            "state_dir = {:?}\n[input.pipe]\ntype = \"file\"\npath = \"-\"\n\
             [output.backend]\ntype = \"rest\"\nurl = \"http://{}/\"\nallow_insecure = true\n",
            dir.path(),
            server.local_addr()?
        ),
    )?;
    let mut daemon = Running(
        meterline(&["run", "--config"])
            .arg(&file)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let mut stdin = daemon.0.stdin.take().ok_or("no standard input")?;
    let mut meter = Meter::new(model::find("emh-mme40")?, &MeterConfig::default());
    stdin.write_all(&meter.telegram().bytes)?;
    let (mut connection, _) = server.accept()?;
    // The POST is on its way.
    assert!(connection.read(&mut [0; 16])? > 0);

    ends_in_time(&mut daemon)?;
    drop(stdin);
    Ok(())
}

fn ends_in_time(daemon: &mut Running) -> Outcome {
    let begin = Instant::now();
    let pid = i32::try_from(daemon.0.id())?;
    let pid = rustix::process::Pid::from_raw(pid).ok_or("no process id")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    let status = loop {
        if let Some(status) = daemon.0.try_wait()? {
            break status;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "it never ends");
        std::thread::sleep(Duration::from_millis(5));
    };
    let took = begin.elapsed();
    assert!(status.success());
    assert!(took < Duration::from_secs(2), "{took:?}");
    Ok(())
}

const NAME_SERVER: &str = "METERLINE_TEST_NAME_SERVER";

/// No test by itself: swallows every question for as long as the program lives that started it.
#[test]
fn name_server() -> Outcome {
    if std::env::var_os(NAME_SERVER).is_none() {
        return Ok(());
    }
    let _swallows = UdpSocket::bind("127.0.0.1:53")?;
    let parent = parent_id();
    while parent_id() == parent {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Gives the program $1 with the configuration $2 a network of its own, in which this test $4 is the
/// name server that /etc/resolv.conf, from $3, names.
const WITHOUT_NAMES: &str = r#"
    mount --bind "$3" /etc/resolv.conf && ip link set lo up || exit 1
    METERLINE_TEST_NAME_SERVER=1 "$4" --exact name_server >/dev/null &
    exec "$1" run --config "$2"
"#;

/// The system's resolver cannot be interrupted, and takes half a minute to give up.
#[test]
fn a_name_server_that_does_not_answer_does_not_hold_the_end_up() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (file, recording) = (dir.path().join("meterline.toml"), dir.path().join("bin"));
    let resolv = dir.path().join("resolv.conf");
    fs::write(&resolv, "nameserver 127.0.0.1\noptions timeout:30\n")?;
    let mut meter = Meter::new(model::find("emh-mme40")?, &MeterConfig::default());
    fs::write(&recording, meter.telegram().bytes)?;
    fs::write(
        &file,
        format!(
            "state_dir = {:?}\n[input.replay]\ntype = \"file\"\npath = {recording:?}\n\
             [output.backend]\ntype = \"rest\"\nurl = \"https://meters.example.org/\"\n",
            dir.path(),
        ),
    )?;
    let mut daemon = Running(
        Command::new("unshare")
            .args(["--mount", "--net", "sh", "-c", WITHOUT_NAMES, "sh"])
            .arg(env!("CARGO_BIN_EXE_meterline"))
            .args([&file, &resolv, &std::env::current_exe()?])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?,
    );
    // It waits for an answer when a socket is open towards port 53.
    let sockets = format!("/proc/{}/net/udp", daemon.0.id());
    let towards = |line: &str| line.split_whitespace().nth(2) == Some("0100007F:0035");
    let begin = Instant::now();
    while !fs::read_to_string(&sockets).is_ok_and(|all| all.lines().any(towards)) {
        if let Some(status) = daemon.0.try_wait()? {
            assert!(!status.success(), "it ended by itself");
            recordings::missing("only root may make a network of its own");
            return Ok(());
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "it never asks");
        std::thread::sleep(Duration::from_millis(20));
    }
    ends_in_time(&mut daemon)
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
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?;
    fs::write(
        &file,
        format!(
            "state_dir = {state:?}\n\
             [http]\nlisten = \"{address}\"\n\
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
    assert!(
        about("[http]").starts_with("wrong") && about("[http]").contains("write another port"),
        "{told}"
    );
    assert!(!state.exists(), "check leaves nothing behind");
    let output = meterline(&["check", "--offline", "--config"])
        .arg(&file)
        .output()?;
    assert!(output.status.success());
    Ok(())
}

#[test]
fn check_finds_what_would_run_and_bring_nothing() -> Outcome {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("meterline.toml");
    fs::write(&file, "")?;
    let output = meterline(&["check", "--offline", "--config"])
        .arg(&file)
        .output()?;
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("no meter is read") && told.contains("sent nowhere"),
        "{told}"
    );
    let path = dir.path();
    fs::write(
        &file,
        format!("state_dir = {file:?}\n[input.replay]\ntype = \"file\"\npath = {path:?}\n"),
    )?;
    let output = meterline(&["check", "--config"]).arg(&file).output()?;
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("is a directory; name a file in it")
            && told.contains("is no directory; set state_dir to one"),
        "{told}"
    );
    Ok(())
}
