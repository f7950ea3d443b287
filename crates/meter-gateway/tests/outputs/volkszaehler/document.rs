//! The examples of `docs/volkszaehler.md`.

use meter_gateway::config::Config;
use meter_gateway::output;

use super::middleware::Middleware;
use crate::stage::*;

const PAGE: &str = include_str!("../../../../../docs/volkszaehler.md");

/// The outputs of the blocks of TOML.
fn examples(change: impl Fn(&str) -> String) -> Result<Vec<output::Config>> {
    let mut outputs = Vec::new();
    for rest in PAGE.split("```toml\n").skip(1) {
        let text = change(rest.split("```").next().unwrap_or_default());
        let config = Config::parse("example", &text).map_err(|faults| faults.to_string())?;
        outputs.extend(config.output.into_values());
    }
    Ok(outputs)
}

#[tokio::test]
async fn the_first_one_works_and_all_are_right() -> Result {
    let middleware = Middleware::start().await?;
    let there = format!("http://localhost:{}/", middleware.port);
    let outputs = examples(|text| text.replace("http://localhost/", &there))?;
    assert_eq!(outputs.len(), 2);
    let stage = Stage::new().await?;
    stage.append_all(0..10).await?;
    let all = stage.records().await?;
    let first = outputs.into_iter().next().ok_or("no example")?;
    stage.deliver_all(first).await?;
    middleware.assert_holds(&all)
}
