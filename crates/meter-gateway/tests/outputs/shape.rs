//! What stands for the power of an interval, out of a journal, with restarts in its middle.

use std::fs;

use meter_core::{Decimal, Reading, UnixMillis};
use meter_gateway::config::Config;
use meter_gateway::journal::Span;
use meter_gateway::output;
use meter_sim::backend::Received;
use serde_json::Value as Json;
use sml_wire::{GetListRes, Integer, ListEntry, Value};
use tempfile::TempDir;

use crate::stage::{METER, OTHER_METER, Result, Stage};

/// Far longer than a test, and not over for a while: 52 weeks since 1970.
const YEAR: i64 = 52 * 7 * 86_400_000;

/// Readings in the interval that is going on, for an output into files that says what stands for it.
struct Scene {
    stage: Stage,
    directory: TempDir,
    from: i64,
    of: &'static str,
}

impl Scene {
    async fn new(of: &'static str) -> Result<Self> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let from = i64::try_from(now.as_millis())?.div_euclid(YEAR) * YEAR;
        Ok(Self {
            stage: Stage::beginning(from).await?,
            directory: TempDir::new()?,
            from,
            of,
        })
    }

    fn output(&self) -> Result<output::Config> {
        let text = format!(
            "[output.lines]\ntype = \"jsonl\"\ndirectory = \"{}\"\nsync_interval = \"100ms\"\n\
             interval = \"52w\"\npower_of_interval = \"{}\"\n",
            self.directory.path().display(),
            self.of
        );
        let mut config =
            Config::parse("meterline.toml", &text).map_err(|faults| faults.to_string())?;
        Ok(config.output.remove("lines").ok_or("no output")?)
    }

    /// Appends readings of these powers in tenths of W, a second apart.
    async fn append(&self, first: i64, powers: &[i64]) -> Result {
        for (index, power) in (first..).zip(powers) {
            self.stage
                .append_body(&METER, index, body(index, *power)?)
                .await?;
        }
        Ok(())
    }

    /// Lets the output look at everything there is, and stops it.
    async fn run(&self, left_out: u64, delivered: u64) -> Result {
        let running = self.stage.start(self.output()?).await?;
        running
            .until("so far", |status| {
                (status.left_out, status.delivered) == (left_out, delivered)
            })
            .await?;
        running.stop().await
    }

    /// What was written: counter and power.
    fn written(&self) -> Result<Vec<(String, String)>> {
        let mut lines = Vec::new();
        let mut paths: Vec<_> = fs::read_dir(&self.directory)?.collect::<std::io::Result<_>>()?;
        paths.sort_by_key(fs::DirEntry::path);
        for path in paths {
            for line in fs::read_to_string(path.path())?.lines() {
                let reading: Json = serde_json::from_str(line)?;
                let index = reading["registers"][0]["value"].to_string();
                let registers = reading["registers"].as_array().ok_or("no registers")?;
                let power = registers
                    .iter()
                    .find(|register| register["obis"] == "1-0:16.7.0*255");
                let power = power.ok_or("no power")?["value"].to_string();
                lines.push((index, power));
            }
        }
        Ok(lines)
    }
}

/// The counter of a reading, which tells which one it is.
fn counter(index: i64) -> String {
    Decimal::signed(10_000_000 + index, -1).to_string()
}

fn body(index: i64, power: i64) -> Result<Vec<u8>> {
    let entry = |name, unit, value| ListEntry {
        name,
        status: None,
        time: None,
        unit: Some(Integer::unsigned(unit)),
        scaler: Some(Integer::signed(-1)),
        value: Value::Integer(Integer::signed(value)),
        signature: None,
    };
    let entries = [
        entry(&[1, 0, 1, 8, 0, 255], 30, 10_000_000 + index),
        entry(&[1, 0, 2, 8, 0, 255], 30, 0),
        entry(&[1, 0, 16, 7, 0, 255], 27, power),
    ];
    let list = GetListRes {
        entries: entries.as_slice().into(),
        ..GetListRes::of(&METER)
    };
    let mut buffer = [0; 256];
    let body = Reading::new(list).emit(&mut buffer);
    Ok(body.map_err(|_| "too long")?.to_vec())
}

