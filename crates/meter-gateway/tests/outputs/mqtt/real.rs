//! A real Home Assistant beside a broker, which a script outside of the project sets up.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use meter_core::{Decimal, Obis, Reading, Unit, UnixMillis};
use meter_gateway::journal::{Journal, Options, Start};
use meter_gateway::output::mqtt::{Config, Discovery};
use meter_gateway::output::{self, Status};
use meter_sim::{Meter, MeterConfig, Telegram, model};
use serde_json::Value as Json;
use sml_wire::{Body, Decoder, Event};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::setup::{Result, millis};

/// Home Assistant takes some seconds to start, and says so after some more.
const LIMIT: Duration = Duration::from_mins(2);
/// What is said of a broker that is away is not about us.
const ABOUT_THE_BROKER: [&str; 3] = [
    "Error returned from MQTT server: The connection was lost",
    "Disconnected from MQTT server",
    "Failed to connect to MQTT",
];

#[tokio::test]
#[ignore = "takes minutes and a gigabyte: `cargo xtask test` runs it"]
async fn home_assistant_shows_every_register() -> Result {
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
        .args([
            "--prefix",
            "meterline_",
            "--seconds",
            "1",
            "--after-command",
            "--",
        ])
        .arg(env::current_exe()?)
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "mqtt::real::scenario",
        ])
        .env("METERLINE_SCENARIO", "1")
        .stderr(std::process::Stdio::inherit())
        .output()
        .await?;
    let said = std::fs::read_to_string(place.join("command.log")).unwrap_or_default();
    let seen: Json = serde_json::from_slice(&output.stdout)?;
    assert!(said.contains("test result: ok. 1 passed"), "{said}");
    say(&said);
    let log = seen["mqtt_log"].as_array().ok_or("no log")?;
    let ours: Vec<_> = log
        .iter()
        .filter_map(Json::as_str)
        .filter(|line| !ABOUT_THE_BROKER.iter().any(|words| line.contains(words)))
        .collect();
    assert_eq!(ours, [""; 0]);
    Ok(())
}

/// A house with a meter of every model.
struct House {
    meters: Vec<Meter>,
    journal: Journal,
    config: Config,
    expected: BTreeMap<String, Expected>,
    round: u64,
    _directory: TempDir,
}

/// How an entity must look.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    class: Option<&'static str>,
    state_class: Option<&'static str>,
    unit: Option<&'static str>,
    /// The value, where it is a number that the simulator knows.
    value: Option<String>,
    disabled: bool,
}

/// The second half of the test above, started beside a Home Assistant.
#[tokio::test]
#[ignore = "is a part of the test above"]
async fn scenario() -> Result {
    if env::var_os("METERLINE_SCENARIO").is_none() {
        return Ok(());
    }
    let mut house = House::new().await?;
    let mut running = house.start();
    house.all_is_there("at the start").await?;
    control("broker-restart").await?;
    house.all_is_there("after a restart of the broker").await?;
    control("ha-restart").await?;
    house
        .all_is_there("after a restart of Home Assistant")
        .await?;
    running.abort();
    running = house.start();
    house.all_is_there("after a restart of meterline").await?;
    running.abort();
    control("ha-stop").await?;
    control("broker-restart").await?;
    control("ha-start").await?;
    running = house.start();
    house.all_is_there("after a restart of all three").await?;

    let gone = house.meters.pop().ok_or("no meter")?;
    let only = house
        .meters
        .iter()
        .map(|meter| hex(meter.server_id()).parse());
    house.config.remote.delivery.meters = only.collect::<std::result::Result<_, _>>()?;
    running.abort();
    running = house.start();
    house.is_gone(&id_of(gone.server_id())).await?;
    house.all_is_there("without one meter").await?;
    running.abort();
    Ok(())
}

