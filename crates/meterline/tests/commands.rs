//! The smaller commands, driven from outside.

mod program;

use std::io::Read as _;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use program::{Outcome, meterline, run, start, text};
use serde_json::Value;
use sml_wire::{Decoder, Event};

const COMMANDS: [&str; 12] = [
    "device",
    "suspects",
    "run",
    "demo",
    "check",
    "decode",
    "sim",
    "ports",
    "config",
    "import",
    "completions",
    "man",
];

#[test]
fn every_command_has_help_with_examples() -> Outcome {
    let help = text(&run(&["--help"])?.stdout);
    assert!(
        help.contains("Examples:") && help.contains("Exit status:"),
        "{help}"
    );
    for command in COMMANDS {
        assert!(
            help.contains(&format!("  {command} ")),
            "{command} is missing in {help}"
        );
        let output = run(&[command, "--help"])?;
        assert!(output.status.success());
        assert!(
            text(&output.stdout).contains("Examples:\n  meterline "),
            "{command}"
        );
    }
    Ok(())
}

#[test]
fn a_wrong_command_line_has_its_own_status() -> Outcome {
    for wrong in [
        &["frobnicate"][..],
        &["decode", "--format", "xml"],
        &["sim"],
        &["sim", "nonsense"],
    ] {
        let output = run(wrong)?;
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty());
    }
    assert!(text(&run(&["sim", "iskra"])?.stderr).contains("iskra-mt175 or iskra-mt631"));
    Ok(())
}

#[test]
fn completions_and_manual_pages_know_every_command() -> Outcome {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&run(&["completions", shell])?.stdout);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
    assert!(text(&run(&["man"])?.stdout).contains(".TH meterline 1"));
    assert!(text(&run(&["man", "decode"])?.stdout).contains("hexdump"));
    assert_eq!(run(&["man", "nonsense"])?.status.code(), Some(2));
    let dir = tempfile::tempdir()?;
    let pages = dir.path().join("man1");
    let output = meterline(&["man", "--dir"]).arg(&pages).output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    for command in COMMANDS {
        assert!(
            pages.join(format!("meterline-{command}.1")).exists(),
            "{command}"
        );
    }
    Ok(())
}

#[test]
fn the_configuration_is_described() -> Outcome {
    assert!(text(&run(&["config", "example"])?.stdout).contains("meterline.toml"));
    let schema: Value = serde_json::from_slice(&run(&["config", "schema"])?.stdout)?;
    assert!(schema["properties"].is_object());
    let places = text(&run(&["config", "where"])?.stdout);
    assert!(places.contains("/etc/meterline/meterline.toml"), "{places}");
    Ok(())
}

#[test]
fn simulated_bytes_are_the_same_for_the_same_seed() -> Outcome {
    let bytes = |seed: &str| {
        run(&["sim", "q3a", "--count", "5", "--seed", seed]).map(|output| output.stdout)
    };
    assert_eq!(bytes("1")?.len(), 5 * 504);
    assert_eq!(bytes("1")?, bytes("1")?);
    assert_ne!(bytes("1")?, bytes("2")?);
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("q3a.bin");
    let path = file.to_str().ok_or("path")?;
    assert!(
        run(&["sim", "q3a", "-n", "5", "--out", path])?
            .status
            .success()
    );
    assert_eq!(std::fs::read(file)?, bytes("1")?);
    Ok(())
}

#[test]
fn what_sim_makes_decode_reads() -> Outcome {
    let mut sim = meterline(&["sim", "mme40", "dvs74", "--count", "4", "--pv", "9000"])
        .stdout(Stdio::piped())
        .spawn()?;
    let pipe = sim.stdout.take().ok_or("no standard output")?;
    let output = Command::new(env!("CARGO_BIN_EXE_meterline"))
        .args(["decode", "--format", "json", "--strict"])
        .stdin(pipe)
        .output()?;
    assert!(sim.wait()?.success());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().count(), 8);
    Ok(())
}

#[test]
fn the_list_of_models_says_what_is_assumed() -> Outcome {
    let list = text(&run(&["sim", "--list"])?.stdout);
    for name in meter_sim::model::names() {
        assert!(list.contains(name), "{name}");
    }
    assert!(list.contains("documented:") && list.contains("assumed:"));
    Ok(())
}

#[test]
fn a_meter_over_tcp_sends_telegrams() -> Outcome {
    let (_running, line) = start(&["sim", "mt631", "--tcp", "127.0.0.1:0", "--speed", "max"])?;
    let address = line.trim().rsplit(' ').next().ok_or("no address")?;
    let mut stream = TcpStream::connect(address)?;
    let mut bytes = [0; 1024];
    stream.read_exact(&mut bytes)?;
    let mut decoder = Decoder::new(vec![0; 4096]);
    let mut input = &bytes[..];
    assert!(matches!(decoder.next(&mut input), Some(Event::Frame(_))));
    Ok(())
}

#[test]
fn a_simulated_port_is_found_with_its_meter() -> Outcome {
    let dir = tempfile::tempdir()?;
    let head = dir.path().join("head");
    let link = head.to_str().ok_or("path")?;
    let (_running, told) = start(&["sim", "mme40", "--link", link])?;
    assert!(told.contains(link), "{told}");
    let dir = dir.path().to_str().ok_or("path")?;
    let output = run(&["ports", "--json", "--dir", dir])?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let ports: Value = serde_json::from_slice(&output.stdout)?;
    let port = ports
        .as_array()
        .and_then(|ports| ports.iter().find(|port| port["path"] == link));
    let port = port.ok_or_else(|| format!("{link} is missing in {ports}"))?;
    assert_eq!(port["meter_id"], told.split(" (").next().ok_or("no id")?);
    assert_eq!(port["line"], "9600 8N1");
    Ok(())
}