/// Some readings, a restart of the output, more of them, another restart, and the next interval.
async fn interval(of: &'static str, powers: &[i64]) -> Result<Vec<(String, String)>> {
    let scene = Scene::new(of).await?;
    let count = i64::try_from(powers.len())?;
    let half = powers.len() / 2;
    let (early, late) = powers.split_at(half);
    scene.append(0, early).await?;
    scene.run(half as u64 - 1, 0).await?;
    scene.append(count / 2, late).await?;
    scene.run(late.len() as u64, 0).await?;
    // With the next interval this one is over.
    scene.append(YEAR / 1000, &[7]).await?;
    scene.run(0, 2).await?;
    assert!(scene.stage.warnings().is_empty(), "{}", scene.stage.log());
    scene.written()
}

#[tokio::test]
async fn the_mean_is_of_all_readings_whatever_was_restarted() -> Result {
    // More than one stretch of the log.
    let powers: Vec<i64> = (0..2500).map(|index| 1000 + index % 997).collect();
    let sum: i64 = powers.iter().sum();
    let mean = Decimal::signed(sum, -1).divided(2500.try_into()?, 3);
    assert_eq!(
        interval("mean", &powers).await?,
        [
            (counter(2499), mean.ok_or("no mean")?.to_string()),
            (counter(YEAR / 1000), "0.700".to_owned())
        ]
    );
    Ok(())
}

#[tokio::test]
async fn the_smallest_and_the_largest_keep_their_digits() -> Result {
    let powers = [1234, -56, 99_999, 0, 77];
    let smallest = interval("min", &powers).await?;
    assert_eq!(smallest[0], (counter(4), "-5.6".to_owned()));
    let largest = interval("max", &powers).await?;
    assert_eq!(largest[0], (counter(4), "9999.9".to_owned()));
    let last = interval("last", &powers).await?;
    assert_eq!(last[0], (counter(4), "7.7".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_reading_of_another_meter_or_another_interval_does_not_count() -> Result {
    let scene = Scene::new("mean").await?;
    scene.append(-2, &[5000, 5000]).await?;
    scene.stage.append_of(&OTHER_METER, 1).await?;
    scene.append(2, &[100, 200]).await?;
    let look = scene.stage.journal.look()?;
    let span = Span {
        meter: Box::new(METER),
        from: UnixMillis(scene.from),
        to: UnixMillis(scene.from + YEAR),
    };
    let mut times = Vec::new();
    look.up_to(&span, u64::MAX, |record| {
        times.push((record.time.0 - scene.from) / 1000);
    })?;
    assert_eq!(times, [2, 3]);
    scene.append(YEAR / 1000, &[7]).await?;
    let running = scene.stage.start(scene.output()?).await?;
    running
        .until("delivered", |status| status.delivered == 3)
        .await?;
    running.stop().await?;
    let powers: Vec<String> = scene
        .written()?
        .into_iter()
        .map(|(_, power)| power)
        .collect();
    assert_eq!(powers, ["500.000", "15.000", "0.700"]);
    Ok(())
}

/// The example in the document, with the address of the server here.
#[tokio::test]
async fn the_documented_example_works() -> Result {
    let page = include_str!("../../../../docs/payloads.md");
    let (_, section) = page
        .split_once("\n## Which registers")
        .ok_or("no such section")?;
    let block = |language: &str| {
        let (_, rest) = section.split_once(language)?;
        rest.split("```").next()
    };
    let example = block("```toml\n").ok_or("no example")?;
    let expected = block("```json\n").ok_or("no payload")?;
    let mut setup = crate::rest::setup::Setup::new().await?;
    let mut config = Config::parse("example", example).map_err(|faults| faults.to_string())?;
    let output = config.output.remove("backend").ok_or("no output")?;
    let output::Config::Rest(mut output) = output else {
        return Err("another output".into());
    };
    output.url = meter_gateway::config::Secret::literal(setup.backend.url("/readings"));
    output.remote.ca_file = setup.config.remote.ca_file.clone();
    setup.config = output;
    for index in 0..200 {
        let power = if index % 4 == 3 { 2505 } else { 2500 };
        setup
            .append_body(&METER, index, body(index, power)?)
            .await?;
    }
    setup.deliver_all().await?;
    let received = setup.backend.received();
    let body = |one: &Received| String::from_utf8_lossy(&one.body).into_owned();
    let bodies: Vec<String> = received.iter().map(body).collect();
    assert_eq!(bodies, [expected.trim_end()]);
    Ok(())
}
