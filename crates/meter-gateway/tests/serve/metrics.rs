//! `/metrics`, against promtool and Prometheus themselves.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use meter_core::UnixMillis;
use meter_sim::{MeterConfig, Telegram};
use sml_wire::Obis;
use tempfile::TempDir;

use crate::bench::{Head, Program, Result, TODAY, TestClocks};
use crate::client::{self, HTTP, PATIENCE, get, get_with};

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

/// A running Prometheus; it ends with the test.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// One that asks `target` each second.
    fn start(mut command: Command, target: SocketAddr) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let config = directory.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\n\
             scrape_configs: [{{job_name: meterline, static_configs: [{{targets: [\"{target}\"]}}]}}]\n"
        );
        std::fs::write(&config, text)?;
        // A port that was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self {
            child,
            address,
            _directory: directory,
        })
    }

    /// The value of a metric, once it has one.
    async fn value(&self, metric: &str) -> Result<f64> {
        let path = format!("/api/v1/query?query={metric}");
        let begin = Instant::now();
        loop {
            let answer = get(self.address, &path).await.ok();
            let answer = answer
                .and_then(|answer| answer.json().ok())
                .unwrap_or_default();
            if let Some(value) = answer["data"]["result"][0]["value"][1].as_str() {
                return Ok(value.parse()?);
            }
            assert!(begin.elapsed() < PATIENCE * 2, "{metric}: {answer}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// It asks for `OpenMetrics`, which promtool does not check.
#[tokio::test]
async fn prometheus_itself_reads_every_metric() -> Result {
    let Some(prometheus) = program("prometheus") else {
        recordings::missing("prometheus is not installed (Debian package prometheus)");
        return Ok(());
    };
    let mut head = Head::of("efr-sgm", &MeterConfig::default()).await?;
    let mut program = Program::start(&format!("{}{HTTP}", head.table("house")?))?;
    let address = client::address(&mut program).await?;
    let telegram = head.speak().await?;
    program.stored(1).await?;
    let prometheus = Prometheus::start(prometheus, address)?;
    let energy = prometheus
        .value("smartmeter_energy_import_joules_total")
        .await?;
    assert_eq!(
        energy.to_string(),
        joules(&telegram, IMPORT).parse::<f64>()?.to_string()
    );
    let power = prometheus
        .value("smartmeter_active_power_watts%7Bphase=%22all%22%7D")
        .await?;
    let shown = telegram.number_text(Obis([1, 0, 16, 7, 0, 255])).unwrap();
    assert_eq!(power.to_string(), shown.parse::<f64>()?.to_string());
    let page = get(address, "/metrics").await?.body;
    let metrics = page.lines().filter(|line| !line.starts_with('#')).count();
    let scraped = prometheus.value("scrape_samples_scraped").await?;
    assert_eq!(scraped.to_string(), metrics.to_string());
    program.stop().await?;
    Ok(())
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
