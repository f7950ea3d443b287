//! The examples of the README, pasted into a configuration and run: what arrives at the real server is what
//! `meterline decode` shows.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use fixtures::{PASSWORD, free_port};
use meter_sim::backend::{self, Answer, Backend, Behaviour};
use meter_sim::{Meter, MeterConfig, model};
use tempfile::TempDir;

use crate::program::{Outcome, Running, meterline, text};
use crate::servers::{LIMIT, Result, Server, ask, mosquitto, text_of, until};

const README: &str = include_str!("../../../../README.md");

/// The blocks of the README that are configurations.
fn blocks() -> impl Iterator<Item = &'static str> {
    let blocks = README.split("```toml\n").skip(1);
    blocks.filter_map(|rest| rest.split("```").next())
}

/// An output of this type, as it stands there.
fn example(kind: &str) -> Result<&'static str> {
    let mut outputs = blocks().filter_map(|block| block.get(block.find("[output.")?..));
    let wanted = format!("\ntype = \"{kind}\"\n");
    let found = outputs.find(|output| output.contains(&wanted));
    Ok(found.ok_or_else(|| format!("the README has no example of {kind}"))?)
}

/// A meter that has sent one telegram, and a program that delivers it.
struct Stage {
    folder: TempDir,
    recording: PathBuf,
    _running: Running,
}

impl Stage {
    /// Runs the program with an example, of which `changes` are what this machine has elsewhere.
    fn run(example: &str, changes: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let recording = folder.path().join("meter.bin");
        let mut meter = Meter::new(model::find("iskra-mt691")?, &MeterConfig::default());
        fs::write(&recording, meter.telegram().bytes)?;
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD)?;
        let mut output = example.to_owned();
        for (old, new) in changes {
            assert!(output.contains(old), "{old:?} is not in {output}");
            output = output.replace(old, new);
        }
        if let Some((before, rest)) = output.split_once("\"file:") {
            let (_, behind) = rest.split_once('"').ok_or("no end")?;
            output = format!("{before}\"file:{}\"{behind}", password.display());
        }
        let file = folder.path().join("meterline.toml");
        let here = folder.path().display();
        let input = format!(
            "state_dir = \"{here}/state\"\n[input.replay]\ntype = \"file\"\npath = \"{}\"\n",
            recording.display()
        );
        fs::write(&file, input + &output)?;
        let mut command = meterline(&["run", "--config"]);
        command
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Self {
            folder,
            recording,
            _running: Running(command.spawn()?),
        })
    }

    /// What `decode` shows of the telegram, had it been taken at this time.
    fn decoded(&self, format: &str, time: &str) -> Result<String> {
        let arguments = ["decode", "--format", format, "--time", time];
        let output = meterline(&arguments).arg(&self.recording).output()?;
        Ok(text(&output.stdout))
    }
}