impl House {
    async fn new() -> Result<Self> {
        let port = env::var("BROKER_PORT")?;
        let directory = TempDir::new()?;
        let journal = Journal::open(Options::in_directory(directory.path()))?;
        journal.cursor("test", Start::Beginning).await?;
        let mut config = Config::new(format!("mqtt://127.0.0.1:{port}").parse()?);
        config.client_id = Some("house".to_owned());
        config.discovery = Some(Discovery::HomeAssistant);
        config.remote.allow_insecure = true;
        config.remote.delivery.retry_max = millis(1000);
        let settings = MeterConfig {
            pv_peak_w: 9_900,
            ..MeterConfig::default()
        };
        let mut meters = Vec::new();
        for name in model::names() {
            meters.push(Meter::new(model::find(name)?, &settings));
        }
        Ok(Self {
            meters,
            journal,
            config,
            expected: BTreeMap::new(),
            round: 0,
            _directory: directory,
        })
    }

    fn start(&self) -> JoinHandle<()> {
        let output = output::Config::Mqtt(self.config.clone());
        let (sender, _) = watch::channel(Status::default());
        let journal = self.journal.clone();
        tokio::spawn(async move {
            let Ok(cursor) = journal.cursor("test", Start::Beginning).await else {
                return;
            };
            let never = std::future::pending();
            let ended = output
                .run(cursor, sender, watch::Sender::default().subscribe(), never)
                .await;
            assert!(ended.is_ok(), "{ended:?}");
        })
    }

    /// A new reading of each meter, and what Home Assistant has to make of them.
    async fn read(&mut self) -> Result {
        self.expected.clear();
        self.round += 1;
        for meter in &mut self.meters {
            let telegram = meter.telegram();
            let body = body(&telegram.bytes)?;
            let reading = Reading::from_bytes(&body)?;
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
            let time = UnixMillis(i64::try_from(now.as_millis())?);
            let id = id_of(meter.server_id());
            for register in reading.registers() {
                let word: String = key(register.obis)
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                    .collect();
                let expected = Expected::of(register.obis, register.unit, &telegram);
                let entity = format!("meterline_{id}_{word}");
                // Of a code that comes twice, the first counts.
                self.expected.entry(entity).or_insert(expected);
            }
            let meter = meter.server_id().to_vec();
            self.journal.append(&meter, time, body).await?;
        }
        Ok(())
    }

