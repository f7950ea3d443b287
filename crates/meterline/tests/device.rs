//! `meterline device` against the device's own console, on a socket and on a pseudo-terminal.

#[expect(dead_code, reason = "other tests start programs that go on")]
mod program;

use std::error::Error;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use meter_core::{ServerId, UnixMillis};
use meter_device::board::{Memory, Start};
use meter_device::console::{
    Command, Delivery, Done, Event, Help, Info, Meter, Network, Port, Refused,
};
use meter_device::outbox::Status;
use meter_device::settings::Settings;
use program::{Outcome, meterline, run, text};
use rustix::pty::OpenptFlags;

/// An error and a refused reading, as the ring of the device tells them.
const LOG: &str = r#"{"log":[{"kind":"ERROR","boot":3,"uptime_s":70,"time_ms":1800000000000,"text":"index out of bounds","heap_peak":41200,"stack_peak":9100,"backlog":0},{"kind":"REFUSED","status":400,"time_ms":1800000000000,"reading":"7677"}]}"#;

/// What a device knows in these tests.
#[derive(Clone, Default)]
struct Fake {
    settings: Arc<Mutex<Settings>>,
}

impl Fake {
    /// Answers on this line until it is closed.
    fn serve(&self, mut line: impl Read + Write) {
        let mut port = Port::new();
        let mut octet = [0];
        // A start in the middle of a line of the log.
        let _ = line.write_all(b"\xff\xfeot: ready\r\n");
        while line.read(&mut octet).is_ok_and(|count| count == 1) {
            let Some(event) = port.push(octet[0]) else {
                continue;
            };
            let answer = match event {
                Event::Command(command) => self.answer(command),
                Event::BadLine(bad) => Refused(bad.name(), bad).to_string(),
                _ => continue,
            };
            let log = "00:00:01 INFO something else {\"info\":1}";
            if write!(line, "{log}\r\n{answer}\r\n").is_err() {
                return;
            }
        }
    }

    fn answer(&self, command: Command<'_>) -> String {
        let Ok(mut settings) = self.settings.lock() else {
            return String::new();
        };
        match command {
            Command::Info => info(&settings).to_string(),
            Command::Configure(json) => match Settings::accept(json) {
                Ok(new) => {
                    *settings = new;
                    Done::Configured.to_string()
                }
                Err(refused) => Refused(command.name(), refused).to_string(),
            },
            Command::Log => LOG.to_owned(),
            Command::Accept => Refused(command.name(), "no meter is refused").to_string(),
            Command::Restart => Done::Restarting.to_string(),
            Command::Forget => Done::Forgotten.to_string(),
            Command::Help => Help.to_string(),
        }
    }
}

fn info(settings: &Settings) -> Info<'_> {
    Info {
        firmware: "0.1.0",
        board: "fake",
        boot: 4,
        start: Start::Power,
        uptime: Duration::from_secs(90),
        time: Some(UnixMillis(1_800_000_000_000)),
        network: Some(Network {
            ssid: Some("House"),
            signal_dbm: Some(-61),
            address: Ipv4Addr::new(10, 0, 2, 15),
        }),
        meter: Some(Meter {
            id: ServerId(&[0x0a, 0x01, b'E', b'M', b'H', 0, 0, 0xbc, 0x61, 0x4e]).meter_id(),
            age: Duration::from_secs(2),
            is_suspect: true,
        }),
        overrun: 0,
        outbox: Status {
            in_memory: 1,
            in_flash: 2,
            ..Status::default()
        },
        delivery: Delivery {
            last: None,
            error: Some("nothing listens there: check the port"),
            ..Delivery::default()
        },
        memory: Memory::default(),
        settings,
        settings_error: None,
    }
}

/// A device on a socket: its place, and what it knows.
fn on_socket(dir: &Path) -> Result<(String, Fake), Box<dyn Error>> {
    let path = dir.join("device.sock");
    let listener = UnixListener::bind(&path)?;
    let fake = Fake::default();
    let served = fake.clone();
    thread::spawn(move || {
        for line in listener.incoming().flatten() {
            served.serve(&line);
        }
    });
    Ok((format!("unix:{}", path.display()), fake))
}

#[test]
fn info_and_log_are_shown() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (port, _fake) = on_socket(dir.path())?;
    let output = run(&["device", "info", "--port", &port])?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for part in [
        "0.1.0 on fake, run 4 (started by power), for 1m30s",
        "House, -61 dBm, 10.0.2.15",
        "1 EMH00 1234 5678, last reading 2s ago: its readings are refused as implausible",
        "1 in memory, 2 in flash",
        "none yet; nothing listens there: check the port",
    ] {
        assert!(shown.contains(part), "`{part}` is missing in\n{shown}");
    }
    let output = run(&["device", "info", "--json", "--port", &port])?;
    let json: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(json["outbox"]["in_flash"], 2);
    let output = run(&["device", "log", "--port", &port])?;
    let shown = text(&output.stdout);
    assert_eq!(
        shown,
        "2027-01-15T08:00:00.000Z, run 3 after 1m10s: ERROR: index out of bounds\n\
         2027-01-15T08:00:00.000Z: REFUSED: the server refused a reading for good (400): 7677\n"
    );
    Ok(())
}