#[test]
fn files() -> Outcome {
    for (kind, lines) in [("csv", 5), ("jsonl", 1)] {
        let folder = tempfile::tempdir()?;
        let here = folder.path().to_str().ok_or("path")?;
        let example = example("csv")?.replace("\"csv\"", &format!("\"{kind}\""));
        let stage = Stage::run(&example, &[("/var/lib/meterline/files", here)])?;
        let found = until("a reading", || {
            let text = text_of(folder.path(), kind)?;
            Ok((text.lines().count() == lines).then_some(text))
        })?;
        let time = match kind {
            "csv" => found.lines().nth(1).and_then(|row| row.split(',').next()),
            _ => found
                .split("\"time\":\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next()),
        };
        assert_eq!(found, stage.decoded(kind, time.ok_or("no time")?)?);
    }
    Ok(())
}

#[test]
fn mqtt() -> Outcome {
    let Some(broker) = mosquitto()? else {
        return Ok(());
    };
    let to = format!("localhost:{}", broker.plain);
    let stage = Stage::run(example("mqtt")?, &[("homeassistant.local", &to)])?;
    let hear = |topic: &str| -> Result<String> {
        let output = Command::new("mosquitto_sub")
            .args([
                "-p",
                &broker.plain.to_string(),
                "-u",
                "meterline",
                "-P",
                PASSWORD,
            ])
            .args([
                "-C",
                "1",
                "-W",
                &LIMIT.as_secs().to_string(),
                "-v",
                "-t",
                topic,
            ])
            .output()?;
        Ok(String::from_utf8(output.stdout)?)
    };
    let found = hear("meterline/+")?;
    let time = found
        .split("\"time\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    assert_eq!(found, stage.decoded("mqtt", time.ok_or("no time")?)?);
    // Home Assistant is told of it.
    let device = hear("homeassistant/device/+/config")?;
    assert!(device.contains("ISK00 3021 1772"), "{device}");
    Ok(())
}

#[test]
fn influxdb() -> Outcome {
    let Some(server) = Server::influxd()? else {
        return Ok(());
    };
    server.query("", "CREATE DATABASE power")?;
    let to = format!("localhost:{}", server.port);
    let stage = Stage::run(example("influx")?, &[("localhost:8086", &to)])?;
    let answer = until("a point", || {
        let answer = server.query("power", "SELECT * FROM electricity")?;
        Ok(answer["results"][0]["series"].is_array().then_some(answer))
    })?;
    let series = &answer["results"][0]["series"][0];
    assert_eq!(
        series["columns"],
        serde_json::json!(["time", "1.8.0_Wh", "16.7.0_W", "meter"])
    );
    let [time, energy, power, meter] = [0, 1, 2, 3].map(|place| series["values"][0][place].clone());
    let meter = meter.as_str().ok_or("no meter")?;
    // A float of InfluxDB comes back without the zeros at its end.
    let line = format!("electricity,meter={meter} 1.8.0_Wh={energy}.0,16.7.0_W={power} {time}\n");
    assert_eq!(line, stage.decoded("influx", &time.to_string())?);
    Ok(())
}

#[test]
fn victoria_metrics() -> Outcome {
    let Some(server) = Server::victoria_metrics()? else {
        return Ok(());
    };
    let to = format!("localhost:{}", server.port);
    let _stage = Stage::run(example("influx")?, &[("localhost:8086", &to)])?;
    let series = "/api/v1/export?match={__name__=%22electricity_1.8.0_Wh%22}";
    let answer = until("a sample", || {
        ask(server.port, "GET", "/internal/force_flush")?;
        let answer = ask(server.port, "GET", series)?;
        Ok((!answer.is_empty()).then_some(answer))
    })?;
    assert!(
        answer.contains("1ISK0030211772") && answer.contains("\"values\":[1464386]"),
        "{answer}"
    );
    Ok(())
}

#[test]
fn postgresql() -> Outcome {
    let Some(server) = Server::postgres()? else {
        return Ok(());
    };
    server.until_sql()?;
    server.sql("postgres", "CREATE USER meterline")?;
    server.sql("postgres", "CREATE DATABASE meters OWNER meterline")?;
    let to = server.database("meters");
    let stage = Stage::run(example("postgres")?, &[("postgres:///meters", &to)])?;
    let rows = "COPY (SELECT to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), meter, obis, \
                value, text, unit, status FROM meterline.registers ORDER BY obis) TO STDOUT";
    let found = until("rows", || {
        let found = server.sql("meters", rows)?;
        Ok((!found.is_empty()).then_some(found))
    })?;
    let time = found.split('\t').next().ok_or("no time")?;
    let shown = stage.decoded("postgres", time)?;
    let mut shown: Vec<&str> = shown.lines().collect();
    shown.sort_unstable();
    let mut found: Vec<&str> = found.lines().collect();
    found.sort_unstable();
    assert_eq!(found, shown);
    Ok(())
}

/// Runs an example against a simulated server, and gives what is posted: paths and bodies.
fn posted(
    example: &str,
    host: &str,
    config: backend::Config,
    answer: Answer,
    count: usize,
) -> Result<(Stage, Vec<(String, String)>)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _entered = runtime.enter();
    let is_encrypted = config.tls;
    let backend = Backend::start(config)?;
    backend.set_behaviour(Behaviour::always(answer));
    let to = format!("localhost:{}", backend.port());
    let folder = tempfile::tempdir()?;
    let ca_file = folder.path().join("ca.pem");
    fs::write(&ca_file, backend.ca_pem())?;
    let example = if is_encrypted {
        format!("{example}ca_file = \"{}\"\n", ca_file.display())
    } else {
        example.to_owned()
    };
    let stage = Stage::run(&example, &[(host, &to)])?;
    let enough = backend.wait_until(LIMIT, |backend| backend.request_count() >= count as u64);
    assert!(runtime.block_on(enough), "nothing comes");
    let posted = backend.received().into_iter().map(|request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        (request.path, body)
    });
    Ok((stage, posted.collect()))
}

#[test]
fn volkszaehler() -> Outcome {
    let plain = backend::Config {
        tls: false,
        ..backend::Config::default()
    };
    let taken = Answer::status(200).body(r#"{"version":"0.3","rows":1}"#);
    let example = example("volkszaehler")?;
    let (stage, posted) = posted(example, "localhost", plain, taken, 2)?;
    let time = posted[0]
        .1
        .trim_start_matches('[')
        .split(',')
        .next()
        .ok_or("no time")?;
    let shown = stage.decoded("volkszaehler", time)?;
    for ((path, body), line) in posted.iter().zip(shown.lines()) {
        let (register, shown) = line.split_once(' ').ok_or("no register")?;
        assert_eq!(body, shown);
        let uuid = path.split(['/', '.']).rev().nth(1).ok_or("no UUID")?;
        assert!(path.starts_with("/middleware.php/data/"), "{path}");
        assert!(
            example.contains(&format!("\"{register}\" = \"{uuid}\"")),
            "{path}"
        );
    }
    assert_eq!(posted.len(), 2);
    Ok(())
}

#[test]
fn rest() -> Outcome {
    let taken = Answer::status(200);
    let config = backend::Config::default();
    let (stage, posted) = posted(example("rest")?, "things.example.org", config, taken, 1)?;
    assert_eq!(posted[0].0, "/api/v1/YOUR-DEVICES-TOKEN/telemetry");
    let time = posted[0]
        .1
        .split("\"ts\":")
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    let shown = stage.decoded("thingsboard", time.ok_or("no time")?)?;
    assert_eq!(posted[0].1, shown.trim_end());
    assert!(stage.folder.path().exists());
    Ok(())
}

#[test]
fn http() -> Outcome {
    let example = blocks().find(|block| block.starts_with("[http]"));
    let port = free_port()?;
    let there = format!("127.0.0.1:{port}");
    let _stage = Stage::run(example.ok_or("no example")?, &[("127.0.0.1:8080", &there)])?;
    // 1464386.0 Wh in joules.
    let joules = "smartmeter_energy_import_joules_total{meter=\"1ISK0030211772\",tariff=\"0\"} 5271789600.0\n";
    until("a metric", || {
        let page = ask(port, "GET", "/metrics")?;
        Ok(page.contains(joules).then_some(()))
    })
}
