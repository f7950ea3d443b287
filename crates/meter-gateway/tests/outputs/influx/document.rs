//! The examples of `docs/influxdb.md`.

use meter_gateway::config::Config;
use meter_gateway::output;

use super::influxdb::{Influxd, PASSWORD};
use crate::stage::*;
use crate::suite::Server as _;

const PAGE: &str = include_str!("../../../../../docs/influxdb.md");

/// The blocks of TOML.
fn examples() -> Vec<&'static str> {
    let behind = PAGE.split("```toml\n").skip(1);
    behind.filter_map(|rest| rest.split("```").next()).collect()
}

/// Parses one with its secrets taken from a file that is there.
fn parse(example: &str, secret: &str) -> Result<output::Config> {
    let mut file = tempfile::NamedTempFile::new()?;
    std::io::Write::write_all(&mut file, secret.as_bytes())?;
    let text: Vec<String> = example
        .lines()
        .map(|line| match line.split_once("\"file:") {
            Some((key, _)) => format!("{key}\"file:{}\"\n", file.path().display()),
            None => format!("{line}\n"),
        })
        .collect();
    let config = Config::parse("example", &text.concat()).map_err(|faults| faults.to_string())?;
    let first = config.output.into_values().next();
    Ok(first.ok_or("no output")?)
}

#[test]
fn all_are_right() -> Result {
    let examples = examples();
    assert_eq!(examples.len(), 4);
    for example in examples {
        parse(example, "secret")?;
    }
    Ok(())
}

#[tokio::test]
async fn the_first_one_works() -> Result {
    let Some(mut influxd) = Influxd::start().await? else {
        return Ok(());
    };
    let example = examples()[0].replace(":8086", &format!(":{}", influxd.0.port));
    let output = parse(&example, PASSWORD)?;
    let stage = Stage::new().await?;
    stage.append_all(0..10).await?;
    stage.deliver_all(output).await?;
    assert_eq!(influxd.rows().await?.len(), 20);
    Ok(())
}