#[test]
fn settings_arrive_with_their_secrets_and_certificate() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (port, fake) = on_socket(dir.path())?;
    std::fs::write(dir.path().join("password"), "correct horse\n")?;
    // The outermost shape of a certificate is all that is looked at.
    let pem = "-----BEGIN CERTIFICATE-----\nMAUwAwIBKg==\n-----END CERTIFICATE-----\n";
    std::fs::write(dir.path().join("ca.pem"), pem)?;
    let file = dir.path().join("device.toml");
    let ca = dir.path().join("ca.pem").display().to_string();
    let password = dir.path().join("password").display().to_string();
    std::fs::write(
        &file,
        format!(
            "name = \"cellar\"\n[[wifi]]\nssid = \"House\"\npassword = \"file:{password}\"\n\
             [output]\ntype = \"rest\"\nurl = \"env:DEVICE_URL\"\nca_file = \"{ca}\"\n"
        ),
    )?;
    let output = meterline(&["device", "configure", "--port", &port, "--from"])
        .arg(&file)
        .env("DEVICE_URL", "https://host/TOKEN")
        .output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(
        !said.contains("TOKEN") && !said.contains("correct horse"),
        "{said}"
    );
    let stored = fake.settings.lock().map_err(|_| "poisoned")?;
    let json = br#"{"name":"cellar","wifi":[{"ssid":"House","password":"correct horse"}],"output":{"rest":{"url":"https://host/TOKEN","ca":"MAUwAwIBKg=="}}}"#;
    assert_eq!(*stored, Settings::accept(json)?);
    Ok(())
}

#[test]
fn a_wrong_file_changes_nothing() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (port, fake) = on_socket(dir.path())?;
    let file = dir.path().join("device.toml");
    let path = file.display().to_string();
    std::fs::write(&file, "nam = \"cellar\"\n")?;
    for port in [&port, "unix:/nonexistent"] {
        let output = run(&["device", "configure", "--port", port, "--from", &path])?;
        assert_eq!(output.status.code(), Some(3));
        let said = text(&output.stderr);
        assert!(
            said.contains("device.toml:1:1: unknown key `nam`: did you mean `name`?"),
            "{said}"
        );
    }
    assert_eq!(
        *fake.settings.lock().map_err(|_| "poisoned")?,
        Settings::default()
    );
    std::fs::write(&file, "name = \"cellar\"\n")?;
    let output = run(&["device", "configure", "--from", &path, "--check"])?;
    assert_eq!(text(&output.stdout), format!("{path} is right\n"));
    Ok(())
}

#[test]
fn refusals_have_reasons_and_statuses() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (port, _fake) = on_socket(dir.path())?;
    let output = run(&["device", "accept", "--port", &port])?;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "meterline: the device refuses: no meter is refused\n"
    );
    for done in [&["restart"][..], &["forget", "--yes"]] {
        let output = run(&[&["device", "--port", &port], done].concat())?;
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    assert_eq!(
        run(&["device", "forget", "--port", &port])?.status.code(),
        Some(2)
    );
    let output = run(&["device", "info", "--port", "unix:/nonexistent"])?;
    assert_eq!(output.status.code(), Some(1));
    Ok(())
}

#[test]
fn a_refusal_of_settings_is_one_of_configuration() -> Outcome {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("old.sock");
    let listener = UnixListener::bind(&path)?;
    thread::spawn(move || {
        for mut line in listener.incoming().flatten() {
            // A device with an older firmware, which has other bounds.
            let _ = line.write_all(b"{\"configure\":null,\"error\":\"name: too long\"}\n");
            let mut all = Vec::new();
            let _ = line.read_to_end(&mut all);
        }
    });
    let file = dir.path().join("device.toml");
    std::fs::write(&file, "")?;
    let port = format!("unix:{}", path.display());
    let output = meterline(&["device", "configure", "--port", &port, "--from"])
        .arg(&file)
        .output()?;
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        text(&output.stderr),
        "meterline: the device refuses the settings and keeps its old ones: name: too long\n"
    );
    Ok(())
}

#[test]
fn a_serial_port_is_spoken_to() -> Outcome {
    let control = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::pty::grantpt(&control)?;
    rustix::pty::unlockpt(&control)?;
    let name = rustix::pty::ptsname(&control, Vec::new())?;
    let port = name.to_str()?.to_owned();
    // Holds the other end open, and raw from the beginning.
    let other = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&port)?;
    let mut raw = rustix::termios::tcgetattr(&other)?;
    raw.make_raw();
    rustix::termios::tcsetattr(&other, rustix::termios::OptionalActions::Now, &raw)?;
    let fake = Fake::default();
    thread::spawn(move || fake.serve(std::fs::File::from(control)));
    let output = run(&["device", "info", "--port", &port])?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("0.1.0 on fake"));
    Ok(())
}

#[test]
fn the_example_is_a_file_that_is_right() -> Outcome {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("device.toml");
    std::fs::write(&file, run(&["device", "configure", "--example"])?.stdout)?;
    let path = file.display().to_string();
    let output = run(&["device", "configure", "--from", &path, "--check"])?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    Ok(())
}