    /// New readings show up, every register of every meter.
    async fn all_is_there(&mut self, when: &str) -> Result {
        let began = tokio::time::Instant::now();
        self.read().await?;
        let mut again = began + Duration::from_secs(20);
        loop {
            let entities = entities().await?;
            let missing: Vec<String> = self
                .expected
                .iter()
                .filter_map(|(id, expected)| {
                    expected
                        .misfit(entities.get(id))
                        .map(|why| format!("{id}: {why}"))
                })
                .collect();
            if missing.is_empty() {
                let (registers, meters) = (self.expected.len(), self.meters.len());
                let seconds = began.elapsed().as_secs();
                say(&format!(
                    "{when}: {registers} registers of {meters} meters, after {seconds} s"
                ));
                return Ok(());
            }
            let now = tokio::time::Instant::now();
            if now > began + LIMIT {
                return Err(format!("{when}: {missing:#?}").into());
            }
            if now > again {
                // As in a house, where the next reading is never far.
                again = now + Duration::from_secs(20);
                self.read().await?;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn is_gone(&self, meter: &str) -> Result {
        let began = tokio::time::Instant::now();
        let prefix = format!("meterline_{meter}_");
        while entities().await?.keys().any(|id| id.starts_with(&prefix)) {
            if began.elapsed() > LIMIT {
                return Err(format!("meter {meter} stays").into());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }
}

impl Expected {
    /// By the table of Home Assistant's documentation, not by ours.
    fn of(obis: Obis, unit: Option<Unit>, telegram: &Telegram) -> Self {
        let [medium, _, c, d, _, storage] = obis.0;
        let truth = telegram.number_text(obis);
        let energy = |state_class| (Some("energy"), Some(state_class), Some("kWh"));
        let measured = |class, unit| (class, Some("measurement"), Some(unit));
        let (class, state_class, wanted) = match (medium, c, d, unit) {
            _ if truth.is_none() => (None, None, None),
            (1, 1 | 2, 8, Some(Unit::WATT_HOUR)) if storage == 255 => energy("total_increasing"),
            (1, 1, 17, Some(Unit::WATT_HOUR)) | (1, 15 | 16, 8, Some(Unit::WATT_HOUR))
                if storage == 255 =>
            {
                energy("total")
            }
            (1, _, 7, Some(Unit::WATT)) => measured(Some("power"), "W"),
            (1, 32 | 52 | 72, 7, _) => measured(Some("voltage"), "V"),
            (1, 31 | 51 | 71, 7, _) => measured(Some("current"), "A"),
            (1, 14, 7, _) => measured(Some("frequency"), "Hz"),
            (1, 81, 7, _) => measured(None, "°"),
            _ => (None, None, None),
        };
        let value = match wanted {
            Some("kWh") => truth.and_then(|text| {
                let number: Decimal = text.parse().ok()?;
                Some(number.rescaled(-3)?.to_string())
            }),
            Some(_) => truth,
            None => None,
        };
        let hidden = meter_core::names::describe(obis).is_none_or(|known| {
            use meter_core::names::Quantity::{Checksum, PublicKey, Vendor};
            matches!(known.quantity, Checksum | PublicKey | Vendor)
        });
        Self {
            class,
            state_class,
            unit: wanted,
            value,
            disabled: hidden,
        }
    }

    /// What is wrong with an entity.
    fn misfit(&self, entity: Option<&Json>) -> Option<String> {
        let Some(entity) = entity else {
            return Some("is not there".to_owned());
        };
        if self.disabled {
            let off = entity["disabled_by"] == "integration";
            return (!off).then(|| "is enabled".to_owned());
        }
        let state = entity["state"].as_str().unwrap_or("none");
        if matches!(state, "unknown" | "unavailable" | "none" | "") {
            return Some(format!("is {state}"));
        }
        let attribute = |name: &str| entity["attributes"][name].as_str();
        let seen = (attribute("device_class"), attribute("state_class"));
        if seen != (self.class, self.state_class) {
            return Some(format!("is of {seen:?}"));
        }
        if self.unit.is_some() && attribute("unit_of_measurement") != self.unit {
            return Some("has another unit".to_owned());
        }
        match &self.value {
            Some(value) if plain(value) != plain(state) => Some(format!("{state}, not {value}")),
            _ => None,
        }
    }
}

/// A number without noughts at its end.
fn plain(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

fn key(obis: Obis) -> String {
    meter_core::payload::Key::code(obis).to_string()
}

fn hex(octets: &[u8]) -> String {
    meter_core::ServerId(octets).to_string()
}

fn id_of(server_id: &[u8]) -> String {
    meter_core::ServerId(server_id)
        .meter_id()
        .compact()
        .to_string()
}

/// The script's own commands.
async fn control(what: &str) -> Result<Vec<u8>> {
    let command = format!("{} {what}", env::var("HA_CTL")?);
    let output = Command::new("sh").arg("-c").arg(&command).output().await?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(output.stdout)
}

async fn entities() -> Result<BTreeMap<String, Json>> {
    let list: Json = serde_json::from_slice(&control("states").await?).unwrap_or_default();
    let list = list.as_array().cloned().unwrap_or_default();
    let with_id = list
        .into_iter()
        .filter_map(|entity| Some((entity["unique_id"].as_str()?.to_owned(), entity)));
    Ok(with_id.collect())
}

fn body(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut decoder = Decoder::new(vec![0; 4096]);
    let mut input = bytes;
    let Some(Event::Frame(frame)) = decoder.next(&mut input) else {
        return Err("no frame".into());
    };
    let mut messages = frame.file().messages().flatten();
    let list = messages.find_map(|message| match message.body {
        Body::GetListRes(list) => Some(list),
        _ => None,
    });
    let mut buffer = [0; 4096];
    let body = Reading::new(list.ok_or("no list")?).emit(&mut buffer);
    Ok(body.map_err(|_| "too long")?.to_vec())
}

#[expect(clippy::print_stdout, reason = "how long it took is worth a line")]
fn say(line: &str) {
    println!("{line}");
}
