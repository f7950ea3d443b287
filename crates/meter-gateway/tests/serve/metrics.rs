//! `/metrics`, against promtool and Prometheus themselves.

use std::io::Write as _;
use std::process::{Command, Stdio};

use meter_core::UnixMillis;
use meter_sim::{MeterConfig, Telegram};
use sml_wire::Obis;

use crate::bench::{Head, Program, Result, TODAY, TestClocks};
use crate::client::{self, HTTP, get, get_with};

const IMPORT: Obis = Obis([1, 0, 1, 8, 0, 255]);

/// The energy of a telegram in joules, by arithmetic on its digits.
fn joules(telegram: &Telegram, obis: Obis) -> String {
    let text = telegram.number_text(obis).unwrap();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let scaled = format!("{whole}{decimals}").parse::<u128>().unwrap() * 3600;
    let digits = format!("{scaled:0>width$}", width = decimals.len() + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals.len());
    if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    }
}

fn value<'p>(page: &'p str, metric: &str) -> Option<&'p str> {
    page.lines()
        .find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '))
}

#[tokio::test]
async fn every_number_of_a_meter_is_there_exactly() -> Result {
    let mut head = Head::of("efr-sgm", &MeterConfig::default()).await?;
    let mut program = Program::start(&format!("{}{HTTP}", head.table("house")?))?;
    let address = client::address(&mut program).await?;
    let telegram = head.speak().await?;
    program.stored(1).await?;

    let page = get(address, "/metrics").await?;
    assert_eq!(page.kind, "text/plain; version=0.0.4; charset=utf-8");
    let page = page.body;
    let id = meter_core::ServerId(head.server_id())
        .meter_id()
        .compact()
        .to_string();
    let of = |rest: &str| format!("{{meter=\"{id}\"{rest}}}");
    let number = |c| telegram.number_text(Obis([1, 0, c, 7, 0, 255])).unwrap();
    for (metric, wanted) in [
        (
            format!(
                "smartmeter_energy_import_joules_total{}",
                of(",tariff=\"0\"")
            ),
            joules(&telegram, IMPORT),
        ),
        (
            format!("smartmeter_active_power_watts{}", of(",phase=\"all\"")),
            number(16),
        ),
        (
            format!("smartmeter_active_power_watts{}", of(",phase=\"l1\"")),
            number(36),
        ),
        (
            format!("smartmeter_voltage_volts{}", of(",phase=\"l1\"")),
            number(32),
        ),
        (
            format!("smartmeter_voltage_volts{}", of(",phase=\"l3\"")),
            number(72),
        ),
        (
            format!("smartmeter_current_amperes{}", of(",phase=\"l2\"")),
            number(51),
        ),
        (format!("smartmeter_frequency_hertz{}", of("")), number(14)),
        (
            format!("smartmeter_readings_total{}", of("")),
            "1".to_owned(),
        ),
        (
            "meterline_input_frames_total{input=\"house\",result=\"crc\"}".to_owned(),
            "0".to_owned(),
        ),
        ("meterline_stored_readings_total".to_owned(), "1".to_owned()),
        ("meterline_clock_wrong".to_owned(), "0".to_owned()),
    ] {
        assert_eq!(value(&page, &metric), Some(&*wanted), "{metric}\n{page}");
    }
    // What has no name of its own is there by its code.
    let numbers = telegram
        .registers
        .iter()
        .filter(|register| telegram.number_text(register.obis).is_some());
    let metrics = page.lines().filter(|line| {
        line.starts_with("smartmeter_") && !line.contains("readings") && !line.contains("_age_")
    });
    assert_eq!(metrics.count(), numbers.count(), "{page}");
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_value_that_is_too_old_is_gone_and_its_age_is_not() -> Result {
    let mut head = Head::new(&MeterConfig::default()).await?;
    let table = format!("{}{HTTP}", head.table("house")?);
    let mut program = Program::start(&table)?;
    head.send(2).await?;
    program.stored(2).await?;
    let state = program.stop().await?;
    head.hang_up();

    // The meter says nothing any more.
    let later = TestClocks::at(UnixMillis(TODAY.0 + 300_000));
    let mut program = Program::start_at(&table, state, later)?;
    let address = client::address(&mut program).await?;
    program
        .until("the meter is known", |view| !view.meters.is_empty())
        .await?;
    let page = get(address, "/metrics").await?.body;
    assert!(!page.contains("joules"), "{page}");
    assert!(!page.contains("watts"), "{page}");
    let age = page
        .lines()
        .find_map(|line| line.split_once("smartmeter_reading_age_seconds{"));
    let age: f64 = age.unwrap().1.split_once("} ").unwrap().1.parse()?;
    assert!((200.0..400.0).contains(&age), "{age}");

    head.send(1).await?;
    program.stored(1).await?;
    let page = get(address, "/metrics").await?.body;
    assert!(
        page.contains("smartmeter_energy_import_joules_total{"),
        "{page}"
    );
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn promtool_finds_nothing_to_complain_about() -> Result {
    let Some(mut promtool) = program("promtool") else {
        recordings::missing("promtool is not installed (Debian package prometheus)");
        return Ok(());
    };
    let backend = meter_sim::backend::Backend::start(meter_sim::backend::Config {
        tls: false,
        ..Default::default()
    })?;
    let mut head = Head::of("efr-sgm", &MeterConfig::default()).await?;
    let output = format!(
        "[output.backend]\ntype = \"rest\"\nurl = {:?}\nallow_insecure = true\n",
        backend.url("/telemetry")
    );
    let mut program = Program::start(&format!("{}{HTTP}{output}", head.table("house")?))?;
    let address = client::address(&mut program).await?;
    head.send(3).await?;
    program
        .until("delivered", |view| {
            view.outputs
                .get("backend")
                .is_some_and(|output| output.delivered >= 3)
        })
        .await?;
    let page = get(address, "/metrics").await?.body;
    assert_eq!(
        value(
            &page,
            "meterline_output_delivered_readings_total{output=\"backend\"}"
        ),
        Some("3"),
        "{page}"
    );
    let mut child = promtool
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().unwrap().write_all(page.as_bytes())?;
    let checked = child.wait_with_output()?;
    let said = String::from_utf8(checked.stderr)? + &String::from_utf8(checked.stdout)?;
    assert!(
        checked.status.success() && said.is_empty(),
        "{said}\n{page}"
    );
    program.stop().await?;
    Ok(())
}

fn program(name: &str) -> Option<Command> {
    let found = Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.is_ok().then(|| Command::new(name))
}

#[tokio::test]
async fn openmetrics_is_written_for_those_who_ask_for_it() -> Result {
    let mut head = Head::new(&MeterConfig::default()).await?;
    let mut program = Program::start(&format!("{}{HTTP}", head.table("house")?))?;
    let address = client::address(&mut program).await?;
    head.send(1).await?;
    program.stored(1).await?;
    let accept = [(
        "accept",
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
    )];
    let page = get_with(address, "/metrics", &accept).await?;
    assert_eq!(
        page.kind,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    for line in [
        "# TYPE smartmeter_energy_import_joules counter",
        "# UNIT smartmeter_energy_import_joules joules",
        "# TYPE smartmeter_active_power_watts gauge",
        "# UNIT smartmeter_active_power_watts watts",
    ] {
        assert!(
            page.body.lines().any(|other| other == line),
            "{line}\n{}",
            page.body
        );
    }
    assert!(page.body.ends_with("\n# EOF\n"));
    program.stop().await?;
    Ok(())
}
